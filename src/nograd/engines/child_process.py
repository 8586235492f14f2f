"""A child process of ours that runs Python: started, sent messages, ended, reaped. The child runs `child_start`.

A child must import the same modules as its parent. It starts without the current folder on its path, finds every
module where the parent found it, and searches the current folder last: a user's `random.py` or `jax.py` there
is not taken for the module of that name.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from nograd.engines import child_start

ENVIRONMENT = {"NPROC": "1", "JAX_PLATFORMS": "cpu"}  # one thread: more would save no time, and add in another order
_LAST = 0.2  # seconds: a closed connection comes just before the end of a process


def environment() -> dict[str, str]:
    """The variables of a worker that computes as this process does: with one thread, and 64 bits where they are on."""
    wide = sys.modules["jax"].config.read("jax_enable_x64") if "jax" in sys.modules else False
    return {**ENVIRONMENT, **({"JAX_ENABLE_X64": "1"} if wide else {})}


class ChildProcess:
    """A child process and the connection to it. It ends with this process, however that ends, also while stopped.

    Args:
        module: of nograd, whose `serve(link, pinned, *words)` the child calls.
        words: further arguments of that function, as texts.
        core: the number of the core to run on; None for any.
        environment: variables on top of this process's own.
        files: descriptors that the child inherits under the same numbers.
        own_session: out of reach of the terminal's Ctrl-C and Ctrl-Z.
    """

    def __init__(
        self,
        module: str,
        words: Sequence[object] = (),
        *,
        core: int | None = None,
        environment: Mapping[str, str] = ENVIRONMENT,
        files: Sequence[int] = (),
        own_session: bool = False,
    ) -> None:
        ours, theirs = socket.socketpair()
        read, self._life = os.pipe()  # closed with this process, however it ends
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115
        # Linux would kill the child when the *thread* ends that started it, so that is asked for in the main one only.
        parent = os.getpid() if threading.current_thread() is threading.main_thread() else 0
        numbers = (theirs.fileno(), read, parent, -1 if core is None else core)
        self.process = subprocess.Popen(
            [sys.executable, "-P", child_start.__file__, module, *map(str, (*numbers, *words))],
            env={**os.environ, **environment},
            pass_fds=(theirs.fileno(), read, *files),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._stderr,
            start_new_session=own_session,
        )
        theirs.close()
        os.close(read)
        self.link = Connection(ours.detach())
        with contextlib.suppress(OSError):  # it is dead: who reads from it will see
            self.link.send((search_path(), module_folders()))

    def end(self, grace: float = _LAST) -> str:
        """Kills the process unless it ends within `grace` seconds; returns the cause of its end, in words."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(grace)
        self.process.kill()
        code = self.process.wait()
        return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"

    def last_words(self) -> str:
        """What it has written to its standard error."""
        self._stderr.seek(0)
        return self._stderr.read().decode("utf-8", "replace")

    def close(self) -> None:
        """Kills and reaps the process, and closes all that belongs to it."""
        self.end(0.0)
        self.link.close()
        os.close(self._life)
        self._stderr.close()


def search_path() -> list[str]:
    """This process's `sys.path` with the current folder, where it is there, as the last."""
    try:
        here = Path.cwd()
    except OSError:  # it has been removed, and nothing can be found in it
        return [entry for entry in sys.path if Path(entry).is_absolute()]
    folders = list(dict.fromkeys(str(here / entry) for entry in sys.path))  # "" is the current one
    current = [folder for folder in folders if Path(folder).resolve() == here]
    return [folder for folder in folders if folder not in current] + current


def module_folders() -> dict[str, str]:
    """The folder that each top-level module of this process was found in, by name."""
    found: dict[str, str] = {}
    for name, module in list(sys.modules.items()):
        spec: Any = getattr(module, "__spec__", None)
        if "." in name or name == "__main__" or not getattr(spec, "has_location", False):
            continue  # part of a package, built in, or made at run time
        file = Path(spec.origin).absolute()
        found[name] = str(file.parents[1] if spec.submodule_search_locations else file.parent)
    return found
