"""One process at work in a directory: a lock that dies with its process, and says who holds it."""

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
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)  # of file systems that have none
_PAUSE = 0.1  # seconds between two tries of one who waits


class DirectoryLock:
    """The lock on a directory: `flock` on a file in it, which the system lets go when the process ends.

    The file holds the process id and the host. It is removed on release; what a killed process leaves is no lock.

    Args:
        path: of the file.
        patience: seconds to wait for whoever holds it.

    Raises:
        RunError: another process, or another training of this one, holds it; or the folder cannot be written.
    """

    def __init__(self, path: Path, patience: float = 0.0) -> None:
        self.path = path
        end = time.monotonic() + patience
        while (descriptor := _taken(path)) is None:
            if time.monotonic() >= end:
                raise RunError(f"{path.parent} is in use: {_holder(path)}; wait for its end, or stop it first")
            time.sleep(_PAUSE)
        with contextlib.suppress(OSError):  # on a full disk nobody is told who holds it, but it is held
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"process {os.getpid()} on {socket.gethostname()}\n".encode(), 0)
        self.descriptor = descriptor
        # Also where nobody calls `release`: a training that failed may be tried again by the same process.
        self._end = weakref.finalize(self, _let_go, descriptor, path)
        _HELD.add(self)

    def release(self) -> None:
        """Lets it go; a second call does nothing."""
        _HELD.discard(self)
        self._end()

    def leave_to_parent(self) -> None:
        """In a forked child: it does not hold the lock, nor keep it from ending with its parent."""
        self._end.detach()
        with contextlib.suppress(OSError):
            os.close(self.descriptor)


def _taken(path: Path) -> int | None:
    """The descriptor of the locked file, or None where somebody else holds it."""
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
        # Who held it may have removed the file between the two calls: then this lock is on a file without a name.
        with contextlib.suppress(FileNotFoundError):
            if os.fstat(descriptor).st_ino == path.stat().st_ino:
                return descriptor
        os.close(descriptor)


def _holder(path: Path) -> str:
    """Who holds it, in words."""
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
