"""The page of a running training: an observer writes it again and again, in a small share of the time."""

import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from nograd.core.wrapping import say
from nograd.reports.browser import show
from nograd.reports.charts import require_library
from nograd.reports.run import run_page
from nograd.runs.directory import RunDirectory
from nograd.runs.files import write_atomically
from nograd.runs.run import Run
from nograd.training.loop import Progress

REFRESH = 5  # seconds after which the browser reloads the page
_PAUSE = 19  # pause after writing a page, in multiples of the time that it took: at most 1/20 of all time is used


def observer(directory: RunDirectory, start: Progress) -> "LivePage":
    """The observer for a training that begins."""
    return LivePage(directory, say)


class LivePage:
    """Writes RUN/report.html at the start, after evaluations and at the end; opens it in the browser at the start."""

    def __init__(self, directory: RunDirectory, tell: Callable[[str], None]) -> None:
        require_library()
        self.directory, self.tell = directory, tell
        self._scored = Run(directory).measure.val  # the entry of a generation's metrics that an evaluation adds
        self._due = 0.0  # earliest time at which the next page may be written
        self._failed = False

    @property
    def path(self) -> Path:
        """The file of the page."""
        return self.directory.path / "report.html"

    def __enter__(self) -> Self:
        self._write()
        if not self._failed:
            self.tell(f"page: {self.path}")
            show(self.path, self.tell)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Does nothing: nothing is open."""

    def generation(self, progress: Progress, line: dict[str, Any]) -> None:
        """Writes the page after an evaluation, unless it was written a short time ago."""
        if self._scored in line and time.monotonic() >= self._due:
            self._write()

    def finish(self, run: Run) -> None:
        """Writes the last page, with the result and the mistakes of the network."""
        self._write(run)

    def _write(self, run: Run | None = None) -> None:
        if self._failed:
            return
        start = time.monotonic()
        try:
            page = run_page(run or Run(self.directory), network=run is not None, refresh=REFRESH)
            write_atomically(self.path, page.encode())
        except Exception as error:  # a page that cannot be written must not end the training
            self._failed = True
            self.tell(f"the page is not written any more: {type(error).__name__}: {error}")
        end = time.monotonic()
        self._due = end + _PAUSE * (end - start)
