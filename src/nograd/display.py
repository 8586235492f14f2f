"""What a person sees while a training runs: a live bar in a terminal, plain lines elsewhere."""

import time
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from nograd.formats import duration
from nograd.loop import Limits
from nograd.loop import Progress as Training
from nograd.measures import ACCURACY, Measure

_PLAIN_EVERY = 10.0  # seconds between plain lines that no evaluation calls for


class Display:
    """An observer of a training: generation, fitness, validation score, evaluations/s and time left."""

    def __init__(self, console: Console, limits: Limits, start: Training, measure: Measure = ACCURACY) -> None:
        self.console, self.limits, self.start, self.measure = console, limits, start, measure
        self._printed = time.monotonic()
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        if console.is_terminal:
            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                TextColumn("{task.completed:.0f}/{task.total:.0f}"),
                TimeElapsedColumn(),
                TimeRemainingColumn(),
                console=console,
                transient=True,
            )
            self._task = self._bar.add_task("", total=limits.generations, completed=start.generation)

    def __enter__(self) -> Self:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.stop()

    def generation(self, progress: Training, line: dict[str, Any]) -> None:
        """Moves the bar; prints a line at each evaluation, and every ten seconds where there is no bar."""
        if self._bar and self._task is not None:
            self._bar.update(self._task, completed=progress.generation, description=self._summary(progress, line))
        due = self._bar is None and time.monotonic() - self._printed > _PLAIN_EVERY
        if self.measure.val in line or due:
            self._printed = time.monotonic()
            self.console.print(self._line(progress, line), highlight=False, markup=False, soft_wrap=True)

    def _summary(self, progress: Training, line: dict[str, Any]) -> str:
        parts = [f"fitness {_format(line['fitness_mean'])}"]
        if progress.best_score is not None:
            text = self.measure.text
            parts.append(f"val {text(progress.val_score)} (best {text(progress.best_score)})")
        return ", ".join([*parts, f"{self._rate(progress):,.0f} evaluations/s"])

    def _line(self, progress: Training, line: dict[str, Any]) -> str:
        text = (
            f"generation {progress.generation:,}/{self.limits.generations:,}  {self._summary(progress, line)}"
            f"  {progress.seconds:.1f} s, {duration(self._left(progress))} left"
        )
        return text + (f"  ({line['dropped']} members dropped)" if line["dropped"] else "")

    def _rate(self, progress: Training) -> float:
        seconds = progress.seconds - self.start.seconds
        return (progress.evaluations - self.start.evaluations) / seconds if seconds > 0 else 0.0

    def _left(self, progress: Training) -> float:
        """Seconds until the first of generations and budget, at the rate so far."""
        done = progress.generation - self.start.generation
        each = (progress.seconds - self.start.seconds) / max(done, 1)
        by_generations = (self.limits.generations - progress.generation) * each
        if self.limits.budget is None:
            return by_generations
        return max(0.0, min(by_generations, self.limits.budget - progress.seconds))


def _format(value: float | None) -> str:
    return "none" if value is None else f"{value:.4g}"
