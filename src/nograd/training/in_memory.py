"""A training that leaves nothing on disk."""

from collections.abc import Callable
from typing import Any

from nograd.strategies.base import State
from nograd.training.engine import engine_of
from nograd.training.job import Job
from nograd.training.loop import Limits, Observer, Progress, Trainer, TrainingEnd


class Memory:
    """Where a training leaves its lines of metrics in this process; a `TrainingStore`."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []

    def log(self, line: dict[str, Any]) -> None:
        """Keeps it."""
        self.lines.append(line)

    def save(self, generation: int, state: State, meta: dict[str, Any], keep: int) -> None:
        """The state is in the ending."""

    def save_best(self, state: State, meta: dict[str, Any]) -> None:
        """The best is in the ending too."""

    def amend(self, more: dict[str, Any]) -> None:
        """Adds to the last line."""
        self.lines[-1] |= more

    def close(self) -> None:
        """Nothing is open."""


def train_in_memory(
    job: Job, limits: Limits, observer: Observer, stop: Callable[[], str]
) -> tuple[TrainingEnd, list[dict[str, Any]]]:
    """Trains from generation 0 on; how it ended, and its lines of metrics."""
    memory, engine = Memory(), engine_of(job)
    try:
        ending = Trainer(job.task, engine, memory, limits, "", observer, stop).run(job.init_state(), Progress(), None)
    finally:
        engine.close()
    return ending, memory.lines
