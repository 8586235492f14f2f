"""A file that is not whole yet: claimed by one process, appended to, then given its name at one stroke."""

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, NamedTuple

from nograd.core.types import DataError


class Part(NamedTuple):
    """An open .part file that no other process writes."""

    path: Path
    handle: IO[bytes]  # unbuffered, in append mode

    def size(self) -> int:
        """Bytes it holds."""
        return os.fstat(self.handle.fileno()).st_size

    def truncate(self) -> None:
        """Start over."""
        with disk_errors(self.path):
            os.ftruncate(self.handle.fileno(), 0)

    def append(self, data: bytes) -> None:
        """Write all of `data` at the end."""
        rest = memoryview(data)
        with disk_errors(self.path):
            while rest:
                rest = rest[self.handle.write(rest) :]

    def install(self, target: Path) -> None:
        """Give the file its name, once its bytes are on the disk: a crash leaves all of it or none."""
        with disk_errors(target):
            os.fsync(self.handle.fileno())
            self.path.replace(target)
            folder = os.open(target.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)


@contextmanager
def claim_part(target: Path) -> Iterator[Part]:
    """The part file of `target`, for this process alone: TARGET.part if it is free, else one of our own.

    A lock held on the open file, not a lock file: the system drops it when a process dies, so nothing
    stale can block the next one. TARGET.part stays for a later call to resume, unless it is empty.

    Raises:
        DataError: the folder cannot be made or written.
    """
    shared = target.with_name(f"{target.name}.part")
    with disk_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        part = _lock(shared) or _private(target)
    try:
        yield part
    finally:
        if part.path != shared or not part.size():
            with suppress(OSError):  # a private part that was installed has gone already
                part.path.unlink()
        part.handle.close()


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turns the system's refusals to write (full, read-only, not permitted) into a DataError."""
    try:
        yield
    except OSError as error:
        raise DataError(
            f"cannot write {path} ({error.strerror}); free or unlock that disk, "
            "or set XDG_CACHE_HOME to a folder that can be written"
        ) from error


def _lock(path: Path) -> Part | None:
    """TARGET.part, locked; None if another process has it or the file system knows no locks."""
    part = Part(path, path.open("a+b", buffering=0))
    with suppress(OSError):
        fcntl.flock(part.handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Between open and lock another process may have renamed or removed it: what is written to this
        # handle would then change the finished file, or be lost.
        if os.path.samestat(os.fstat(part.handle.fileno()), path.stat()):
            return part
    part.handle.close()
    return None


def _private(target: Path) -> Part:
    """A part file under a name that no other process knows."""
    # Not tempfile: its files are for their owner alone, and a cache may be shared.
    path = target.with_name(f"{target.name}.{secrets.token_hex(8)}.part")
    return Part(path, path.open("a+b", buffering=0))
