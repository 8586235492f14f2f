"""The command that repeats a recorded training."""

import shlex
from dataclasses import fields, replace
from typing import Any

from nograd.config.dependencies import CHOICES, chosen
from nograd.config.recipes import base_config, presets
from nograd.config.settings import TrainConfig, settings
from nograd.config.task_settings import is_objective


def command(config: TrainConfig, init: str | None = None) -> str | None:
    """The shortest `nograd train …` with these settings; None if the training had a Python object.

    Args:
        config: the settings.
        init: the file of the parameters that it began with; None: they were drawn from the seed.
    """
    wanted = settings(config) | chosen(settings(config))
    is_object = any(isinstance(value, str) and value.startswith("(") for value in (*wanted.values(), init))
    if is_object or is_objective(config.task):
        return None
    plain = TrainConfig(task=config.task)
    starts = [_choosing(wanted, start) for start in (plain, *(replace(plain, preset=name) for name in presets()))]
    begun = ["--init", init] if init else []
    return shlex.join(["nograd", "train", *min((_words(start, wanted) for start in starts), key=len), *begun])


def changed(config: TrainConfig) -> dict[str, Any]:
    """The settings that differ from the defaults of `nograd.TrainConfig`, by name."""
    defaults = {field.name: field.default for field in fields(TrainConfig)}
    return {name: value for name, value in settings(config).items() if value != defaults[name]}


def _choosing(wanted: dict[str, Any], start: TrainConfig) -> TrainConfig:
    """`start` with the flags for strategy, optimizer and so on that differ: a recipe may hold settings of only one."""
    for choice in CHOICES:
        if wanted[choice.name] != getattr(base_config(start), choice.name):
            start = replace(start, **{choice.name: wanted[choice.name]})
    return start


def _words(start: TrainConfig, wanted: dict[str, Any]) -> list[str]:
    """The arguments: task, preset, choices such as the strategy, and flags for all settings that still differ."""
    words = ([start.task] if start.task else []) + (["--preset", start.preset] if start.preset else [])
    for choice in CHOICES:
        words += [f"--{choice.name}", now] if (now := getattr(start, choice.name)) else []
    given = settings(base_config(start)) | {"task": start.task}
    for name, value in wanted.items():
        flag = name.replace("_", "-")
        if value == given[name]:
            continue
        if isinstance(value, bool):
            words.append(f"--{flag}" if value else f"--no-{flag}")
        else:
            words += [f"--{flag}", str(value)]
    return words
