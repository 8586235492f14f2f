"""The display of a running training: a block that is redrawn in a terminal or notebook, else lines of text."""

from typing import TYPE_CHECKING, Any, Literal

from rich.console import Console

from nograd.config.task_settings import is_environment, seen_by_member
from nograd.core.console import ProgressDisplay, standard_console
from nograd.core.metrics import ACCURACY, Measure
from nograd.core.text import compact, duration
from nograd.training.loop import Limits
from nograd.training.loop import Progress as Training

if TYPE_CHECKING:
    from nograd.training.train import Start

Show = bool | Literal["auto"]

_BESTS_EVERY = 3.0  # least number of seconds between two lines about a new best score, above a redrawn block
_CURVE = 400  # largest number of values from which the small curve is drawn


def shown(start: "Start", show: Show = True) -> list["TrainingDisplay"]:
    """Prints what is trained, and returns the display of the training on standard output; none if it is not wanted.

    Args:
        start: what is known when the training begins.
        show: whether it is wanted; "auto": only in a terminal or a notebook.
    """
    if show is False:
        return []
    console = standard_console()
    if show == "auto" and not (console.is_terminal or console.is_jupyter):
        return []
    display = TrainingDisplay(console, start.limits, start.progress, start.job.task.measure)
    for line in announcement(start):
        display.line(line)
    return [display]


def announcement(start: "Start") -> list[str]:
    """Some lines of text: what is trained, on which data, by how many workers, and where it is written."""
    config, progress, members = start.job.config, start.progress, start.job.generation.members
    seen = seen_by_member(config.episodes if is_environment(config.task) else None, config.batch)
    lines = [start.job.task.note, *(f"  {line}" for line in start.summary)]
    lines.append(
        f"model: {config.model}, {start.parameters:,} parameters; {config.strategy}, {config.perturbation} "
        f"perturbation, population {members:,}{' in mirrored pairs' if config.mirrored else ''} on {seen}"
    )
    if start.job.initial:
        lines.append(f"begins with the parameters of {start.job.initial.origin}")
    if start.workers > 1:
        lines.append(f"workers: {start.workers}, each a {start.worker}")
    if start.job.local and (names := start.job.local.fallbacks):
        lines.append(
            f"dense noise of their own, as {config.perturbation} has no rule for where they stand: {', '.join(names)}"
        )
    lines.append(
        f"run: {start.directory.path}" + (f", from generation {progress.generation:,}" if config.resume else "")
    )
    return lines


class TrainingDisplay(ProgressDisplay):
    """An observer that shows the latest and the best score, evaluations per second, and the time left.

    Before the first evaluation, and without validation data, it shows the mean fitness of the population.
    """

    def __init__(self, console: Console | None, limits: Limits, start: Training, measure: Measure = ACCURACY) -> None:
        super().__init__(console, total=limits.generations, completed=start.generation)
        self.limits, self.start, self.measure = limits, start, measure
        self._curve: list[float] = []
        self._of_scores = False  # whether the curve shows validation scores (True) or fitness (False)

    def generation(self, progress: Training, line: dict[str, Any]) -> None:
        """Redraws the block, and prints a line at a new best. Without a block: a line per evaluation, or every 10 s."""
        scored = self.measure.val in line
        if scored and not self._of_scores:
            self._curve, self._of_scores = [], True
        if scored or not self._of_scores:
            self._keep(line.get(self.measure.val if scored else "fitness_mean"))
        left = duration(self._left(progress))
        count = f"{progress.generation:,}/{self.limits.generations:,}"
        parts = [*self._scores(progress, line), f"{compact(self._rate(progress))}/s", *_dropped(line)]
        self.move(progress.generation, f"{count}, {left} left", parts, self._curve)
        if self.redrawn:
            best = scored and progress.best_generation == progress.generation and self.since_line > _BESTS_EVERY
        else:
            best = scored or self.due
        if best:
            self.line(self._line(progress, line, count, left), state=True)

    def _keep(self, value: float | None) -> None:
        """Adds a value to the curve. If it has too many values, every second one is removed."""
        if value is None:
            return
        if len(self._curve) >= _CURVE:
            del self._curve[1::2]
        self._curve.append(value)

    def _scores(self, progress: Training, line: dict[str, Any]) -> list[str]:
        """The latest and the best score, as text."""
        text = self.measure.text
        if progress.best_score is None:
            fitness = line["fitness_mean"]
            return [f"fitness {'none' if fitness is None else format(fitness, '.3g')}"]
        return [f"val {self.measure.what} {text(progress.val_score)}", f"best {text(progress.best_score)}"]

    def _line(self, progress: Training, line: dict[str, Any], count: str, left: str) -> str:
        scores = self._scores(progress, line)
        if self.redrawn:  # it is a new best, and the block below says the rest
            return "  ".join([f"generation {count}", scores[0], f"{progress.seconds:.1f} s"])
        parts = [
            *scores,
            f"{compact(self._rate(progress))} evaluations/s",
            f"{progress.seconds:.1f} s, {left} left",
        ]
        return "  ".join([f"generation {count}", *parts, *_dropped(line)])

    def _rate(self, progress: Training) -> float:
        seconds = progress.seconds - self.start.seconds
        return (progress.evaluations - self.start.evaluations) / seconds if seconds > 0 else 0.0

    def _left(self, progress: Training) -> float:
        """Seconds until the generations or the time budget are used up, whichever is first, at the speed so far."""
        done = progress.generation - self.start.generation
        each = (progress.seconds - self.start.seconds) / max(done, 1)
        by_generations = (self.limits.generations - progress.generation) * each
        if self.limits.budget is None:
            return by_generations
        return max(0.0, min(by_generations, self.limits.budget - progress.seconds))


def _dropped(line: dict[str, Any]) -> list[str]:
    return [f"({line['dropped']} members dropped)"] if line["dropped"] else []
