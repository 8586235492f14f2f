"""One training of a search: no run directory, no test split but for a winner, and an end that can be asked for."""

import time
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

from nograd.build import build_job, load_dataset
from nograd.config import TrainConfig, validate
from nograd.data import Dataset
from nograd.engines.inline import Inline
from nograd.loop import Ending, Progress, Trainer
from nograd.results import proportion
from nograd.search.records import TrialState
from nograd.session import limits_of
from nograd.strategies.strategy import State
from nograd.tasks.supervised import split_accuracy

_OFTEN = 1.0  # seconds between two words of progress
# By stop reason; any other is a failure.
STATES: dict[str, TrialState] = {
    "generations": "complete",
    "target": "complete",
    "no_improvement": "complete",
    "pruned": "pruned",
    "budget": "stopped",
    "interrupted": "stopped",
}

# (generation, validation accuracy or None): what a training says of itself while it goes.
Say = Callable[[int, float | None], None]


class Job(NamedTuple):
    """What a worker is asked for."""

    settings: dict[str, Any]  # of a TrainConfig
    test: bool = False  # whether the chosen parameters meet the test split at the end


class Ended(NamedTuple):
    """How it ended."""

    state: TrialState
    value: float | None  # the best validation accuracy; None before the first evaluation
    reason: str  # the stop reason of the training, or the one line of its failure
    figures: dict[str, Any] = {}  # noqa: RUF012  # of the test split, where asked for


class _Unkept:
    """Keeps nothing: 500 trials would fill a disk with checkpoints that nobody reads."""

    def log(self, line: dict[str, Any]) -> None:
        pass

    def save(self, generation: int, state: State, meta: dict[str, Any], keep: int) -> None:
        pass

    def save_best(self, state: State, meta: dict[str, Any]) -> None:
        pass

    def close(self) -> None:
        pass


class _Teller:
    """An observer that passes on every evaluation, and a sign of progress now and then."""

    def __init__(self, say: Say) -> None:
        self._say, self._said = say, time.monotonic()

    def generation(self, progress: Progress, line: dict[str, Any]) -> None:
        accuracy = line.get("val_accuracy")
        if accuracy is not None or time.monotonic() - self._said > _OFTEN:
            self._said = time.monotonic()
            self._say(progress.generation, accuracy)


def run_job(job: Job, say: Say, stop: Callable[[], str]) -> Ended:
    """Trains on this process alone; the same bits as `nograd train` with the same settings.

    Args:
        job: what to train.
        say: told of the training while it goes.
        stop: asked after each generation; a word ends it there.

    Raises:
        NogradError: the settings, the data or the model cannot be.
    """
    config = validate(TrainConfig(**job.settings))
    built = build_job(config, dataset_of(config))
    engine = Inline(built.generation, built.state_shapes(), built.keys)
    trainer = Trainer(built.task, engine, _Unkept(), limits_of(config), "", _Teller(say), stop)
    ending = trainer.run(built.init_state(), Progress(), None)
    value = ending.best.score if ending.best else None
    state = STATES.get(ending.reason, "failed")
    tested = _tested(built.task, ending) if job.test and state == "complete" else {}
    return Ended(state, value, ending.reason, tested)


def dataset_of(config: TrainConfig) -> Dataset:
    """The data of a config, read once a process."""
    return _dataset(config.task, config.data_dir, config.label, config.split_seed, config.standardize)


@lru_cache(maxsize=2)
def _dataset(task: str, data_dir: str | None, label: str | None, split_seed: int | None, standardize: Any) -> Dataset:
    where: dict[str, Any] = {"data_dir": data_dir, "label": label, "standardize": standardize}
    return load_dataset(TrainConfig(task=task, split_seed=split_seed, **where))


def _tested(task: Any, ending: Ending) -> dict[str, Any]:
    """Accuracy of the parameters that validation chose on the test split, with its 95% interval."""
    chosen = ending.best.params if ending.best else ending.state.params
    examples = len(task.dataset.y_test)
    figures = proportion(round(split_accuracy(task, chosen, "test") * examples), examples)
    return {"test_accuracy": figures["accuracy"], "test_interval": figures["interval"]}
