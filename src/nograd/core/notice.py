"""A warning in one line on standard error, about a problem that does not stop the program."""

import sys
from contextlib import suppress


def notice(text: str) -> None:
    """Prints `nograd: text`; never raises, since nothing depends on it."""
    with suppress(OSError, ValueError, AttributeError):  # closed, full, or not there at all
        print(f"nograd: {' '.join(text.split())}", file=sys.stderr, flush=True)
