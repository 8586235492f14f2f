"""What a person sees while a training runs: a live bar in a terminal, plain lines elsewhere."""

from typing import Any

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from nograd.core.console import ProgressDisplay
from nograd.core.metrics import ACCURACY, Measure
from nograd.core.text import duration
from nograd.training.loop import Limits
from nograd.training.loop import Progress as Training


class TrainingDisplay(ProgressDisplay):
    """An observer of a training: generation, fitness, validation score, evaluations/s and time left."""

    def __init__(self, console: Console, limits: Limits, start: Training, measure: Measure = ACCURACY) -> None:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed:.0f}/{task.total:.0f}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        super().__init__(console, *columns, total=limits.generations, completed=start.generation)
        self.limits, self.start, self.measure = limits, start, measure

    def generation(self, progress: Training, line: dict[str, Any]) -> None:
        """Moves the bar; prints a line at each evaluation, and every ten seconds where there is no bar."""
        self.move(progress.generation, self._summary(progress, line))
        if self.measure.val in line or self.due:
            self.line(self._line(progress, line), state=True)

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
