"""Which settings a kind of task reads: data set, environment or function. Nothing here imports JAX."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nograd.config.axes import ENV_SOURCES, PERTURBATIONS
from nograd.config.registry import DATA, ENVIRONMENT, FUNCTION
from nograd.config.settings import all_settings
from nograd.core.types import ConfigError

_OBJECTIVE = re.compile(r"(?:minimize|maximize) .+")
_A = {DATA: "a data set", ENVIRONMENT: "an environment", FUNCTION: "a function"}
_READERS = {DATA: "data sets", ENVIRONMENT: "environments"}


def is_environment(task: str | None) -> bool:
    """Whether a task is an environment: an id such as HalfCheetah-v5, ALE/Pong-v5 or brax/humanoid, or
    module:function.
    """
    patterns = [entry.pattern for entry in ENV_SOURCES.entries.values() if entry.pattern]
    return bool(task and any(re.fullmatch(pattern, task) for pattern in patterns))


def kind_of(task: str | None) -> str:
    """The kind of a task: "data", "environment" or "function"."""
    if is_objective(task):
        return FUNCTION
    return ENVIRONMENT if is_environment(task) else DATA


def a_kind(task: str | None) -> str:
    """The kind of a task in words: "a data set", "an environment", "a function"."""
    return _A[kind_of(task)]


def is_objective(task: str | None) -> bool:
    """Whether a task is a function to optimize: "minimize NAME" or "maximize NAME"."""
    return bool(task and _OBJECTIVE.fullmatch(task))


def is_file(task: str | None) -> bool:
    """Whether a task is the path of a file."""
    return bool(task and Path(task).suffix) and kind_of(task) == DATA


def reads(task: str | None, name: str) -> bool:
    """Whether a task uses a setting."""
    return all_settings()[name].metadata.get("task") in (None, kind_of(task))


def check_read(values: Mapping[str, Any], defaults: Mapping[str, Any]) -> None:
    """Raises ConfigError for a setting that was changed from its default but that the task does not read."""
    task, kind = values["task"], kind_of(values["task"])
    for name, value in values.items():
        one = all_settings()[name]
        if not reads(task, name) and value != defaults[name] and not (name == "group" and value == 0):
            raise ConfigError(
                f"{one.flag} {value} is for {_READERS[one.metadata['task']]}, and the task {task} is {_A[kind]}; "
                "leave it out"
            )
    entry = PERTURBATIONS.entries.get(values["perturbation"])
    if entry and kind not in entry.tasks:
        suited = " or ".join(PERTURBATIONS.suited(kind))
        if kind == FUNCTION:
            raise ConfigError(
                f"--perturbation {values['perturbation']} is for networks, and {task} has none; use dense"
            )
        raise ConfigError(
            f"--perturbation {values['perturbation']} goes by the examples of a batch, and {task} is an environment, "
            f"whose return is known when the episode is over; use --perturbation {suited}"
        )


def seen_by_member(episodes: int | None, batch: int | None) -> str:
    """What a member is evaluated on, in words: a number of episodes, or a batch."""
    if episodes is None:
        return f"batches of {batch}"
    return "an episode each" if episodes == 1 else f"{episodes:,} episodes each"


def episode_limit(word: str) -> int | None:
    """The number of steps in an `episode_limit`; None for "none" and "adaptive". Raises ConfigError for other words."""
    if word in ("none", "adaptive"):
        return None
    if not word.isdecimal() or int(word) < 1:
        raise ConfigError(f"--episode-limit cannot be {word}; use none, adaptive, or a number of steps such as 1000")
    return int(word)


def options_of(text: str | None) -> dict[str, Any]:
    """The keyword arguments for an environment's maker. Raises ConfigError if the text is not a JSON object."""
    try:
        options = json.loads(text or "{}")
    except json.JSONDecodeError as error:
        raise ConfigError(f"--env-options cannot be {text!r}: {error}; write JSON such as '{{\"key\": 1}}'") from None
    if not isinstance(options, dict):
        raise ConfigError(f"--env-options cannot be {text!r}; write a JSON object such as '{{\"key\": 1}}'")
    return options
