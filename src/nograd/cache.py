"""Where nograd keeps what it can always get again: downloads and compiled programs."""

import os
import tempfile
from pathlib import Path


def user_cache(name: str) -> Path:
    """$XDG_CACHE_HOME/nograd/NAME, by default ~/.cache/nograd/NAME. It need not exist."""
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if not base.is_absolute():  # not set, or relative: the XDG standard tells to ignore that
        try:
            base = Path.home() / ".cache"
        except RuntimeError:  # a container may run under a user without a home
            base = Path(tempfile.gettempdir())
    return base / "nograd" / name


def writable(folder: Path) -> bool:
    """Whether the folder can be made, or is there, and takes files."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK)
