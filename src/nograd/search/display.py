"""What a person sees while a search goes: lines for what has happened, and a live bar where there is a terminal."""

import time
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from nograd.formats import duration
from nograd.search.records import Trial

_PLAIN_EVERY = 10.0  # seconds between plain lines of the state, where there is no bar
_NAMED = 6  # settings of a trial in its line


class Display(AbstractContextManager["Display"]):
    """Lines above, and a bar of the budget or the trials below. Without a console it is silent."""

    def __init__(self, console: Console | None) -> None:
        self._console, self._printed = console, time.monotonic()
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        if console and console.is_terminal:
            self._bar = Progress(
                BarColumn(30), TextColumn("{task.description}"), console=console, transient=True, expand=False
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.stop()

    def line(self, text: str) -> None:
        """Something that has happened."""
        if self._console:
            self._console.print(text, highlight=False, markup=False, soft_wrap=True)

    def state(self, share: float, text: str) -> None:
        """How things stand: the share of the budget or of the trials that is done, and a line."""
        if self._bar:
            if self._task is None:
                self._bar.start()
                self._task = self._bar.add_task("", total=1.0)
            self._bar.update(self._task, completed=share, description=text)
        elif time.monotonic() - self._printed > _PLAIN_EVERY:
            self._printed = time.monotonic()
            self.line(text)


def trial_line(trial: Trial) -> str:
    """One ended trial."""
    value = "no validation accuracy" if trial.value is None else f"val {trial.value:.2%}"
    how = "" if trial.state == "complete" else f" {trial.state} ({trial.reason})"
    return f"trial {trial.number}:{how} {value}, {duration(trial.seconds or 0.0)}  {settings_text(trial.settings)}"


def settings_text(settings: dict[str, object]) -> str:
    """The drawn settings in one line."""
    words = [f"{name}={value:g}" if isinstance(value, float) else f"{name}={value}" for name, value in settings.items()]
    return " ".join(words[:_NAMED]) + (" …" if len(words) > _NAMED else "")
