"""One line for a person about what goes on in spite of something, on standard error."""

import sys
from contextlib import suppress


def notice(text: str) -> None:
    """Prints `nograd: text`; never raises, since nothing depends on it."""
    with suppress(OSError, ValueError, AttributeError):  # closed, full, or not there at all
        print(f"nograd: {' '.join(text.split())}", file=sys.stderr, flush=True)
