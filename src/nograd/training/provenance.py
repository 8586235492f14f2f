"""What a run is, in words: the record in config.json, and what its resumption must have in common with it."""

import hashlib
import json
import os
import platform
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax

from nograd import data
from nograd.config.merge import check_unchanged, may_change
from nograd.config.settings import TrainConfig, settings
from nograd.config.task_settings import is_file
from nograd.core.trees import leaf_names, parameter_count
from nograd.core.types import DataError
from nograd.data.paths import expand
from nograd.envs import World
from nograd.models import Builder, Model
from nograd.runs.moved_data import find_data
from nograd.training.job import Job, Source


def record(job: Job, versions: dict[str, str]) -> dict[str, Any]:
    """What config.json holds: everything that defines the run."""
    params = jax.eval_shape(job.task.model.init, job.keys.init)
    shapes = zip(leaf_names(params), jax.tree.leaves(params), strict=True)
    return {
        "nograd": versions,
        "settings": settings(job.config),
        "measure": job.task.measure.name,
        "data": job.task.record(),
        "population": job.generation.members,
        "parameters": parameter_count(params),
        "shapes": {name: list(leaf.shape) for name, leaf in shapes},
    }


def identity(config: TrainConfig, recorded: dict[str, Any]) -> str:
    """What all checkpoints of one run have in common, and no other run's: settings, data and shapes."""
    content = [identity_settings(config), recorded["data"]["checksum"], recorded["shapes"]]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def model_spec(model: Model | Builder) -> str:
    """The word for a model in config.json; one that only Python can say is marked so."""
    spec = model.spec if isinstance(model, Builder) else None
    return spec or "(a Python object)"


def anchored(config: TrainConfig) -> TrainConfig:
    """The config with absolute paths of its data, so that the run finds them from any folder."""
    if is_file(config.task) and expand(str(config.task)).is_file():
        config = replace(config, task=str(expand(str(config.task)).absolute()))
    return replace(config, data_dir=str(expand(config.data_dir).absolute())) if config.data_dir else config


def on_data(config: TrainConfig, data: str | Path | None) -> TrainConfig:
    """The config with its data where a person says that they lie now: a file, or a folder for the other tasks."""
    if data is None:
        return config
    return replace(config, task=str(data)) if is_file(config.task) else replace(config, data_dir=str(data))


def placed(config: TrainConfig, run: Path) -> TrainConfig:
    """The config of a run with its data file where it lies now. Raises DataError where it is nowhere to be found."""
    if not is_file(config.task):
        return anchored(config)
    found = find_data(str(config.task), run, config.data_dir)
    return anchored(replace(config, task=str(found)))


def check_data(recorded: dict[str, Any], source: Source) -> None:
    """Raises DataError where the data, or the environment, are not the ones that a run was trained on."""
    found = source.checksum if isinstance(source, World) else data.checksum(source)
    if found != recorded["data"]["checksum"]:
        what = "spaces or options" if isinstance(source, World) else "data"
        raise DataError(
            f"the {what} of {source.name} have changed since the run was started "
            f"(checksum {recorded['data']['checksum'][:12]} then, {found[:12]} now); "
            "restore them, or start a new run"
        )


def check_resumable(saved: TrainConfig, wanted: TrainConfig) -> None:
    """Raises ConfigError where a resumed run would not be the run that was saved."""
    check_unchanged(settings(wanted), saved)


def identity_settings(config: TrainConfig) -> dict[str, Any]:
    """The settings that every checkpoint of one run shares."""
    return {name: value for name, value in settings(config).items() if name not in may_change(config)}


def versions() -> dict[str, str]:
    """What a person needs to know to get the same bits again."""
    device = jax.devices()[0]
    return {
        **{name: version(name) for name in ("nograd", "jax", "jaxlib", "optax", "numpy")},
        "python": platform.python_version(),
        "platform": platform.platform(),
        "device": f"{device.platform}: {device.device_kind}",
        "xla_threads": os.environ.get("NPROC", "all"),
    }
