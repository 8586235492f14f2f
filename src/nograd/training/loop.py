"""The training loop: generation after generation, with evaluations, checkpoints and stop reasons."""

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
    """The counters of a training; they are saved in every checkpoint."""

    generation: int = 0
    seconds: float = 0.0  # of training, without imports, compilation, the test evaluation, and pauses by Ctrl-Z
    evaluations: int = 0  # forward passes of one example, or steps of the environment
    dropped: int = 0  # members with a NaN or infinite fitness
    val_score: float | None = None  # the latest score on the validation data, by the task's metric
    best_score: float | None = None
    best_generation: int = 0
    stale: int = 0  # evaluations since the best one
    best_loss: float | None = None  # validation loss of the best, if the task has one; decides between equal scores


class Limits(NamedTuple):
    """When a training ends, and how often it evaluates and saves."""

    generations: int
    budget: float | None  # seconds of training, over all resumptions
    target: float | None
    patience: int | None
    eval_every: int
    checkpoint_every: int
    keep_checkpoints: int


class Observer(Protocol):
    """Watches a training; nothing it does changes a generation. `nograd.testing.observer` tests implementations.

    An observer that is a context manager is entered before the first generation and exited after the last one, also
    after an error. An observer with a method `finish(run)` gets the finished run, after result.json is written.
    """

    def generation(self, progress: Progress, line: dict[str, Any]) -> str | None:
        """Called after each generation.

        Args:
            progress: the counters after this generation.
            line: its metrics, as in metrics.jsonl.

        Returns:
            None, or a word: the training then ends with this word as its stop_reason.
        """


class TrainingStore(Protocol):
    """Where a training writes metrics and checkpoints; mostly a run directory."""

    def log(self, line: dict[str, Any]) -> None:
        """Stores the metrics of a generation."""

    def save(self, generation: int, state: State, meta: dict[str, Any], keep: int) -> None:
        """Stores a checkpoint with `meta`; only the last `keep` checkpoints need to remain."""

    def save_best(self, state: State, meta: dict[str, Any]) -> None:
        """Stores the checkpoint with the highest validation score so far."""

    def amend(self, more: dict[str, Any]) -> None:
        """Adds entries to the last line of metrics: the scores of an evaluation after the last generation."""

    def close(self) -> None:
        """Closes open files; a later call may open them again."""


class Best(NamedTuple):
    """The parameters with the best validation score so far."""

    params: Params
    generation: int
    score: float


class TrainingEnd(NamedTuple):
    """How a training ended."""

    # generations, budget, target, no_improvement, interrupted, nonfinite_{parameters,fitness}, or a word from `stop`
    reason: str
    state: State
    progress: Progress
    best: Best | None  # None if there was no evaluation


class _Position(NamedTuple):
    """Where a training stands after a whole generation: what a checkpoint holds."""

    state: State
    progress: Progress
    best: Best | None
    # The counters for the checkpoint, without the evaluation at the very end, which a longer training does not make.
    saved: Progress


class Trainer:
    """Runs one training. `run()` returns when there is a stop reason, with a whole state on disk.

    Whatever else ends it (an error of the engine or observer, a full disk or memory, a second Ctrl-C), the state after
    the last whole generation is saved first.
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
            identity: text that identifies the run; it is stored in every checkpoint.
            stop: called after each generation; a word that is not empty ends the training.
            grace: seconds that the current generation may still take after a signal; None: no limit.
        """
        self.task, self.engine, self.directory, self.limits = task, engine, directory, limits
        self.identity, self.observer, self.stop, self.grace = identity, observer, stop, grace

    def save_start(self, state: State, progress: Progress) -> None:
        """Writes a checkpoint at the start, for a state that cannot be computed again from the seed."""
        self.directory.save(progress.generation, state, self._meta(progress), self.limits.keep_checkpoints)

    def run(self, state: State, progress: Progress, best: Best | None) -> TrainingEnd:
        """Trains from `state` on. A signal (Ctrl-C, SIGTERM, SIGHUP) or `stop` ends it after the current generation.

        Args:
            state: the state to go on from.
            progress: the counters at that state.
            best: the best so far; None if there was no evaluation.

        Returns:
            The stop reason, and the state, counters and best at the end.
        """
        self._here = _Position(state, progress, best, progress)
        self._saved_at = progress.generation if progress.generation else -1
        with interruptible(self.grace) as interrupted, closing(self.directory):
            try:
                reason = self._all(interrupted)
                self._save()
            except BaseException:
                with suppress(Exception):  # the first error is the one to report
                    self._save()
                raise
        return TrainingEnd(reason, *self._here[:3])

    def _all(self, interrupted: threading.Event) -> str:
        """Computes generations until there is a stop reason, and returns it."""
        if self._here.progress.generation == self.limits.generations:
            self._evaluate_the_end()
        while not (reason := self._reached(self._here.progress)):
            if reason := self._one():
                return reason
            if reason := "interrupted" if interrupted.is_set() else self.stop():
                return reason
        return reason

    def _one(self) -> str:
        """Computes one generation; returns a stop reason if it fails, and then keeps the state from before it."""
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
        """Writes metrics and checkpoints of a generation. Returns the scores of an evaluation at the very end."""
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
        """Evaluates after the last generation, if no evaluation was due there; returns its scores.

        They are part of the metrics and the result, and may be the best. A longer training, resumed from here, removes
        them.
        """
        state, progress, best, saved = self._here
        if not progress.generation or progress.generation % self.limits.eval_every == 0:
            return {}
        self._save()  # before this evaluation: the checkpoint must not know of a best that it may find
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
        """The stop reason that holds before another generation; "" if there is none."""
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
        """The counters and the metrics after a generation, with scores if an evaluation is due."""
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
        """Writes a checkpoint of the last whole generation, unless there is one."""
        state, progress = self._here.state, self._here.saved
        if progress.generation != self._saved_at:
            self.directory.save(progress.generation, state, self._meta(progress), self.limits.keep_checkpoints)
            self._saved_at = progress.generation

    def _meta(self, progress: Progress) -> dict[str, Any]:
        return {"identity": self.identity, "progress": asdict(progress)}


def _with_validation(progress: Progress, scores: dict[str, Any], measure: Measure) -> Progress:
    """The counters after one more evaluation. A score of None (the environment gave NaN) is never the best.

    Of equal scores the first is the best, unless the task also measures a loss; then the one with the smaller loss is.
    With few examples there are few different accuracies, and the first network that reaches one is seldom the best.
    """
    score, loss = scores[measure.val], scores.get(LOSS)
    if score is not None and (measure.better(score, progress.best_score) or _decides(loss, score, progress)):
        best = {"best_score": score, "best_generation": progress.generation, "best_loss": loss}
        return replace(progress, val_score=score, stale=0, **best)
    return replace(progress, val_score=score, stale=progress.stale + 1)


def _decides(loss: float | None, score: float, progress: Progress) -> bool:
    """Whether the score equals the best one and the loss is smaller than that of the best."""
    if score != progress.best_score or loss is None or progress.best_loss is None:
        return False
    return loss < progress.best_loss


def _number(value: jax.Array | float | None) -> float | int | None:
    """The value as a JSON number; None for NaN and infinities, which JSON does not have."""
    number = None if value is None else np.asarray(value).item()
    return number if number is not None and math.isfinite(number) else None
