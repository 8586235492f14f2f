"""Whether the settings of a training can be: each in its range, and all of them together.

Nothing here imports JAX, so that a wrong flag answers at once.
"""

from dataclasses import replace
from typing import Any

from nograd.config import dependencies, task_settings
from nograd.config.settings import DEFAULT_POPULATION, TrainConfig, settings
from nograd.config.task_settings import is_environment
from nograd.core.text import parse_duration
from nograd.core.types import ConfigError


def validate(config: TrainConfig) -> TrainConfig:
    """The config, its strategy and its perturbation named, where every number is in its range.

    Raises:
        ConfigError: one is not, or a setting does not fit the others; with value and remedy.
    """
    config = replace(config, **dependencies.chosen(settings(config)))  # type: ignore[arg-type]
    for name in (
        "batch", "episodes", "eval_episodes", "frame_skip", "generations", "eval_every", "checkpoint_every",
        "keep_checkpoints", "directions", "rank",
    ):  # fmt: skip
        _require(getattr(config, name) >= 1, name, getattr(config, name), "use 1 or more")
    for name in ("sigma", "lr"):
        value = getattr(config, name)
        _require(0 < value < float("inf"), name, value, "use a positive number such as 0.01")
    _require(0 <= config.weight_decay < float("inf"), "weight_decay", config.weight_decay, "use 0 or more")
    _require(0 <= config.momentum < 1, "momentum", config.momentum, "use 0 or more and less than 1")
    for name in ("seed", "split_seed"):
        value = getattr(config, name)
        _require(value is None or 0 <= value < 2**32, name, value, "use 0 to 4294967295")
    if config.target is not None:
        known = is_environment(config.task) or 0 < config.target <= 1
        _require(known and config.target == config.target, "target", config.target, "it is an accuracy, such as 0.95")
    if config.patience is not None:
        _require(config.patience >= 1, "patience", config.patience, "use 1 or more")
    _require(config.shift >= 0, "shift", config.shift, "use 0 (none) to 2 pixels")
    _require(config.group >= 0, "group", config.group, "use 0 (the whole batch) or a number of examples")
    dependencies.check_read(settings(config), settings(TrainConfig()))
    task_settings.check_read(settings(config), settings(TrainConfig()))
    _validate_episodes(config)
    _validate_population(config)
    _require(config.chunks is None or config.chunks >= 1, "chunks", config.chunks, "use 1 or more")
    _require(config.deadline > 0, "deadline", config.deadline, "use a number of seconds such as 60")
    _validate_workers(config)
    if config.budget is not None:
        parse_duration(config.budget)
    return config


def _validate_episodes(config: TrainConfig) -> None:
    task_settings.episode_limit(config.episode_limit)
    task_settings.options_of(config.env_options)
    _require(config.member_steps >= 0, "member_steps", config.member_steps, "use 0 (none) or a number of steps")
    _require(abs(config.survival_bonus) < float("inf"), "survival_bonus", config.survival_bonus, "use 0 (none) or more")
    _require(0 <= config.action_noise < float("inf"), "action_noise", config.action_noise, "use 0 or more")
    _require(config.action_bins is None or config.action_bins >= 2, "action_bins", config.action_bins, "use 2 or more")


def _validate_workers(config: TrainConfig) -> None:
    known = config.workers == "auto" or (config.workers.isdecimal() and int(config.workers) >= 1)
    _require(known, "workers", config.workers, "use auto or a number such as 2")
    for name, default in (("address", None), ("exchange", "sums")):
        if config.engine != "ray" and getattr(config, name) != default:
            raise ConfigError(f"--{name} {getattr(config, name)} is for a Ray cluster; add --engine ray")


def _validate_population(config: TrainConfig) -> None:
    population = config.population
    if population is not None:
        _require(population >= 1, "population", population, "use 1 or more")
        if not counts_population(config):
            raise ConfigError(
                f"--population cannot be {population} with --perturbation {config.perturbation}: it follows from "
                "--batch and --directions; leave it out"
                + (", or add --group 0" if config.perturbation == "lowrank" else "")
            )
        if config.mirrored and population % 2:
            raise ConfigError(
                f"population must be even with mirrored sampling, got {population}; "
                f"use {population + 1} or --no-mirrored"
            )
    if config.top is not None:
        directions = _directions(config)
        _require(
            counts_population(config), "top", config.top,
            "leave it out: on parts of a batch the best directions would be those of the easiest examples",
        )  # fmt: skip
        _require(
            0 < config.top < 1 or config.top in range(1, directions + 1), "top", config.top,
            f"use 1 to {directions}, the directions, or a share of them below 1",
        )  # fmt: skip
    if config.perturbation != "dense":
        _require(config.noise != "table", "noise", "table", f"{config.perturbation} draws rademacher or gaussian")
        _require(
            config.batch_sharing == "shared", "batch-sharing", "private", f"{config.perturbation} goes by examples"
        )


def top_directions(config: TrainConfig) -> int | None:
    """How many directions count: `top`, or its share of all, one at least; None: all."""
    if config.top is None:
        return None
    return int(config.top) if config.top >= 1 else max(1, round(config.top * _directions(config)))


def _directions(config: TrainConfig) -> int:
    """Of a mirrored population that is a setting."""
    return (config.population or DEFAULT_POPULATION) // 2


def counts_population(config: TrainConfig) -> bool:
    """Whether the population is a setting, rather than a consequence of batch, group and directions."""
    by_batch = config.group > 0 and not is_environment(config.task)
    return config.perturbation == "dense" or (config.perturbation == "lowrank" and not by_batch)


def _require(condition: bool, name: str, value: Any, remedy: str) -> None:
    if not condition:
        raise ConfigError(f"--{name.replace('_', '-')} cannot be {value}; {remedy}")
