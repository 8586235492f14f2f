"""The only training loop: generation after generation, with evaluation, checkpoints and stop reasons."""

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple, Protocol

import jax
import numpy as np

from nograd.core.types import EngineError, Params
from nograd.engines.base import Engine
from nograd.generation.base import Outcome
from nograd.runs.directory import RunDirectory
from nograd.strategies.base import State
from nograd.tasks import Task


@dataclass(frozen=True)
class Progress:
    """What is carried beside the strategy's state, and saved in every checkpoint."""

    generation: int = 0
    seconds: float = 0.0  # of training: no import, compilation or test evaluation
    evaluations: int = 0  # forward passes of one example, or steps of the environment
    dropped: int = 0  # members with a NaN or infinite fitness
    val_score: float | None = None  # the last on validation, by the task's measure
    best_score: float | None = None
    best_generation: int = 0
    stale: int = 0  # evaluations since the best


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
    """Watches a training; nothing it does changes the run."""

    def generation(self, progress: Progress, line: dict[str, Any]) -> None:
        """After each generation, with its line of metrics."""


class Keeper(Protocol):
    """Where a training leaves what it found: a run directory, mostly."""

    def log(self, line: dict[str, Any]) -> None:
        """The metrics of a generation."""

    def save(self, generation: int, state: State, meta: dict[str, Any], keep: int) -> None:
        """A checkpoint, of which the last `keep` are kept."""

    def save_best(self, state: State, meta: dict[str, Any]) -> None:
        """The checkpoint with the highest validation score."""

    def close(self) -> None:
        """Nothing more comes, until something does."""


class Best(NamedTuple):
    """What is learnt with the highest validation score so far."""

    params: Params
    generation: int
    score: float


class Ending(NamedTuple):
    """How a training ended."""

    # generations, budget, target, no_improvement, interrupted, nonfinite_{parameters,fitness}, or a word of `stop`
    reason: str
    state: State
    progress: Progress
    best: Best | None  # None before the first evaluation


class Trainer:
    """One training in progress. `run()` returns when a stop reason holds; the state on disk is then whole."""

    def __init__(
        self,
        task: Task,
        engine: Engine,
        directory: Keeper,
        limits: Limits,
        identity: str,
        observer: Observer | None = None,
        stop: Callable[[], str] = lambda: "",
    ) -> None:
        self.task, self.engine, self.directory, self.limits = task, engine, directory, limits
        self.identity, self.observer, self.stop = identity, observer, stop

    def run(self, state: State, progress: Progress, best: Best | None) -> Ending:
        """Trains from `state` on. Ctrl-C, SIGTERM and a word of `stop` end it after the generation that is running."""
        saved_at = progress.generation if progress.generation else -1
        with interruptible() as interrupted, closing(self.directory):
            while not (reason := self._reached(progress)):
                start = time.perf_counter()
                try:
                    proposed, outcome = self.engine.step(state)
                except EngineError:
                    self._save(state, progress)
                    raise
                # Both stops keep state and progress from before the bad update.
                if int(outcome.info.dropped) == self.engine.generation.members:
                    reason = "nonfinite_fitness"
                elif not bool(outcome.finite):
                    reason = "nonfinite_parameters"
                if reason:
                    break
                state = proposed
                progress, line = self._measured(state, progress, outcome)
                if progress.best_generation == progress.generation:
                    best = Best(state.params, progress.generation, line[self.task.measure.val])
                progress = replace(progress, seconds=progress.seconds + time.perf_counter() - start)
                saved_at = self._recorded(state, progress, line, saved_at)
                if reason := "interrupted" if interrupted.is_set() else self.stop():
                    break
        if saved_at != progress.generation:
            self._save(state, progress)
        return Ending(reason, state, progress, best)

    def _reached(self, progress: Progress) -> str:
        """The stop reason that holds before another generation, or ""."""
        limits = self.limits
        score = progress.val_score
        if limits.target is not None and score is not None and score >= limits.target:
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
        if progress.generation % self.limits.eval_every == 0 or progress.generation == self.limits.generations:
            line |= {name: _number(value) for name, value in self.task.scores(state.params).items()}
            progress = _with_validation(progress, line[self.task.measure.val])
        return progress, line

    def _recorded(self, state: State, progress: Progress, line: dict[str, Any], saved_at: int) -> int:
        """Writes what this generation leaves on disk; returns the generation of the last checkpoint."""
        line["seconds"] = round(progress.seconds, 6)
        self.directory.log(line)
        if progress.best_generation == progress.generation:
            self.directory.save_best(state, self._meta(progress))
        if progress.generation % self.limits.checkpoint_every == 0:
            self._save(state, progress)
            saved_at = progress.generation
        if self.observer:
            self.observer.generation(progress, line)
        return saved_at

    def _save(self, state: State, progress: Progress) -> None:
        self.directory.save(progress.generation, state, self._meta(progress), self.limits.keep_checkpoints)

    def _meta(self, progress: Progress) -> dict[str, Any]:
        return {"identity": self.identity, "progress": asdict(progress)}


def restore(
    directory: RunDirectory, like: State, identity: str, checkpoint: Path | None = None
) -> tuple[State | None, Progress, Best | None]:
    """State, progress and best of a run's last checkpoint, or of the one named.

    The state is None for a run without any: it was ended before its first checkpoint, and starts over. The best
    may be from a later generation than the checkpoint, after a crash: it is of this run all the same, and is met
    again.
    """
    paths = directory.numbered()
    path = checkpoint or (paths[-1] if paths else None)
    state, progress, best = None, Progress(), None
    if path is not None:
        state, meta = directory.load(path, like, identity)
        progress = Progress(**meta["progress"])
    if directory.best.is_file():
        chosen, meta = directory.load(directory.best, like, identity)
        of = Progress(**meta["progress"])
        best = Best(chosen.params, of.best_generation, of.best_score or 0.0)
    directory.truncate_metrics(progress.generation)
    return state, progress, best


def _with_validation(progress: Progress, score: float | None) -> Progress:
    """With one score more; None, of an environment that gave a NaN, is never the best."""
    best = progress.best_score
    if score is not None and (best is None or score > best):
        return replace(progress, val_score=score, best_score=score, best_generation=progress.generation, stale=0)
    return replace(progress, val_score=score, stale=progress.stale + 1)


def _number(value: jax.Array | float | None) -> float | int | None:
    """A JSON number; null for what JSON has no number for."""
    number = None if value is None else np.asarray(value).item()
    return number if number is not None and math.isfinite(number) else None


@contextmanager
def interruptible() -> Iterator[threading.Event]:
    """An event that Ctrl-C or SIGTERM sets; a second one interrupts at once. Only the main thread can listen."""
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event
        return

    def listen(number: int, frame: FrameType | None) -> None:
        if event.is_set():
            raise KeyboardInterrupt
        event.set()

    before = {number: signal.signal(number, listen) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield event
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
