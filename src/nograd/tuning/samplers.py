"""Samplers and pruners: words to Optuna's objects. Random draws follow from the seed and the trial's number."""

import warnings
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import optuna

from nograd.tuning.dimension import value_at
from nograd.tuning.space import random_value
from nograd.tuning.study.records import Dimension

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial


def suggest(trial: optuna.trial.BaseTrial, dimension: Dimension) -> Any:
    """The dimension's value in a trial, by the study's sampler. Optuna's own samplers know only the range of `chi`."""
    name, low, high, kind = dimension.name, dimension.low, dimension.high, dimension.kind
    if kind == "fixed":
        return dimension.choices[0]
    if kind == "choice":
        return trial.suggest_categorical(name, dimension.choices)
    assert low is not None  # parse_dimension saw to it
    assert high is not None
    if isinstance(low, int):
        return trial.suggest_int(name, low, int(high), log=kind == "log_int")
    return trial.suggest_float(name, low, high, log=kind == "log")


class Addressed(optuna.samplers.BaseSampler):
    """Trial k's settings as a function of k: `values(k)` gives each dimension's value."""

    def __init__(self, space: Sequence[Dimension], values: Callable[[int], Callable[[Dimension], Any]]) -> None:
        self._space, self._values = {dimension.name: dimension for dimension in space}, values

    def infer_relative_search_space(self, study: optuna.Study, trial: "FrozenTrial") -> dict[str, "BaseDistribution"]:
        """{}: each setting is drawn by itself."""
        return {}

    def sample_relative(
        self, study: optuna.Study, trial: "FrozenTrial", search_space: dict[str, "BaseDistribution"]
    ) -> dict[str, Any]:
        """{}: no setting is drawn together with others."""
        return {}

    def sample_independent(
        self, study: optuna.Study, trial: "FrozenTrial", param_name: str, param_distribution: "BaseDistribution"
    ) -> Any:
        """The value at this trial's address."""
        return self._values(trial.number)(self._space[param_name])


def make_sampler(name: str, space: Sequence[Dimension], seed: int, salt: int) -> optuna.samplers.BaseSampler:
    """The sampler of this name.

    Args:
        name: random, qmc, tpe or cmaes.
        space: parents before children.
        seed: the study's.
        salt: a number of this session, for samplers with a random stream: two sessions must not draw the same.
    """
    if name == "random":
        return Addressed(space, lambda number: random_value(seed, number))
    if name == "qmc":
        return Addressed(space, lambda number: _sobol_value(space, seed, number))
    with warnings.catch_warnings():  # what Optuna calls experimental
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        if name == "tpe":
            return optuna.samplers.TPESampler(seed=seed ^ salt, constant_liar=True)
        return optuna.samplers.CmaEsSampler(seed=seed ^ salt, warn_independent_sampling=False)


def make_pruner(name: str, eval_every: int, generations: int) -> optuna.pruners.BasePruner:
    """The pruner of this name; its steps are generations."""
    if name == "median":
        return optuna.pruners.MedianPruner()
    if name == "hyperband":
        return optuna.pruners.HyperbandPruner(min_resource=eval_every, max_resource=max(generations, eval_every))
    return optuna.pruners.NopPruner()


def _sobol_value(space: Sequence[Dimension], seed: int, number: int) -> Callable[[Dimension], Any]:
    """Point `number` of a scrambled Sobol sequence (Owen 1998), a coordinate a dimension."""
    point = dict(zip([dimension.name for dimension in space], _sobol_point(len(space), seed, number), strict=True))
    return lambda dimension: value_at(dimension, point[dimension.name])


@lru_cache(maxsize=8)
def _sobol_point(size: int, seed: int, number: int) -> tuple[float, ...]:
    from scipy.stats import qmc

    sequence = qmc.Sobol(size, scramble=True, rng=seed)
    if number:  # it cannot go forward by nothing
        sequence.fast_forward(number)
    return tuple(float(u) for u in sequence.random(1)[0])
