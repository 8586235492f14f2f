"""Training without files: from a data set to the parameters and the fitness of each generation."""

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import numpy as np

from nograd.config.merge import check_given, merge
from nograd.config.settings import TrainConfig
from nograd.config.validate import validate
from nograd.core.forked import refuse_fork
from nograd.core.runtime import use_one_thread
from nograd.core.types import Params
from nograd.data import Dataset
from nograd.engines.inline import Inline
from nograd.engines.programs import Program
from nograd.generation.base import run_keys
from nograd.models import Builder, Model, build_model
from nograd.models.resolve import resolve_model
from nograd.sklearn.weighted import Weighted
from nograd.tasks.fitness import resolve_fitness
from nograd.tasks.supervised import Supervised, supervised
from nograd.tasks.target_kinds import targets_of
from nograd.training.factories import make_strategy
from nograd.training.in_memory import Memory
from nograd.training.initial import begun_with, initial_of
from nograd.training.job import Job
from nograd.training.loop import Limits, Progress, Trainer


class Trained(NamedTuple):
    """The result of a training."""

    params: Params  # a tree of NumPy arrays
    fitness: list[float]  # the mean fitness of the population in each generation
    settings: TrainConfig


_KEPT = 32
_PROGRAMS: dict[Any, Mapping[str, Program]] = {}  # in the order of their last use


def train_in_memory(dataset: Dataset, given: dict[str, Any], model: Any, weights: np.ndarray | None) -> Trained:
    """Trains on all training examples and returns the parameters after the last generation.

    Args:
        dataset: only its training examples are used.
        given: settings by name.
        model: a name, a builder or a `Model`.
        weights: of the training examples; None if all count the same.
    Raises:
        NogradError: a setting is not valid, or the model does not fit the data.
    """
    use_one_thread()
    refuse_fork()
    words, init = begun_with({**given, "task": "arrays", "engine": "inline"})
    config = validate(merge(check_given(words), None))
    job = _job(config, dataset, model, weights, init)
    engine, memory = _engine(job, dataset, model, weights is not None), Memory()
    limits = Limits(config.generations, None, None, None, config.generations + 1, config.generations + 1, 1)
    ending = _Quiet(job.task, engine, memory, limits, "").run(job.init_state(), Progress(), None)
    params = jax.tree.map(np.asarray, ending.state.params)
    return Trained(params, [line["fitness_mean"] for line in memory.lines], job.config)


class _Quiet(Trainer):
    """A training without the evaluation after its last generation, as its scores are not used."""

    def _evaluate_the_end(self) -> dict[str, Any]:
        return {}


def _engine(job: Job, data: Dataset, model: Any, weighted: bool) -> Inline:
    """The engine of a job. Its compiled programs are kept for later jobs of the same shapes, such as other folds."""
    config = job.config
    settings = replace(config, seed=0, generations=1 if config.lr_schedule == "constant" else config.generations)
    key = (settings, model, weighted, data.x_train.shape, data.y_train.shape, data.y_train.dtype, data.classes)
    try:
        known = _PROGRAMS.get(key)
    except TypeError:  # the model is not hashable
        return Inline(job.generation, job.state_shapes(), job.keys)
    engine = Inline(job.generation, job.state_shapes(), job.keys, programs=known)
    _PROGRAMS.pop(key, None)
    _PROGRAMS[key] = engine.programs
    if len(_PROGRAMS) > _KEPT:
        _PROGRAMS.pop(next(iter(_PROGRAMS)))
    return engine


def _job(config: TrainConfig, dataset: Dataset, model: Any, weights: np.ndarray | None, init: Any) -> Job:
    task = _task(config, dataset, model, weights)
    strategy = make_strategy(config)
    local = task.population(strategy.perturbation, strategy.chunks)
    return Job(config, task, strategy, local, run_keys(config.seed), initial=initial_of(config, init, task))


def _task(config: TrainConfig, dataset: Dataset, model: Any, weights: np.ndarray | None) -> Supervised:
    kind = targets_of(dataset)
    width = kind.width(dataset)
    fitness = resolve_fitness(config.fitness or next(iter(kind.fitnesses)), kind.fitnesses)
    built = network(model, dataset.x_train.shape[1:], width)
    batch = min(config.batch or 256, len(dataset.x_train))
    if weights is None:
        return supervised(dataset, built, fitness, batch, targets=kind)
    weighted = Weighted(kind, width)
    y = np.column_stack([dataset.y_train.astype(np.float32), weights.astype(np.float32)])
    return supervised(dataset._replace(y_train=y), built, weighted.fitness(fitness), batch, targets=weighted)


def network(model: Any, shape: tuple[int, ...], outputs: int) -> Model:
    """The network for a name, a builder or a `Model`; cached, so that it is compiled only once."""
    try:
        return _network(model, shape, outputs)
    except TypeError:  # the model is not hashable
        return _built(model, shape, outputs)


def _built(model: str | Model | Builder, shape: tuple[int, ...], outputs: int) -> Model:
    return build_model(resolve_model(model) if isinstance(model, str) else model, shape, outputs)


_network = lru_cache(64)(_built)
