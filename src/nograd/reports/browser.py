"""A page shown in the browser of the person at this machine, if there is one."""

import os
import sys
import webbrowser
from collections.abc import Callable
from pathlib import Path


def show(path: Path, tell: Callable[[str], None]) -> None:
    """Opens the page; says in one line where that cannot be."""
    if not _has_screen() or not webbrowser.open(path.resolve().as_uri()):
        tell(f"no browser can be opened here; the page is {path.resolve()}")


def _has_screen() -> bool:
    """Whether a window can be shown. Without one, webbrowser would start a browser of text in this terminal."""
    names = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
    return sys.platform in ("darwin", "win32") or any(os.environ.get(name) for name in names)
