"""The only training loop: generation after generation, with evaluation, checkpoints and stop reasons."""

import math
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple, Protocol

import jax
import numpy as np

from nograd.core.clock import running_time
from nograd.core.interrupt import interruptible
from nograd.core.metrics import LOSS, Measure
from nograd.core.types import Params
from nograd.engines.base import Engine
from nograd.generation.base import Outcome
from nograd.strategies.base import State
from nograd.tasks import Task


@dataclass(frozen=True)
class Progress:
    """What is carried beside the strategy's state, and saved in every checkpoint."""

    generation: int = 0
    seconds: float = 0.0  # of training: no import, compilation or test evaluation, nor time while stopped by Ctrl-Z
    evaluations: int = 0  # forward passes of one example, or steps of the environment
    dropped: int = 0  # members with a NaN or infinite fitness
    val_score: float | None = None  # the last on validation, by the task's measure
    best_score: float | None = None
    best_generation: int = 0
    stale: int = 0  # evaluations since the best
    best_loss: float | None = None  # of the best on validation, where the task measures it: it decides between equals


class Limits(NamedTuple):
    """When to stop, and how often to look and to save."""

    generations: int
    budget: float | None  # seconds of training, over all resumptions
    target: float | None
    patience: int | None
    eval_every: int
    checkpoint_every: int
    keep_checkpoints: int


class Observer(Protocol):
    """Watches a training; nothing it does changes a generation. `nograd.testing.observer` has the laws of all.

    One that is a context manager is entered before the first generation and left after the last, also where an error
    ends the training; one with a method `finish(run)` is told of the finished run, after result.json is written.
    """

    def generation(self, progress: Progress, line: dict[str, Any]) -> str | None:
        """Called after each generation with its metrics. A returned word ends the training, and is its stop_reason."""


class TrainingStore(Protocol):
    """Where a training leaves what it found: a run directory, mostly."""

    def log(self, line: dict[str, Any]) -> None:
        """The metrics of a generation."""

    def save(self, generation: int, state: State, meta: dict[str, Any], keep: int) -> None:
        """A checkpoint, of which the last `keep` are kept."""

    def save_best(self, state: State, meta: dict[str, Any]) -> None:
        """The checkpoint with the highest validation score."""

    def amend(self, more: dict[str, Any]) -> None:
        """More of the last line of metrics: the scores of an evaluation at the very end."""

    def close(self) -> None:
        """Nothing more comes, until something does."""


class Best(NamedTuple):
    """What is learnt with the highest validation score so far."""

    params: Params
    generation: int
    score: float


class TrainingEnd(NamedTuple):
    """Why and where a training ended."""

    # generations, budget, target, no_improvement, interrupted, nonfinite_{parameters,fitness}, or a word of `stop`
    reason: str
    state: State
    progress: Progress
    best: Best | None  # None before the first evaluation


class _Position(NamedTuple):
    """Where a training stands after a whole generation; the only thing that is saved."""

    state: State
    progress: Progress
    best: Best | None
    # What a checkpoint says. The evaluation at the very end is not in it: a longer training would not have made it.
    saved: Progress


