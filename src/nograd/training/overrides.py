"""What a Python caller hands over in place of words: what stands for it in config.json, and what excludes it."""

import json
from dataclasses import replace
from typing import Any

from nograd.config.dependencies import PERTURBATION, STRATEGY
from nograd.config.settings import TrainConfig, recipe_fields
from nograd.core.text import did_you_mean
from nograd.core.types import ConfigError
from nograd.envs import World
from nograd.strategies.base import Strategy
from nograd.tasks.kinds import Source
from nograd.training.job import Objects
from nograd.training.provenance import model_spec

_NUMBERS_AS_WORDS = ("workers", "episode_limit")


def known_settings(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields, numbers among words (workers=2) as words. Raises ConfigError for a name that is no setting."""
    known = {*recipe_fields(), "preset", "config", "open", "tensorboard", "wandb"} - {
        "task",
        "model",
        "fitness",
        "optimizer",
        "perturbation",
    }
    for name in fields:
        if name not in known:
            raise ConfigError(f"unknown setting {name!r}{did_you_mean(name, known)}")
    return fields | {name: str(fields[name]) for name in _NUMBERS_AS_WORDS if isinstance(fields.get(name), int)}


def require_own(strategy: Strategy, given: set[str]) -> None:
    """Raises ConfigError for a setting that a strategy handed over has in itself."""
    for name in sorted(given & (STRATEGY.own | {*PERTURBATION.readers, "chunks"})):
        raise ConfigError(
            f"{name} is part of the strategy {strategy_word(strategy)} that was handed over; set it there"
        )


def strategy_word(strategy: Strategy) -> str:
    """What stands for a strategy in config.json."""
    return f"({type(strategy.rule).__name__}, a Python object)"


def named(config: TrainConfig, objects: Objects, source: Source | None) -> TrainConfig:
    """The config with the words for what was handed over as objects, for config.json."""
    words: dict[str, Any] = {}
    if isinstance(source, World):
        words["env_options"] = json.dumps(source.said) if source.said else None
    if objects.model is not None:
        words["model"] = model_spec(objects.model)
    if objects.fitness is not None:
        words["fitness"] = f"({getattr(objects.fitness, '__qualname__', 'a Python object')})"
    if objects.optimizer is not None:
        words["optimizer"] = "(a Python object)"
    if (strategy := objects.strategy) is not None:
        words |= {"population": strategy.population, "chunks": strategy.chunks}
        objects = objects._replace(perturbation=strategy.perturbation)
    if (perturbation := objects.perturbation) is not None:
        words |= perturbation.settings | {"perturbation": perturbation.word}
    return replace(config, **words)
