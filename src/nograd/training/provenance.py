"""What a run is, in words: the record in config.json, and what its resumption must have in common with it."""

import hashlib
import json
import platform
from importlib.metadata import version
from typing import Any

import jax

from nograd.config.settings import TrainConfig, settings
from nograd.config.task_settings import is_file
from nograd.core.runtime import threads
from nograd.core.trees import leaf_names, parameter_count
from nograd.core.types import ConfigError
from nograd.models import Builder, Model
from nograd.training.job import Job

# What may differ between a run and its resumption: when to stop, what to keep, where the data lie.
_MAY_CHANGE = {
    "generations",
    "budget",
    "target",
    "patience",
    "checkpoint_every",
    "keep_checkpoints",
    "data_dir",
    "engine",
    "workers",
    "deadline",
    "address",
    "exchange",
}


def record(job: Job, versions: dict[str, str]) -> dict[str, Any]:
    """What config.json holds: everything that defines the run."""
    params = jax.eval_shape(job.task.model.init, job.keys.init)
    shapes = zip(leaf_names(params), jax.tree.leaves(params), strict=True)
    return {
        "nograd": versions,
        "settings": settings(job.config),
        "measure": job.task.measure.name,
        "metric": job.task.measure._asdict(),
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


def check_resumable(saved: TrainConfig, wanted: TrainConfig) -> None:
    """Raises ConfigError where a resumed run would not be the run that was saved."""
    before, after = settings(saved), settings(wanted)
    if is_file(saved.task) and is_file(wanted.task):  # it may have moved: its checksum decides
        after["task"] = before["task"]
    for name in before:
        if name not in _may_change(saved) and before[name] != after[name]:
            flag = "TASK" if name == "task" else f"--{name.replace('_', '-')}"
            raise ConfigError(
                f"cannot resume with another {flag}: the run has {before[name]}, got {after[name]}; "
                "leave it out, or start a new run"
            )


def identity_settings(config: TrainConfig) -> dict[str, Any]:
    """The settings that every checkpoint of one run shares."""
    return {name: value for name, value in settings(config).items() if name not in _may_change(config)}


def _may_change(config: TrainConfig) -> set[str]:
    """A schedule ends with the generations, so that more of them would be another run."""
    return _MAY_CHANGE if config.lr_schedule == "constant" else _MAY_CHANGE - {"generations"}


def versions() -> dict[str, str]:
    """What a person needs to know to get the same bits again."""
    device = jax.devices()[0]
    return {
        **{name: version(name) for name in ("nograd", "jax", "jaxlib", "optax", "numpy")},
        "python": platform.python_version(),
        "platform": platform.platform(),
        "device": f"{device.platform}: {device.device_kind}",
        "xla_threads": threads(),
    }
