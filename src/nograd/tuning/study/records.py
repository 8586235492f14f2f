"""A study on disk as plain values: what `nograd search` writes, and what tables, statistics and reports read."""

import math
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

from nograd.core.metrics import ACCURACY, Measure
from nograd.core.text import duration

# running: no end is recorded; stopped: the budget ended it, and its value is what it had learnt by then.
TrialState: TypeAlias = Literal["running", "complete", "pruned", "stopped", "failed"]
RangeKind: TypeAlias = Literal["uniform", "log", "int", "log_int", "choice", "fixed", "chi"]
Condition: TypeAlias = tuple[str, tuple[Any, ...]]  # (parent, its values)


class Dimension(NamedTuple):
    """One searched setting and its distribution."""

    name: str  # of the field of TrainConfig
    kind: RangeKind
    low: float | int | None = None  # with both ends, for uniform, log, int and log_int
    high: float | int | None = None
    choices: tuple[Any, ...] = ()  # for choice, and the one value of fixed
    when: tuple[Condition, ...] = ()  # it is drawn only where each of them holds


class Trial(NamedTuple):
    """One configuration, trained once."""

    number: int
    state: TrialState
    settings: dict[str, Any]  # the searched settings, by name
    value: float | None  # the best validation score; None before the first evaluation
    curve: list[tuple[int, float]]  # (generation, validation score)
    worker: str  # who ran it
    start: float | None  # seconds of the study's work before it began, over all invocations
    seconds: float | None  # that it took, compilation included
    reason: str | None  # the stop reason of the training, or the one line of its failure
    standard_error: float | None = None  # of the value, where the task measured it


def place(trial: Trial, measure: Measure) -> tuple[float, int]:
    """What trials are sorted by, the best first: those without a value last, and equal ones in the order of numbers."""
    return math.inf if trial.value is None else -measure.goodness(trial.value), trial.number


class Winner(NamedTuple):
    """The chosen configuration, trained again on fresh seeds; the only one that the test split is used for."""

    trial: int
    settings: dict[str, Any]  # all defining settings, as in best.toml
    seeds: list[int]
    val_scores: list[float]  # of each seed
    test_scores: list[float]
    test_intervals: list[tuple[float | None, float | None]]  # 95%; None where it is not known


class Study(NamedTuple):
    """A search: its space, its trials, its winner."""

    path: Path
    name: str
    task: str
    space: list[Dimension]
    search: dict[str, Any]  # the settings of the search: sampler, pruner, budget, generations, workers …
    base: dict[str, Any]  # the settings that all trials share
    validation: int  # examples or episodes that a value is the mean over
    budget_seconds: float | None
    spent_seconds: float  # over all invocations
    trials: list[Trial]  # by number
    winner: Winner | None
    measure: Measure = ACCURACY  # what a value is

    def __repr__(self) -> str:
        """The study in one line: its task, its trials, the best value and the winner."""
        values = [trial.value for trial in self.trials if trial.value is not None]
        best = self.measure.best(values)
        parts = [f"{self.task}, {len(self.trials):,} trials in {duration(self.spent_seconds)}"]
        parts += [] if best is None else [f"best val {self.measure.what} {self.measure.text(best)}"]
        if self.winner:
            tests = ", ".join(map(self.measure.text, self.winner.test_scores))
            parts.append(f"winner trial {self.winner.trial}" + (f", test {self.measure.what} {tests}" if tests else ""))
        return f"<nograd study {str(self.path)!r}: {'; '.join(parts)}>"
