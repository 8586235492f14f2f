"""A frame or arrays of a Python caller as a data set, under the settings of the training."""

import os
from collections.abc import Mapping
from typing import Any

from nograd.config.name_lists import kinds_of, name_list
from nograd.config.settings import TrainConfig
from nograd.core.types import ConfigError
from nograd.data import Dataset
from nograd.tasks.kinds import Source
from nograd.tasks.kinds import is_source as is_kind

NAME, IMAGES = "data", "images"  # what config.json calls them; the recipe of tables is for the first


def task_word(values: Any) -> str:
    """What config.json calls a frame or arrays: those of more axes than a table has are images."""
    return IMAGES if len(getattr(values, "shape", ())) > 2 else NAME


def is_source(task: Any) -> bool:
    """Whether a task says all by itself: a word, a path, a data set or an environment."""
    return task is None or isinstance(task, str | os.PathLike) or is_kind(task)


def is_word(part: Any) -> bool:
    """Whether a part of the data is a path, or not given."""
    return part is None or isinstance(part, str | os.PathLike)


def own_source(source: Source | None, x: Any, y: Any, config: TrainConfig, parts: Mapping[str, Any]) -> Source | None:
    """What a training is on: the source that was given, else the data set of values; None where words say it."""
    if x is not None:
        return own_dataset(x, y, config, parts)
    for name, part in parts.items():
        raise ConfigError(f"{name} is a {type(part).__name__}, and {config.task} is none; give the path of a file")
    return source


def own_dataset(x: Any, y: Any, config: TrainConfig, parts: Mapping[str, Any]) -> Dataset:
    """The data set of a frame with its label column, or of inputs and labels.

    Args:
        parts: "test" and "val", where they are given as x is.
    Raises:
        ConfigError: a setting is for files alone, or inputs have neither labels nor names.
        DataError: what is wrong with the values.
    """
    for name in ("test", "val", "size", *(("label", "columns") if y is not None else ())):
        if (value := getattr(config, name)) is not None:
            what = "frames and files" if name in ("label", "columns") else "files"
            raise ConfigError(f"{name} cannot be {value!r} with values from Python, it is for {what}; leave it out")
    options: dict[str, Any] = {
        "problem": config.problem,
        "split": config.split,
        "seed": config.seed if config.split_seed is None else config.split_seed,
        "standardize": config.standardize,
        "drop": name_list(config.drop),
        "kinds": kinds_of(config.kinds),
        "name": NAME,
        **parts,
    }
    if y is not None:
        return Dataset.from_arrays(x, y, **options)
    from nograd.data.frames import is_frame

    if not is_frame(x):
        raise ConfigError(f"{type(x).__name__} has no labels; give them as well: nograd.train(x, y)")
    return Dataset.from_frame(x, config.label, columns=name_list(config.columns), **options)
