"""The command that starts a recorded training again."""

import shlex
from dataclasses import fields, replace
from typing import Any

from nograd.config import TrainConfig, base_config, presets, settings
from nograd.strategy_settings import DEFAULT


def command(config: TrainConfig) -> str | None:
    """The shortest `nograd train …` whose settings are these; None where an object of Python's was handed over."""
    wanted = settings(config)
    if any(isinstance(value, str) and value.startswith("(") for value in wanted.values()):
        return None
    plain = TrainConfig(task=config.task)
    starts = [_chosen(wanted, start) for start in (plain, *(replace(plain, preset=name) for name in presets()))]
    return shlex.join(["nograd", "train", *min((_words(start, wanted) for start in starts), key=len)])


def changed(config: TrainConfig) -> dict[str, Any]:
    """The settings that differ from the defaults of `nograd.TrainConfig`, by name."""
    defaults = {field.name: field.default for field in fields(TrainConfig)}
    return {name: value for name, value in settings(config).items() if value != defaults[name]}


def _chosen(wanted: dict[str, Any], start: TrainConfig) -> TrainConfig:
    """`start` with the strategy that a flag must choose: a recipe hands another one only a part of itself."""
    strategy = wanted["strategy"] or DEFAULT
    return start if strategy == (base_config(start).strategy or DEFAULT) else replace(start, strategy=strategy)


def _words(start: TrainConfig, wanted: dict[str, Any]) -> list[str]:
    """The task, the preset, and the flags for what differs from what these begin with."""
    words = ([start.task] if start.task else []) + (["--preset", start.preset] if start.preset else [])
    words += ["--strategy", start.strategy] if start.strategy else []
    given = settings(base_config(start)) | {"task": start.task, "strategy": wanted["strategy"]}
    for name, value in wanted.items():
        flag = name.replace("_", "-")
        if value == given[name]:
            continue
        if isinstance(value, bool):
            words.append(f"--{flag}" if value else f"--no-{flag}")
        else:
            words += [f"--{flag}", str(value)]
    return words
