"""Every change of a training's files goes through here, so that a test can crash at each one of them.

What a function has written is on the disk when it returns, in the face of a power cut too: files are synced before
they get their name, and folders after a name in them has changed.
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
_ABANDONED = 60.0  # seconds after which nobody is still writing a temporary file


def write_atomically(path: Path, content: bytes) -> None:
    """The whole content or the old file, never a part: a temporary file, synced, renamed over `path`.

    Raises:
        RunError: the folder cannot be written or the disk is full; the old file stands.
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
    """Writes to an open file and hands it to the system: a crash of this process loses none of it."""
    file.write(content)
    file.flush()


def sync(file: IO[bytes]) -> None:
    """Waits until what was written is on the disk."""
    os.fsync(file.fileno())


def rename(old: Path, new: Path) -> None:
    """Gives a file another name; a file that had it goes."""
    old.replace(new)


def remove(path: Path) -> None:
    """Removes a file; one that is not there is no matter."""
    path.unlink(missing_ok=True)


def move(old: Path, new: Path) -> None:
    """Renames a file into another folder, on the disk when it returns."""
    rename(old, new)
    sync_folder(new.parent)
    sync_folder(old.parent)


def sync_folder(path: Path) -> None:
    """Waits until the names in a folder are on the disk, where its file system can do that."""
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
    """Removes the temporary files that a crash has left in a folder.

    Args:
        folder: where.
        names: of files that nobody else writes now. Others, such as a report's, go when they are old; None: all do.
    """
    for path in folder.glob(".*.tmp"):
        if (match := _TEMPORARY.fullmatch(path.name)) is None:
            continue
        with contextlib.suppress(OSError):
            if (names and names.fullmatch(match[1])) or time.time() - path.stat().st_mtime > _ABANDONED:
                remove(path)
