"""The folder for files that nograd can always make again: downloads and compiled programs."""

import os
import tempfile
from contextlib import suppress
from pathlib import Path


def user_cache(name: str) -> Path:
    """The path $XDG_CACHE_HOME/nograd/NAME, by default ~/.cache/nograd/NAME. The folder is not created."""
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if not base.is_absolute():  # not set, or relative: the XDG standard says to ignore a relative path
        try:
            base = Path.home() / ".cache"
        except RuntimeError:  # a container may run under a user without a home
            base = Path(tempfile.gettempdir())
    return base / "nograd" / name


def trim(folder: Path, size: int) -> None:
    """Removes the least recently used files until the folder holds at most `size` bytes."""
    with suppress(OSError):  # another process may trim it at the same time
        files = [(path, path.stat()) for path in folder.iterdir() if path.is_file()]
        excess = sum(status.st_size for _, status in files) - size
        for path, status in sorted(files, key=lambda file: max(file[1].st_atime, file[1].st_mtime)):
            if excess <= 0:
                return
            path.unlink(missing_ok=True)
            excess -= status.st_size


def writable(folder: Path) -> bool:
    """Whether the folder exists or can be created, and files can be written to it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK)
