"""Checks the settings of a training: each one's type and range, and whether they fit together.

Nothing here imports JAX, so that a wrong flag answers at once.
"""

import math
from typing import Any

from nograd.config import dependencies, task_settings
from nograd.config.axes import METRICS, PERTURBATIONS
from nograd.config.scores import is_whole
from nograd.config.settings import DEFAULT_POPULATION, TrainConfig, all_settings, settings
from nograd.config.task_settings import is_environment
from nograd.config.values import ranged, short_repr
from nograd.core.types import ConfigError


def validate(config: TrainConfig) -> TrainConfig:
    """The config with its strategy and perturbation filled in, after all checks.

    Raises:
        ConfigError: a value has the wrong type or range, or does not fit the others; names value and remedy.
    """
    values = {name: ranged(one, getattr(config, name), objects=True) for name, one in all_settings().items()}
    config = TrainConfig(**{**values, **dependencies.chosen(values)})
    dependencies.check_read(settings(config), settings(TrainConfig()))
    task_settings.check_read(settings(config), settings(TrainConfig()))
    task_settings.episode_limit(config.episode_limit)
    task_settings.options_of(config.env_options)
    _check_target(config)
    _check_fitness(config)
    _check_noise(config)
    _check_population(config)
    _check_top(config)
    return config


def top_directions(config: TrainConfig) -> int | None:
    """The number of directions that `top` asks for (as a number, or a share of all, at least one); None: all."""
    if config.top is None:
        return None
    return int(config.top) if config.top >= 1 else max(1, round(config.top * _directions(config)))


def counts_population(config: TrainConfig) -> bool:
    """Whether the population can be set; else it follows from batch, group and directions."""
    if config.perturbation not in PERTURBATIONS.entries:
        return False
    by_batch = config.group > 0 and not is_environment(config.task)
    return not _reads("directions", config) or (_reads("group", config) and not by_batch)


def _check_target(config: TrainConfig) -> None:
    """Raises ConfigError for a target that the metric cannot reach, or that every value reaches."""
    target = config.target
    if target is None or is_environment(config.task):
        if target is not None and target != target:
            _refuse("target", target, "give a return, such as 100")
        return
    known = METRICS.entries.get(config.metric or "accuracy")
    if known is None or known.measure is None:  # the user's own function, which may return any value
        if not math.isfinite(target):
            _refuse("target", target, "give a finite number")
    elif known.measure.ceiling is None:
        if not 0 < target < math.inf:
            _refuse("target", target, f"it is a {known.measure.what}, a positive number such as 0.5")
    elif not 0 < target <= known.measure.ceiling:
        what = "a validation score" if config.metric is None else f"of the metric {config.metric}"
        _refuse("target", target, f"it is {what}, up to 1, such as 0.95 of an accuracy")


def _check_fitness(config: TrainConfig) -> None:
    """Raises ConfigError for a whole-batch fitness together with a setting that needs one value for each example."""
    if not is_whole(config.fitness):
        return
    word = f"--fitness {config.fitness}"
    if config.perturbation != "dense":
        raise ConfigError(
            f"{word} is one number for the whole batch, and --perturbation {config.perturbation} evaluates each "
            "example alone; use --perturbation dense"
        )
    if config.batch == 1:
        raise ConfigError(f"{word} is one number for the whole batch, and --batch 1 is a single example; use more")
    if config.class_weight is not None:
        raise ConfigError(
            f"--class-weight {config.class_weight} weighs examples, and {word} is one number for all of them; leave it "
            "out, or use --fitness cross_entropy"
        )


def _check_noise(config: TrainConfig) -> None:
    if config.noise == "aligned" and (config.perturbation in ("dense", "node") or is_environment(config.task)):
        raise ConfigError(
            f"--noise aligned goes by the examples that a group shares, and there are none with "
            f"{config.task if is_environment(config.task) else f'--perturbation {config.perturbation}'}; use rademacher"
        )


def _check_population(config: TrainConfig) -> None:
    population = config.population
    if population is None:
        return
    if not counts_population(config):
        raise ConfigError(
            f"--population cannot be {population} with --perturbation {config.perturbation}: it follows from "
            "--batch and --directions; leave it out" + (", or add --group 0" if _reads("group", config) else "")
        )
    if config.mirrored and population % 2:
        raise ConfigError(
            f"population must be even with mirrored sampling, got {population}; use {population + 1} or --no-mirrored"
        )


def _check_top(config: TrainConfig) -> None:
    top, directions = config.top, _directions(config)
    if top is None:
        return
    if not counts_population(config):
        _refuse(
            "top", top, "leave it out: on parts of a batch the best directions would be those of the easiest examples"
        )
    if not 0 < top < 1 and top not in range(1, directions + 1):
        _refuse("top", top, f"use 1 to {directions}, the directions, or a share of them below 1")


def _directions(config: TrainConfig) -> int:
    """The number of directions of a mirrored population."""
    return (config.population or DEFAULT_POPULATION) // 2


def _reads(name: str, config: TrainConfig) -> bool:
    """Whether the perturbation uses a setting."""
    return config.perturbation in PERTURBATIONS.readers(name)


def _refuse(name: str, value: Any, remedy: str) -> None:
    said = short_repr(value) if isinstance(value, str) else value
    raise ConfigError(f"{all_settings()[name].flag} cannot be {said}; {remedy}")
