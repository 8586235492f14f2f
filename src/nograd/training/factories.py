"""From words to objects: perturbation, strategy, optimizer, network and fitness."""

from inspect import signature
from typing import Any

import optax

from nograd import models
from nograd.config.axes import PERTURBATIONS, STRATEGIES
from nograd.config.dependencies import PERTURBATION, STRATEGY
from nograd.config.settings import DEFAULT_POPULATION, TrainConfig
from nograd.config.task_settings import is_environment
from nograd.config.validate import top_directions
from nograd.core.imports import call_object, import_object
from nograd.core.text import did_you_mean
from nograd.core.types import ConfigError
from nograd.models import Builder, Model
from nograd.perturbations.dense import Dense
from nograd.perturbations.population import Perturbation
from nograd.strategies.base import Strategy
from nograd.tasks.fitness import FITNESSES, Fitness


def make_perturbation(config: TrainConfig) -> Dense | Perturbation:
    """The perturbation that the config names, made with the settings that its words read."""
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
    perturbation: Dense | Perturbation | None = None,
    optimizer: optax.GradientTransformation | None = None,
) -> Strategy:
    """The strategy that the config names, with this perturbation and this optimizer in place of the config's.

    Its builder is given what it reads: of its parameters those that are settings which its word reads.
    """
    word = config.strategy or STRATEGY.default
    if word.startswith("("):
        raise ConfigError(f"the strategy of this run is {word}; give it: nograd.train(resume=…, strategy=…)")
    perturbation = perturbation or make_perturbation(config)
    build, reads = STRATEGIES.builder(word), STRATEGIES.entry(word).reads
    given: dict[str, Any] = {name: getattr(config, name) for name in reads} | {
        "perturbation": perturbation,
        "population": population_of(config) if isinstance(perturbation, Dense) else None,
        "chunks": config.chunks,
    }
    if "optimizer" in reads:
        decoupled = config.optimizer in ("adamw", "lion")
        given["optimizer"] = optimizer or make_optimizer(config)
        given["weight_decay"] = 0.0 if decoupled else config.weight_decay
    if "top" in reads:
        given["top"] = top_directions(config)
    takes = signature(build).parameters
    return build(**{name: value for name, value in given.items() if name in takes and name != "mirrored"})


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


def resolve_model(spec: str) -> Model | Builder:
    """The model that a spec names: a built-in, or what `module:function` of the user's returns."""
    if ":" in spec and not models.is_built_in(spec):
        made = call_object(spec, "model")
        model = models.adopt(made)
        if model is None and not callable(made):
            raise ConfigError(f"model {spec!r} returned {type(made).__name__}; return nograd.Model(init, apply)")
        return model or Builder(spec, made)
    return models.parse_model(spec)


def resolve_policy(spec: str) -> Model | Builder:
    """The policy that a spec names: a built-in, or what `module:function` of the user's returns."""
    return models.parse_policy(spec) if models.is_policy(spec) else resolve_model(spec)


def resolve_fitness(name: str) -> Fitness:
    """The fitness of this name, or the user's `module:function`."""
    if name in FITNESSES:
        return FITNESSES[name]
    if ":" in name:
        return import_object(name, "fitness")
    raise ConfigError(f"unknown fitness {name!r}{did_you_mean(name, FITNESSES)}; or module:function of your own")
