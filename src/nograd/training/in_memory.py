"""A training that writes nothing to disk."""

from collections.abc import Callable
from typing import Any

from nograd.strategies.base import State
from nograd.training.engine import engine_of
from nograd.training.job import Job
from nograd.training.loop import Limits, Observer, Progress, Trainer, TrainingEnd


class Memory:
    """A `TrainingStore` that keeps the metrics in this process and writes nothing."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []

    def log(self, line: dict[str, Any]) -> None:
        """Keeps the metrics of a generation."""
        self.lines.append(line)

    def save(self, generation: int, state: State, meta: dict[str, Any], keep: int) -> None:
        """Does nothing: `TrainingEnd` has the last state."""

    def save_best(self, state: State, meta: dict[str, Any]) -> None:
        """Does nothing: `TrainingEnd` has the best parameters."""

    def amend(self, more: dict[str, Any]) -> None:
        """Adds these entries to the last line of metrics."""
        self.lines[-1] |= more

    def close(self) -> None:
        """Does nothing: no file is open."""


def train_in_memory(
    job: Job, limits: Limits, observer: Observer, stop: Callable[[], str]
) -> tuple[TrainingEnd, list[dict[str, Any]]]:
    """Trains from generation 0 on. Returns how the training ended, and one line of metrics per generation."""
    memory, engine = Memory(), engine_of(job)
    try:
        ending = Trainer(job.task, engine, memory, limits, "", observer, stop).run(job.init_state(), Progress(), None)
    finally:
        engine.close()
    return ending, memory.lines
