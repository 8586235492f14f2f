"""The command that starts a recorded training again."""

import shlex
from dataclasses import fields
from typing import Any

from nograd.config import TrainConfig, base_config, presets, settings


def command(config: TrainConfig) -> str | None:
    """The shortest `nograd train …` whose settings are these; None where an object of Python's was handed over."""
    wanted = settings(config)
    if any(isinstance(value, str) and value.startswith("(") for value in wanted.values()):
        return None
    bases = [TrainConfig(task=config.task), *(TrainConfig(task=config.task, preset=name) for name in presets())]
    candidates = [_words(base, _changes(wanted, base)) for base in bases]
    return shlex.join(["nograd", "train", *min(candidates, key=len)])


def changed(config: TrainConfig) -> dict[str, Any]:
    """The settings that differ from the defaults of `nograd.TrainConfig`, by name."""
    defaults = {field.name: field.default for field in fields(TrainConfig)}
    return {name: value for name, value in settings(config).items() if value != defaults[name]}


def _changes(wanted: dict[str, Any], start: TrainConfig) -> dict[str, Any]:
    """What the flags must change of the recipe that `start` begins with."""
    given = settings(base_config(start)) | {"task": start.task}
    return {name: value for name, value in wanted.items() if value != given[name]}


def _words(start: TrainConfig, changes: dict[str, Any]) -> list[str]:
    words = ([start.task] if start.task else []) + (["--preset", start.preset] if start.preset else [])
    for name, value in changes.items():
        flag = name.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{flag}" if value else f"--no-{flag}")
        else:
            words += [f"--{flag}", str(value)]
    return words
