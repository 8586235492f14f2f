"""Opening a page in the user's browser, if this machine has a display."""

import os
import sys
import webbrowser
from collections.abc import Callable
from pathlib import Path


def show(path: Path, tell: Callable[[str], None]) -> None:
    """Opens the page; if that is not possible, `tell` gets a line with its path."""
    if not _has_screen() or not webbrowser.open(path.resolve().as_uri()):
        tell(f"no browser can be opened here; the page is {path.resolve()}")


def _has_screen() -> bool:
    """Whether a window can be shown. Without one, `webbrowser` may start a text browser in this terminal."""
    names = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
    return sys.platform in ("darwin", "win32") or any(os.environ.get(name) for name in names)
