"""What a child process of ours does first: `python -P child_start.py MODULE LINK LIFE PARENT CORE WORD...`.

It is run as a file, before nograd can be imported, and so imports nothing but the standard library. `child_process` is
the parent's side.
"""

import contextlib
import ctypes
import importlib
import os
import signal
import sys
import threading
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from multiprocessing.connection import Connection
from types import ModuleType

_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of <linux/prctl.h>


class _AsInParent:
    """Finds each top-level module that the parent has in the folder where the parent has it from."""

    def __init__(self, folders: dict[str, str]) -> None:
        self._folders = folders

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """See `importlib.abc.MetaPathFinder`."""
        folder = self._folders.get(name) if path is None else None
        return PathFinder.find_spec(name, [folder], target) if folder else None


def main() -> None:
    """Ties this process to its parent and its core, imports as the parent does, and calls the module's `serve`."""
    module, *words = sys.argv[1:]
    number, life, parent, core = map(int, words[:4])
    for ignored in (signal.SIGINT, signal.SIGHUP):  # they go to all of a terminal; the parent decides
        signal.signal(ignored, signal.SIG_IGN)
    end_with(life, parent)
    pinned = core >= 0
    if pinned:
        with contextlib.suppress(AttributeError, OSError):
            os.sched_setaffinity(0, {core})
    link = Connection(number)
    try:
        sys.path[:], folders = link.recv()
    except (EOFError, OSError):  # the parent has ended already
        return
    import_as(folders)
    sys.argv[:] = [module, *words[4:]]
    importlib.import_module(module).serve(link, pinned, *words[4:])


def end_with(life: int, parent: int) -> None:
    """Ends this process when the other end of `life` is closed, which nobody writes to; on Linux also while stopped.

    Args:
        life: descriptor of a pipe.
        parent: process id; 0 where Linux may not watch it, as it was not its main thread that started this process.
    """

    def wait() -> None:
        os.read(life, 1)
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
    if parent and sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_DEATH_SIGNAL, signal.SIGKILL)
        if os.getppid() != parent:  # it ended before that
            os._exit(1)


def import_as(folders: dict[str, str]) -> None:
    """From now on top-level modules come from these folders, and only others from `sys.path`."""
    at = sys.meta_path.index(PathFinder) if PathFinder in sys.meta_path else len(sys.meta_path)
    sys.meta_path.insert(at, _AsInParent(folders))


if __name__ == "__main__":
    main()
