"""A lock for one writer per directory. It ends with its process, and names its holder."""

import contextlib
import errno
import fcntl
import os
import socket
import time
import weakref
from pathlib import Path

from nograd.core.notice import notice
from nograd.core.types import RunError

_HELD: "weakref.WeakSet[DirectoryLock]" = weakref.WeakSet()
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)  # from file systems without locks
_PAUSE = 0.1  # seconds between two attempts while waiting for the lock


class DirectoryLock:
    """Takes the lock of a directory: `flock` on a file in it, which the operating system releases with the process.

    The file holds the process id and the host. `release` removes it. The file that a killed process leaves behind does
    not block anyone.

    Args:
        path: the lock file.
        patience: seconds to wait if another process holds the lock.

    Raises:
        RunError: another process, or another training of this process, holds it; or the file cannot be written.
    """

    def __init__(self, path: Path, patience: float = 0.0) -> None:
        self.path = path
        end = time.monotonic() + patience
        while (descriptor := _taken(path)) is None:
            if time.monotonic() >= end:
                raise RunError(f"{path.parent} is in use: {_holder(path)}; wait for its end, or stop it first")
            time.sleep(_PAUSE)
        with contextlib.suppress(OSError):  # on a full disk the holder's name is missing, but the lock holds
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"process {os.getpid()} on {socket.gethostname()}\n".encode(), 0)
        self.descriptor = descriptor
        # Released also if nobody calls `release`: the same process may repeat a training that failed.
        self._end = weakref.finalize(self, _let_go, descriptor, path)
        _HELD.add(self)

    def release(self) -> None:
        """Gives the lock back; a second call does nothing."""
        _HELD.discard(self)
        self._end()

    def leave_to_parent(self) -> None:
        """In a forked child: closes its copy, so that the lock belongs to the parent alone and ends with it."""
        self._end.detach()
        with contextlib.suppress(OSError):
            os.close(self.descriptor)


def _taken(path: Path) -> int | None:
    """The open descriptor of the locked file, or None if another process holds the lock."""
    while True:
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise RunError(f"cannot write {path}: {error.strerror}; permit it, or choose another --out") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                os.close(descriptor)
                raise RunError(f"cannot lock {path}: {error.strerror}; choose another --out") from error
            notice(f"{path.parent} lies on a file system without locks: start no second training there")
            return descriptor
        # The last holder may have removed the file between the two calls; then this lock is on a file without a name.
        with contextlib.suppress(FileNotFoundError):
            if os.fstat(descriptor).st_ino == path.stat().st_ino:
                return descriptor
        os.close(descriptor)


def _holder(path: Path) -> str:
    """A text that says who holds the lock."""
    with contextlib.suppress(OSError, UnicodeDecodeError):
        if said := path.read_text("utf-8").strip():
            return f"{said} works in it"
    return "another process works in it"


def _let_go(descriptor: int, path: Path) -> None:
    with contextlib.suppress(OSError):
        if os.fstat(descriptor).st_ino == path.stat().st_ino:
            path.unlink()
    with contextlib.suppress(OSError):
        os.close(descriptor)


def _leave_all_to_parent() -> None:
    for lock in list(_HELD):
        lock.leave_to_parent()
    _HELD.clear()


os.register_at_fork(after_in_child=_leave_all_to_parent)