class Trainer:
    """One training in progress. `run()` returns when a stop reason holds; the state on disk is then whole.

    Whatever else ends it (an engine's error, a full disk or memory, an observer's exception, a second Ctrl-C), the
    state after the last whole generation is saved first.
    """

    def __init__(
        self,
        task: Task,
        engine: Engine,
        directory: TrainingStore,
        limits: Limits,
        identity: str,
        observer: Observer | None = None,
        stop: Callable[[], str] = lambda: "",
        grace: float | None = None,
    ) -> None:
        """
        Args:
            grace: seconds that the running generation has to end after a signal; None: as long as it takes.
        """
        self.task, self.engine, self.directory, self.limits = task, engine, directory, limits
        self.identity, self.observer, self.stop, self.grace = identity, observer, stop, grace

    def save_start(self, state: State, progress: Progress) -> None:
        """Writes a checkpoint of a state that does not follow from the seed."""
        self.directory.save(progress.generation, state, self._meta(progress), self.limits.keep_checkpoints)

    def run(self, state: State, progress: Progress, best: Best | None) -> TrainingEnd:
        """Trains from `state` on. Ctrl-C, SIGTERM, SIGHUP or a word of `stop` ends it after the running generation."""
        self._here = _Position(state, progress, best, progress)
        self._saved_at = progress.generation if progress.generation else -1
        with interruptible(self.grace) as interrupted, closing(self.directory):
            try:
                reason = self._all(interrupted)
                self._save()
            except BaseException:
                with suppress(Exception):  # the first error is the one to tell
                    self._save()
                raise
        return TrainingEnd(reason, *self._here[:3])

    def _all(self, interrupted: threading.Event) -> str:
        """Generation after generation; the stop reason."""
        if self._here.progress.generation == self.limits.generations:
            self._evaluate_the_end()
        while not (reason := self._reached(self._here.progress)):
            if reason := self._one():
                return reason
            if reason := "interrupted" if interrupted.is_set() else self.stop():
                return reason
        return reason

    def _one(self) -> str:
        """One generation; the stop reason where it fails. State and progress are then those from before it."""
        start = running_time()
        state, outcome = self.engine.step(self._here.state)
        if int(outcome.info.dropped) == self.engine.generation.members:
            return "nonfinite_fitness"
        if not bool(outcome.finite):
            return "nonfinite_parameters"
        progress, line = self._measured(state, self._here.progress, outcome)
        progress = replace(progress, seconds=progress.seconds + running_time() - start)
        line |= {"seconds": round(progress.seconds, 6)} | self._record(state, progress, line)
        if self.observer:
            self.observer.generation(self._here.progress, line)
        return ""

    def _record(self, state: State, progress: Progress, line: dict[str, Any]) -> dict[str, Any]:
        """Writes what a generation leaves on disk; returns what an evaluation at the very end adds to its line."""
        self.directory.log(line | {"seconds": round(progress.seconds, 6)})
        best = self._here.best
        if progress.best_generation == progress.generation:
            best = Best(state.params, progress.generation, progress.best_score or 0.0)
            self.directory.save_best(state, self._meta(progress))
        self._here = _Position(state, progress, best, progress)
        if progress.generation % self.limits.checkpoint_every == 0:
            self._save()
        return self._evaluate_the_end() if progress.generation == self.limits.generations else {}

    def _evaluate_the_end(self) -> dict[str, Any]:
        """An evaluation where the generations end between two of them; its scores.

        It is in metrics and result, and may find the best. A resume that goes further leaves it out again.
        """
        state, progress, best, saved = self._here
        if not progress.generation or progress.generation % self.limits.eval_every == 0:
            return {}
        self._save()  # first: it relies on the best before this evaluation
        start = running_time()
        scores = self._scores(state)
        progress = _with_validation(progress, scores, self.task.measure)
        progress = replace(progress, seconds=progress.seconds + running_time() - start)
        if progress.best_generation == progress.generation:
            best = Best(state.params, progress.generation, progress.best_score or 0.0)
            self.directory.save_best(state, self._meta(progress))
        scores["seconds"] = round(progress.seconds, 6)
        self.directory.amend(scores)
        self._here = _Position(state, progress, best, saved)
        return scores

    def _reached(self, progress: Progress) -> str:
        """The stop reason that holds before another generation, or ""."""
        limits = self.limits
        score = progress.val_score
        if limits.target is not None and score is not None and self.task.measure.reached(score, limits.target):
            return "target"
        if limits.patience is not None and progress.stale >= limits.patience:
            return "no_improvement"
        if progress.generation >= limits.generations:
            return "generations"
        if limits.budget is not None and progress.seconds >= limits.budget:
            return "budget"
        return ""

    def _measured(self, state: State, progress: Progress, outcome: Outcome) -> tuple[Progress, dict[str, Any]]:
        """The progress after a generation and its line of metrics, with scores where they are due."""
        progress = replace(
            progress,
            generation=progress.generation + 1,
            evaluations=progress.evaluations + int(outcome.evaluations),
            dropped=progress.dropped + int(outcome.info.dropped),
        )
        line: dict[str, Any] = {"generation": progress.generation, "evaluations": progress.evaluations}
        line |= {name: _number(value) for name, value in outcome.info._asdict().items()}
        line |= {
            name: _number(value) for name, value in zip(self.engine.generation.watched, outcome.watched, strict=True)
        }
        line |= {"bytes_up": self.engine.bytes_up, "bytes_down": self.engine.bytes_down}
        if progress.generation % self.limits.eval_every == 0:
            line |= self._scores(state)
            progress = _with_validation(progress, line, self.task.measure)
        return progress, line

    def _scores(self, state: State) -> dict[str, Any]:
        return {name: _number(value) for name, value in self.task.scores(state.params).items()}

    def _save(self) -> None:
        """Writes a checkpoint of where the training stands, unless there is one."""
        state, progress = self._here.state, self._here.saved
        if progress.generation != self._saved_at:
            self.directory.save(progress.generation, state, self._meta(progress), self.limits.keep_checkpoints)
            self._saved_at = progress.generation

    def _meta(self, progress: Progress) -> dict[str, Any]:
        return {"identity": self.identity, "progress": asdict(progress)}


def _with_validation(progress: Progress, scores: dict[str, Any], measure: Measure) -> Progress:
    """With one evaluation more. A score of None, of an environment that gave a NaN, is never the best.

    Of equal scores the first is the best, or where the task measures a loss too, the one with the smaller loss: few
    examples give few different accuracies, and the first network to reach one is seldom the best of them.
    """
    score, loss = scores[measure.val], scores.get(LOSS)
    if score is not None and (measure.better(score, progress.best_score) or _decides(loss, score, progress)):
        best = {"best_score": score, "best_generation": progress.generation, "best_loss": loss}
        return replace(progress, val_score=score, stale=0, **best)
    return replace(progress, val_score=score, stale=progress.stale + 1)


def _decides(loss: float | None, score: float, progress: Progress) -> bool:
    """Whether a loss makes one of two equal scores the better."""
    if score != progress.best_score or loss is None or progress.best_loss is None:
        return False
    return loss < progress.best_loss


def _number(value: jax.Array | float | None) -> float | int | None:
    """A JSON number; null for what JSON has no number for."""
    number = None if value is None else np.asarray(value).item()
    return number if number is not None and math.isfinite(number) else None
