"""Standard output and error that never raise, even if their reader has gone or their file is full."""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any


class SteadyStream:
    """A text stream that never raises: if its reader has gone, or its file is full or closed, further text is dropped.

    A training must not fail because its messages cannot be written. `error` keeps the first error, for commands whose
    output is their result.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = open(os.devnull, "w", encoding="utf-8") if stream is None else stream  # noqa: SIM115, PTH123
        self.error: Exception | None = None
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal whose encoding lacks a character shows ? for it

    def write(self, text: str) -> int:
        """Writes text if no write has failed yet; returns its length, as every text stream does."""
        if self.error is None:
            try:
                self._stream.write(text)
            except (OSError, ValueError) as error:  # ValueError: the file object was closed
                self._drop(error)
        return len(text)

    def flush(self) -> None:
        """Flushes the stream if no write has failed yet."""
        if self.error is None:
            try:
                self._stream.flush()
            except (OSError, ValueError) as error:
                self._drop(error)

    @property
    def lost(self) -> Exception | None:
        """The error that lost lines for a reader that is still there; None otherwise."""
        left = isinstance(self.error, OSError) and self.error.errno in (errno.EPIPE, errno.ECONNRESET, errno.EIO)
        return None if left else self.error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _drop(self, error: Exception) -> None:
        """Writes nothing from now on; text that is left in a buffer goes to the null device when the process ends."""
        self.error = error
        with suppress(OSError, ValueError, AttributeError):
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, self._stream.fileno())
            os.close(null)
            self._stream.flush()


@contextmanager
def steady_output() -> Iterator[tuple[SteadyStream, SteadyStream]]:
    """Replaces standard output and error by steady streams inside the context."""
    _open_standard_files()
    before = sys.stdout, sys.stderr
    out, err = SteadyStream(before[0]), SteadyStream(before[1])
    sys.stdout, sys.stderr = out, err
    try:
        yield out, err
    finally:
        out.flush()
        err.flush()
        sys.stdout, sys.stderr = before


def _open_standard_files() -> None:
    """Opens the null device in place of standard input, output or error if they are closed.

    Otherwise the next file that is opened, such as metrics.jsonl, would get the file number of standard output, and
    printed text would be written into it.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number, which is the closed one
