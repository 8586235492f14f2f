"""Makes perturbation, strategy and optimizer from the settings."""

from inspect import signature
from typing import Any

import optax

from nograd.config.axes import OPTIMIZERS, PERTURBATIONS, STRATEGIES
from nograd.config.dependencies import PERTURBATION, STRATEGY
from nograd.config.settings import DEFAULT_POPULATION, TrainConfig
from nograd.config.task_settings import is_environment
from nograd.config.validate import top_directions
from nograd.core.types import ConfigError
from nograd.perturbations.base import Perturbation
from nograd.perturbations.dense import as_dense
from nograd.strategies.base import Strategy


def make_perturbation(config: TrainConfig) -> Perturbation:
    """The perturbation that the config names, made with the settings that this kind reads."""
    word = config.perturbation or PERTURBATION.default
    reads = PERTURBATIONS.entry(word).reads
    given: dict[str, Any] = {name: getattr(config, name) for name in ("sigma", "noise", "mirrored", *reads)}
    if "group" in reads:
        group = given["group"] = 0 if is_environment(config.task) else config.group
        whole = population_of(config) // (2 if config.mirrored else 1)
        given["directions"] = config.directions if group else whole
    return PERTURBATIONS.builder(word)(**given)


def make_strategy(
    config: TrainConfig,
    perturbation: Perturbation | None = None,
    optimizer: optax.GradientTransformation | None = None,
) -> Strategy:
    """The strategy that the config names.

    Its function gets the settings that are both among its arguments and read by strategies of this name.

    Args:
        config: the settings.
        perturbation: replaces the one in the config.
        optimizer: replaces the one in the config.

    Raises:
        ConfigError: a setting is out of its range, or the strategy was a Python object that must be given again.
    """
    word = config.strategy or STRATEGY.default
    if word.startswith("("):
        raise ConfigError(f"the strategy of this run is {word}; give it: nograd.train(resume=…, strategy=…)")
    perturbation = perturbation or make_perturbation(config)
    build, reads = STRATEGIES.builder(word), STRATEGIES.entry(word).reads
    given: dict[str, Any] = {name: getattr(config, name) for name in reads} | {
        "perturbation": perturbation,
        "population": population_of(config) if as_dense(perturbation) else None,
        "chunks": config.chunks,
    }
    if "optimizer" in reads:
        given["optimizer"] = optimizer or make_optimizer(config)
        given["weight_decay"] = (config.weight_decay or 0.0) if optimizer or not _decays_itself(config) else 0.0
    if "top" in reads:
        given["top"] = top_directions(config)
    takes = signature(build).parameters
    return build(**{name: value for name, value in given.items() if name in takes and name != "mirrored"})


def population_of(config: TrainConfig) -> int:
    """Number of members in a generation, if the perturbation lets the user choose it."""
    return config.population or DEFAULT_POPULATION


_HALVED = 50  # generations after which the schedule "inverse" has halved the learning rate


def _schedule(config: TrainConfig) -> float | optax.Schedule:
    if config.lr_schedule == "constant":
        return config.lr
    if config.lr_schedule == "linear":
        return optax.linear_schedule(config.lr, 0.0, config.generations)
    if config.lr_schedule == "inverse":
        return lambda step: config.lr / (1 + step / _HALVED)
    return optax.cosine_decay_schedule(config.lr, config.generations)


def make_optimizer(config: TrainConfig) -> optax.GradientTransformation:
    """The Optax optimizer that the config names, made with the settings among its arguments."""
    build = OPTIMIZERS.builder(config.optimizer)
    given = {"lr": _schedule(config), "momentum": config.momentum, "weight_decay": config.weight_decay or 0.0}
    return build(**{name: value for name, value in given.items() if name in signature(build).parameters})


def _decays_itself(config: TrainConfig) -> bool:
    """Whether the optimizer decays the weights itself (decoupled weight decay)."""
    return "weight_decay" in signature(OPTIMIZERS.builder(config.optimizer)).parameters
