"""Lines on a console, and a live bar below them where it is a terminal."""

import time
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import Progress, ProgressColumn

_PLAIN_EVERY = 10.0  # seconds between lines of the state, where there is no bar


class ProgressDisplay(AbstractContextManager["ProgressDisplay"]):
    """What a person sees while something long goes on. Without a console it is silent."""

    def __init__(self, console: Console | None, *columns: ProgressColumn, total: float, completed: int = 0) -> None:
        """
        Args:
            console: where to.
            columns: of the bar.
            total: of the bar, in the unit of `move`.
            completed: of it, at the start.
        """
        self._console, self._printed = console, time.monotonic()
        self._bar: Progress | None = None
        if console and console.is_terminal:
            self._bar = Progress(*columns, console=console, transient=True)
            self._task = self._bar.add_task("", total=total, completed=completed)

    def __enter__(self) -> Self:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.stop()

    def move(self, completed: float, text: str) -> None:
        """How things stand, on the bar."""
        if self._bar:
            self._bar.update(self._task, completed=completed, description=text)

    @property
    def due(self) -> bool:
        """Whether a line should say how things stand: there is no bar, and none has for ten seconds."""
        return self._bar is None and time.monotonic() - self._printed > _PLAIN_EVERY

    def line(self, text: str, state: bool = False) -> None:
        """A line of something that has happened, or of how things stand."""
        if state:
            self._printed = time.monotonic()
        if self._console:
            self._console.print(text, highlight=False, markup=False, soft_wrap=True)
