"""Looking at paths without surprises: every path here was typed by a person."""

from contextlib import suppress
from pathlib import Path


def expand(path: str | Path) -> Path:
    """`path` with a leading ~ replaced; as it is where that has no meaning (no home, no such user)."""
    with suppress(RuntimeError):
        return Path(path).expanduser()
    return Path(path)


def is_file(path: Path) -> bool:
    """Whether `path` is a file that can be seen. A folder that may not be entered holds nothing for us."""
    with suppress(OSError):
        return path.is_file()
    return False


def is_folder(path: Path) -> bool:
    """Whether `path` is a folder that can be seen."""
    with suppress(OSError):
        return path.is_dir()
    return False
