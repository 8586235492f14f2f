"""Ends what a Ray cluster of this machine leaves behind: `python -m nograd.engines.ray_cleanup LIFE SESSION`.

Killed by `kill −9`, a driver takes the servers of its cluster with it, but Ray's agents and workers then wait a minute
or more for servers that are gone. This process waits for the end of the driver alone.
"""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

_PROC = Path("/proc")  # elsewhere than on Linux nothing is found, and they end by themselves


@contextlib.contextmanager
def guarded(session: str) -> Iterator[None]:
    """The agents and workers of a session end with this process, or with the context."""
    read, life = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "nograd.engines.ray_cleanup", str(read), session],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        pass_fds=(read,),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C goes to all of a session
    )
    os.close(read)
    try:
        yield
    finally:
        os.close(life)
        process.wait()


def processes_of(session: str) -> list[int]:
    """Ray's agents and workers that have a file of the session's folder open."""
    return [int(entry.name) for entry in _PROC.glob("[0-9]*") if _belongs(entry, f"{session}/")]


def _belongs(entry: Path, folder: str) -> bool:
    with contextlib.suppress(OSError):  # it has ended meanwhile, or is another user's
        if (entry / "cmdline").read_bytes().startswith(b"ray::"):
            return any(str(file.readlink()).startswith(folder) for file in (entry / "fd").iterdir())
    return False


def main() -> None:
    """Waits until the driver has ended, or has left the cluster."""
    life, session = int(sys.argv[1]), sys.argv[2]
    os.read(life, 1)
    for process in processes_of(session):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


if __name__ == "__main__":
    main()
