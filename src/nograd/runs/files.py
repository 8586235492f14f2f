"""All changes of a training's files go through these functions, so that a test can simulate a crash at each of them.

When a function returns, what it has written is on the disk and survives a power cut: a file is synced before it gets
its name, and a folder after a name in it has changed.
"""

import contextlib
import errno
import os
import re
import time
from pathlib import Path
from typing import IO

from nograd.core.types import RunError

_TEMPORARY = re.compile(r"\.(.+)\.\d+\.tmp")
_ABANDONED = 60.0  # seconds after which a temporary file is taken for one that a crash has left


def write_atomically(path: Path, content: bytes) -> None:
    """Writes a whole file or leaves the old one as it was: a temporary file is written, synced and renamed to `path`.

    Raises:
        RunError: the folder cannot be written or the disk is full; the old file is unchanged.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            write(file, content)
            sync(file)
        rename(temporary, path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            remove(temporary)
        if not isinstance(error, OSError):
            raise
        raise RunError(
            f"cannot write {path}: {error.strerror or error}; make room or permit it, then go on with --resume"
        ) from error
    sync_folder(path.parent)


def write(file: IO[bytes], content: bytes) -> None:
    """Writes to an open file and flushes it, so that a crash of this process loses nothing that was written."""
    file.write(content)
    file.flush()


def sync(file: IO[bytes]) -> None:
    """Waits until the content of an open file is on the disk."""
    os.fsync(file.fileno())


def rename(old: Path, new: Path) -> None:
    """Renames a file; a file that had the new name is replaced."""
    old.replace(new)


def remove(path: Path) -> None:
    """Removes a file, if it exists."""
    path.unlink(missing_ok=True)


def move(old: Path, new: Path) -> None:
    """Moves a file to another folder; the change is on the disk when this returns."""
    rename(old, new)
    sync_folder(new.parent)
    sync_folder(old.parent)


def sync_folder(path: Path) -> None:
    """Waits until the names in a folder are on the disk, if its file system supports that."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:  # a folder that may be written but not read
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno in (errno.EIO, errno.ENOSPC, errno.EDQUOT):
            raise RunError(f"cannot write {path}: {error.strerror}; make room, then go on with --resume") from error
    finally:
        os.close(descriptor)


def sweep(folder: Path, names: re.Pattern[str] | None = None) -> None:
    """Removes temporary files that a crash has left in a folder.

    Args:
        folder: where to look.
        names: of files that only the caller may write: their temporary files are removed at once. All others are
            removed when they are older than a minute; None: all are treated so.
    """
    for path in folder.glob(".*.tmp"):
        if (match := _TEMPORARY.fullmatch(path.name)) is None:
            continue
        with contextlib.suppress(OSError):
            if (names and names.fullmatch(match[1])) or time.time() - path.stat().st_mtime > _ABANDONED:
                remove(path)
