"""From words to objects: perturbation, strategy and optimizer."""

from typing import Any

import optax

from nograd.config.settings import DEFAULT_POPULATION, TrainConfig
from nograd.config.task_settings import is_environment
from nograd.config.validate import top_directions
from nograd.core.text import did_you_mean
from nograd.core.types import ConfigError
from nograd.perturbations.base import Perturbation
from nograd.perturbations.dense import as_dense, dense
from nograd.perturbations.lowrank import lowrank
from nograd.perturbations.node import node
from nograd.strategies.ars import ars
from nograd.strategies.base import Strategy
from nograd.strategies.openai_es import openai_es
from nograd.strategies.pgpe import pgpe
from nograd.strategies.sep_cma_es import sep_cma_es
from nograd.strategies.snes import snes


def make_perturbation(config: TrainConfig) -> Perturbation:
    """The perturbation that the config names."""
    if config.perturbation in (None, "dense"):
        return dense(config.sigma, config.noise, config.mirrored)
    same: dict[str, Any] = {"noise": config.noise, "mirrored": config.mirrored, "densify": config.densify}
    if config.perturbation == "node":
        return node(config.sigma, config.directions, **same)
    group = 0 if is_environment(config.task) else config.group
    directions = config.directions if group else population_of(config) // (2 if config.mirrored else 1)
    return lowrank(config.rank, config.sigma, directions, group, **same)


def make_strategy(
    config: TrainConfig,
    perturbation: Perturbation | None = None,
    optimizer: optax.GradientTransformation | None = None,
) -> Strategy:
    """The strategy that the config names, with this perturbation and this optimizer in place of the config's."""
    perturbation = perturbation or make_perturbation(config)
    common: dict[str, Any] = {
        "population": population_of(config) if as_dense(perturbation) else None,
        "perturbation": perturbation,
        "chunks": config.chunks,
    }
    if config.strategy == "snes":
        return snes(lr=config.lr, lr_sigma=config.lr_sigma, **common)
    if config.strategy == "sep-cma-es":
        return sep_cma_es(**common)
    decoupled = config.optimizer in ("adamw", "lion")
    common["optimizer"] = optimizer or make_optimizer(config)
    common["weight_decay"] = 0.0 if decoupled else config.weight_decay
    if config.strategy == "ars":
        return ars(top=top_directions(config), **common)
    if config.strategy == "pgpe":
        return pgpe(shaping=config.shaping, lr_sigma=config.lr_sigma, **common)
    if config.strategy in (None, "openai-es"):
        return openai_es(shaping=config.shaping, **common)
    raise ConfigError(f"the strategy of this run is {config.strategy}; give it: nograd.train(resume=…, strategy=…)")


def population_of(config: TrainConfig) -> int:
    """Members a generation, where that is a setting."""
    return config.population or DEFAULT_POPULATION


def _schedule(config: TrainConfig) -> float | optax.Schedule:
    if config.lr_schedule == "constant":
        return config.lr
    if config.lr_schedule == "linear":
        return optax.linear_schedule(config.lr, 0.0, config.generations)
    return optax.cosine_decay_schedule(config.lr, config.generations)


def make_optimizer(config: TrainConfig) -> optax.GradientTransformation:
    """The Optax optimizer that the config names."""
    lr, decay, momentum = _schedule(config), config.weight_decay, config.momentum
    makers = {
        "sgd": lambda: optax.sgd(lr),
        "momentum": lambda: optax.sgd(lr, momentum),
        "nesterov": lambda: optax.sgd(lr, momentum, nesterov=True),
        "rmsprop": lambda: optax.rmsprop(lr, momentum=momentum),
        "adam": lambda: optax.adam(lr),
        "adamw": lambda: optax.adamw(lr, weight_decay=decay),
        "lion": lambda: optax.lion(lr, weight_decay=decay),
    }
    if config.optimizer not in makers:
        raise ConfigError(f"unknown optimizer {config.optimizer!r}{did_you_mean(config.optimizer, makers)}")
    return makers[config.optimizer]()
