"""Python objects in place of names: how config.json records them, and which settings they exclude."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from nograd.config.dependencies import PERTURBATION, STRATEGY
from nograd.config.settings import TrainConfig
from nograd.config.task_settings import is_environment
from nograd.config.values import short_repr
from nograd.core.types import ConfigError
from nograd.strategies.base import Strategy
from nograd.tasks.kinds import Source, kind_of
from nograd.training.job import Objects
from nograd.training.provenance import model_spec

_MADE_BY = {
    "strategy": "one such as nograd.snes(256, sigma=0.1)",
    "perturbation": "one such as nograd.dense(0.05)",
    "optimizer": "an Optax optimizer such as optax.adam(0.01)",
    "fitness": "a function (outputs, labels) -> [batch]",
    "metric": "a function (y_true, y_pred) -> a number",
}


def check_objects(objects: Objects) -> None:
    """Raises ConfigError for an object that does not fit its setting. Models are checked later, when they are built."""
    optimizer = objects.optimizer
    fits = {
        "strategy": isinstance(objects.strategy, Strategy),
        "perturbation": callable(getattr(objects.perturbation, "layout", None)),
        "optimizer": callable(getattr(optimizer, "init", None)) and callable(getattr(optimizer, "update", None)),
        "fitness": callable(objects.fitness),
        "metric": callable(objects.metric),
    }
    for name, well in fits.items():
        given = getattr(objects, name)
        if given is not None and not well:
            raise ConfigError(
                f"{name} cannot be {short_repr(given)}; give a word of the command line, or {_MADE_BY[name]}"
            )


def check_beginning(objects: Objects, given: Mapping[str, Any]) -> None:
    """Raises ConfigError if both given parameters to begin with and a run to resume are given."""
    if objects.init is not None and given.get("resume"):
        raise ConfigError(
            f"init cannot go with resume={given['resume']!r}, whose checkpoint holds the parameters; leave one of them "
            "out"
        )


def require_own(objects: Objects, given: set[str]) -> None:
    """Raises ConfigError for a setting that is already part of the given strategy object."""
    assert objects.strategy is not None
    given = given | {name for name, value in objects._asdict().items() if value is not None}
    for name in sorted(given & (STRATEGY.own | {*PERTURBATION.readers, "chunks"})):
        raise ConfigError(
            f"{name} is part of the strategy {strategy_word(objects.strategy)} that was handed over; set it there"
        )


def refuse_fixed(objects: Objects, given: set[str]) -> None:
    """Raises ConfigError for a setting that a given optimizer or perturbation object fixes: it would have no effect."""
    fixed: list[tuple[str, Any, set[str]]] = []
    if objects.optimizer is not None:
        fixed.append(("optimizer", "the given optimizer object", {"lr", "lr_schedule", "momentum"}))
    if (perturbation := objects.perturbation) is not None:
        own = set(perturbation.settings) | set(PERTURBATION.readers)
        fixed.append(("perturbation", f"the given {perturbation.word} perturbation", own))
    for setting, what, own in fixed:
        for name in sorted(own & given - {setting}):
            raise ConfigError(f"{name} is part of {what}; set it there, or give {setting} as a word")


def strategy_word(strategy: Strategy) -> str:
    """How config.json records a strategy that is a Python object."""
    return f"({type(strategy.rule).__name__}, a Python object)"


def named(config: TrainConfig, objects: Objects, source: Source | None) -> TrainConfig:
    """The config for config.json: settings given as objects are replaced by words that describe them."""
    words: dict[str, Any] = kind_of(source).settings(source) if source is not None else {}
    if objects.model is not None:
        words["model"] = model_spec(objects.model, is_environment(config.task))
    for name, own in (("fitness", objects.fitness), ("metric", objects.metric)):
        if own is not None:
            words[name] = f"({_name_of(own)})"
    if objects.optimizer is not None:
        words["optimizer"] = "(a Python object)"
    if (strategy := objects.strategy) is not None:
        words |= {"population": strategy.population, "chunks": strategy.chunks}
        objects = objects._replace(perturbation=strategy.perturbation)
    if (perturbation := objects.perturbation) is not None:
        words |= perturbation.settings | {"perturbation": perturbation.word}
    return replace(config, **words)


def _name_of(function: Any) -> str:
    """The name of a function; for a wrapped metric that of the function inside."""
    return getattr(getattr(function, "function", function), "__qualname__", "a Python object")
