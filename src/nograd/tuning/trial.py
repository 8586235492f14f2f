"""One training of a search: without a run directory, without the test split unless asked, and stoppable."""

import time
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

from nograd.config.settings import TrainConfig
from nograd.config.validate import validate
from nograd.core.metrics import Measure
from nograd.core.types import NogradError
from nograd.engines.inline import Inline
from nograd.strategies.base import State
from nograd.tasks.kinds import Source, load_source
from nograd.training.job import build_job
from nograd.training.loop import Progress, Trainer
from nograd.training.train import limits_of
from nograd.tuning.study.records import TrialState

_OFTEN = 1.0  # seconds between two messages about progress
# By stop reason; any other is a failure.
STATES: dict[str, TrialState] = {
    "generations": "complete",
    "target": "complete",
    "no_improvement": "complete",
    "pruned": "pruned",
    "budget": "stopped",
    "interrupted": "stopped",
}

# (generation, validation score or None, its standard error or None): what a training says of itself while it goes.
Say = Callable[[int, float | None, float | None], None]


class TrialRequest(NamedTuple):
    """A training that a worker is asked for."""

    settings: dict[str, Any]  # of a TrainConfig
    test: bool = False  # whether the chosen parameters are scored on the test split at the end


class TrialEnd(NamedTuple):
    """How it ended."""

    state: TrialState
    value: float | None  # the best validation score; None before the first evaluation
    reason: str  # the stop reason of the training, or the one line of its failure
    figures: dict[str, Any] = {}  # noqa: RUF012  # of the test split, where asked for


class _NoStore:
    """Keeps nothing: 500 trials would fill a disk with checkpoints that nobody reads."""

    def log(self, line: dict[str, Any]) -> None:
        pass

    def save(self, generation: int, state: State, meta: dict[str, Any], keep: int) -> None:
        pass

    def save_best(self, state: State, meta: dict[str, Any]) -> None:
        pass

    def amend(self, more: dict[str, Any]) -> None:
        pass

    def close(self) -> None:
        pass


class _ProgressSender:
    """An observer that passes on every evaluation, and a sign of progress now and then."""

    def __init__(self, say: Say, measure: Measure) -> None:
        self._say, self._measure, self._said = say, measure, time.monotonic()

    def generation(self, progress: Progress, line: dict[str, Any]) -> None:
        score = line.get(self._measure.val)
        if score is not None or time.monotonic() - self._said > _OFTEN:
            self._said = time.monotonic()
            self._say(progress.generation, score, line.get(self._measure.error))


def outcome(job: TrialRequest, say: Say, stop: Callable[[], str]) -> TrialEnd:
    """How a training ended, where an error of any kind is one way to end.

    Raises:
        EOFError, BrokenPipeError: the parent process has ended.
    """
    try:
        return run_job(job, say, stop)
    except (EOFError, BrokenPipeError):
        raise
    except NogradError as error:
        return TrialEnd("failed", None, str(error))
    except Exception as error:  # out of memory, mostly; the next training has other settings
        text = str(error).strip().partition("\n")[0]
        return TrialEnd("failed", None, f"{type(error).__name__}: {text}")


def run_job(job: TrialRequest, say: Say, stop: Callable[[], str]) -> TrialEnd:
    """Trains on this process alone; the same bits as `nograd train` with the same settings.

    Args:
        job: what to train.
        say: called with each evaluation, and now and then in between.
        stop: called after each generation; a reason that is not empty ends the training.

    Raises:
        NogradError: something is wrong with the settings, the data or the model.
    """
    config = validate(TrainConfig(**job.settings))
    built = build_job(config, source_of(config))
    engine = Inline(built.generation, built.state_shapes(), built.keys)
    trainer = Trainer(
        built.task, engine, _NoStore(), limits_of(config), "", _ProgressSender(say, built.task.measure), stop
    )
    ending = trainer.run(built.init_state(), Progress(), None)
    value = ending.best.score if ending.best else None
    state = STATES.get(ending.reason, "failed")
    chosen = ending.best.params if ending.best else ending.state.params
    tested = built.task.tested(chosen) if job.test and state == "complete" else {}
    return TrialEnd(state, value, ending.reason, tested)


def source_of(config: TrainConfig) -> Source:
    """The data or the environment of a config, made once a process."""
    return _source(**{name: getattr(config, name) for name in _FROM})


_FROM = (
    "task", "data_dir", "label", "split_seed", "standardize", "env_options", "problem",
    "columns", "drop", "kinds", "split", "test", "val", "size",
)  # fmt: skip


@lru_cache(maxsize=2)
def _source(**words: Any) -> Source:
    return load_source(TrainConfig(**words))
