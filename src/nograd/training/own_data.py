"""Makes a data set from the frame or arrays of a Python caller, under the settings of the training."""

import os
from collections.abc import Mapping
from typing import Any

from nograd.config.name_lists import kinds_of, name_list
from nograd.config.settings import TrainConfig
from nograd.core.types import ConfigError
from nograd.data import Dataset
from nograd.tasks.kinds import Source
from nograd.tasks.kinds import is_source as is_kind

NAME, IMAGES = "data", "images"  # the setting `task` for such data; NAME selects the recipe of tables


def task_word(values: Any) -> str:
    """The setting `task` for a frame or arrays: "images" if they have more than two axes, else "data"."""
    return IMAGES if len(getattr(values, "shape", ())) > 2 else NAME


def is_source(task: Any) -> bool:
    """Whether a task needs no labels besides it: a name, a path, a data set or an environment."""
    return task is None or isinstance(task, str | os.PathLike) or is_kind(task)


def is_word(part: Any) -> bool:
    """Whether a split is a path, or is not given."""
    return part is None or isinstance(part, str | os.PathLike)


def own_source(source: Source | None, x: Any, y: Any, config: TrainConfig, parts: Mapping[str, Any]) -> Source | None:
    """The source of a training: the given one, else a data set made of x and y; None if the settings name it."""
    if x is not None:
        return own_dataset(x, y, config, parts)
    for name, part in parts.items():
        raise ConfigError(f"{name} is a {type(part).__name__}, and {config.task} is none; give the path of a file")
    return source


def own_dataset(x: Any, y: Any, config: TrainConfig, parts: Mapping[str, Any]) -> Dataset:
    """The data set of a frame with a label column, or of inputs and labels.

    Args:
        x: a frame, or inputs [examples, …].
        y: the labels; None for a frame that contains them.
        config: the settings.
        parts: the splits "test" and "val", if they are given as values like x.
    Raises:
        ConfigError: a setting is only for files, or inputs have no labels.
        DataError: the values are not valid.
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
