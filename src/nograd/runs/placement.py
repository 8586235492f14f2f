"""Where the data of a run are: stored as absolute paths at its start, looked up again when it is resumed or read."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from nograd.config.settings import TrainConfig
from nograd.config.task_settings import is_file
from nograd.core.types import DataError
from nograd.data import NAMES
from nograd.data.paths import expand
from nograd.runs.moved_data import find_data


def anchored(config: TrainConfig) -> TrainConfig:
    """The config with absolute paths to its data, so that the run finds them from any folder."""
    path = expand(str(config.task))
    if (is_file(config.task) and path.is_file()) or (config.task not in NAMES and path.is_dir()):
        config = replace(config, task=str(expand(str(config.task)).absolute()))
    named = {name: getattr(config, name) for name in ("data_dir", "test", "val")}
    whole: dict[str, Any] = {name: str(expand(path).absolute()) for name, path in named.items() if path}
    return replace(config, **whole)


def on_data(config: TrainConfig, data: str | Path | None) -> TrainConfig:
    """The config with a new path to its data: the file, or for other tasks the folder (None: unchanged)."""
    if data is None:
        return config
    return replace(config, task=str(data)) if is_file(config.task) else replace(config, data_dir=str(data))


def placed(config: TrainConfig, run: Path) -> TrainConfig:
    """The config of a run with the present paths of its data. Raises DataError if a file cannot be found."""
    if not is_file(config.task):
        return anchored(config)
    parts = {part: getattr(config, part) for part in ("test", "val")}
    found_parts: dict[str, Any] = {p: str(find_data(file, run, config.data_dir)) for p, file in parts.items() if file}
    config = replace(config, **found_parts)
    found = find_data(str(config.task), run, config.data_dir)
    return anchored(replace(config, task=str(found)))


def check_on_disk(config: TrainConfig, run: Path) -> None:
    """Raises DataError if the data of a run were values in a Python program, which are not on disk."""
    if config.task in NAMES or is_file(config.task) or expand(str(config.task)).exists():
        return
    raise DataError(
        f"{run} was trained on values from Python, which are not on disk; give them again: "
        "run.evaluate(dataset=nograd.Dataset.from_arrays(x, y)), or from_frame, with the options of the training"
    )
