"""What defines a run: its record in config.json, and what must stay the same when it is resumed."""

import hashlib
import json
import platform
from importlib.metadata import version
from typing import Any

import jax

from nograd.config.axes import MODELS
from nograd.config.merge import check_unchanged, may_change
from nograd.config.settings import TrainConfig, settings
from nograd.core.runtime import threads
from nograd.core.trees import leaf_names, parameter_count
from nograd.models import Builder, Model
from nograd.training.job import Job


def record(job: Job, versions: dict[str, str]) -> dict[str, Any]:
    """The content of config.json: everything that defines the run."""
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
        **({"init": job.initial.record()} if job.initial else {}),
    }


def identity(config: TrainConfig, recorded: dict[str, Any]) -> str:
    """A checksum of settings, data, shapes and given first parameters; all checkpoints of one run have the same."""
    content = [identity_settings(config), recorded["data"]["checksum"], recorded["shapes"]]
    content += [recorded["init"]["sha256"]] if "init" in recorded else []
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def model_spec(model: Model | Builder, is_policy: bool) -> str:
    """The setting `model` that describes a model; "(a Python object)" if no name on the command line makes it.

    On environments some names mean another network than on data: there `nograd.mlp(64)` is not `mlp:64`.
    """
    spec = model.spec if isinstance(model, Builder) else None
    entry = MODELS.entries.get(spec.partition(":")[0]) if spec else None
    return "(a Python object)" if not spec or (is_policy and entry and entry.policy) else spec


def check_resumable(saved: TrainConfig, wanted: TrainConfig) -> None:
    """Raises ConfigError if a setting is changed that must stay the same when a run is resumed."""
    check_unchanged(settings(wanted), saved)


def identity_settings(config: TrainConfig) -> dict[str, Any]:
    """The settings that must stay the same in all of a run."""
    return {name: value for name, value in settings(config).items() if name not in may_change(config)}


def versions() -> dict[str, str]:
    """The versions of packages, platform and device: what one needs to get the same bits again."""
    device = jax.devices()[0]
    return {
        **{name: version(name) for name in ("nograd", "jax", "jaxlib", "optax", "numpy")},
        "python": platform.python_version(),
        "platform": platform.platform(),
        "device": f"{device.platform}: {device.device_kind}",
        "xla_threads": threads(),
    }
