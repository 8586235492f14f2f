"""A warning in one line on standard error, about a problem that does not stop the program."""

import sys
from contextlib import suppress

from nograd.core.wrapping import say


def notice(text: str) -> None:
    """Prints `nograd: text` on standard error. It never raises: no result depends on a notice."""
    with suppress(OSError, ValueError, AttributeError):  # standard error is closed, full or None
        say(f"nograd: {' '.join(text.split())}", sys.stderr)
