"""Reading parameters from disk: of a run, of one of its checkpoints, or of any .safetensors file by their names."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from safetensors import SafetensorError, safe_open

from nograd.core.trees import relative_name
from nograd.core.types import RunError
from nograd.runs.checkpoint import is_checkpoint, read_checkpoint
from nograd.runs.directory import RunDirectory

SUFFIX = ".safetensors"
# Prefix of arrays that a policy needs besides its parameters. No parameter can have this name: `~` is written `~0`.
CONTEXT = "~context"


class NamedParameters(NamedTuple):
    """The parameters of a network by name, and the file that they are from."""

    arrays: Mapping[str, np.ndarray]  # the keys are the paths of the leaves
    context: Mapping[str, np.ndarray]  # arrays that a policy needs besides its parameters, such as moments/mean
    origin: str  # the path of the file, for messages
    sha256: str  # checksum of the file


def read_parameters(source: str | Path) -> NamedParameters:
    """Reads the best parameters of a run directory, or the parameters in a file.

    Args:
        source: a run directory, one of its checkpoints, a file that `nograd export` wrote, or another .safetensors file
            whose tensors are named by their paths, such as layers/0/kernel.
    Raises:
        RunError: there is no such file, or it is damaged.
    """
    path = _file_of(Path(source))
    try:
        checksum = hashlib.sha256(path.read_bytes()).hexdigest()
        with safe_open(path, framework="numpy") as file:
            header = file.metadata() or {}
            found = {} if is_checkpoint(header) else {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise RunError(f"there is no file {path}; give a run directory or a {SUFFIX} file") from None
    except (SafetensorError, OSError, ValueError, TypeError) as error:
        raise RunError(f"{path} cannot be read as parameters ({error}); give a {SUFFIX} file") from error
    params, context = _of_state(read_checkpoint(path)[0]) if is_checkpoint(header) else _of_export(found)
    return NamedParameters(params, context, str(path.absolute()), checksum)


def _file_of(source: Path) -> Path:
    if not source.is_dir():
        return source
    if (chosen := RunDirectory.open(source).chosen) is None:
        raise RunError(f"{source} has no checkpoint yet; let it train first: nograd train --resume {source}")
    return chosen


def _of_state(arrays: Mapping[str, np.ndarray]) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """(parameters, context) of a saved state; in runs on environments the strategy's state is below "search"."""
    return part_of(arrays, "search/params") or part_of(arrays, "params"), part_of(arrays, "context")


def _of_export(arrays: Mapping[str, np.ndarray]) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    context = part_of(arrays, CONTEXT)
    return {name: array for name, array in arrays.items() if relative_name(name, CONTEXT) is None}, context


def part_of(arrays: Mapping[str, np.ndarray], part: str) -> dict[str, np.ndarray]:
    """The arrays whose names begin with this path, by the rest of their names."""
    return {own: array for name, array in arrays.items() if (own := relative_name(name, part)) is not None}
