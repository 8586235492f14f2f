"""Checkpoints: one safetensors file each, written atomically, checked when read. Loading one runs no code."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import jax
import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from nograd.core.trees import leaf_names, relative_name
from nograd.core.types import CheckpointError, PyTree, RunError

_FORMAT = "nograd-checkpoint-1"


def write_atomically(path: Path, content: bytes) -> None:
    """The whole content or the old file, never a part: a temporary file, synced, renamed over `path`.

    Raises:
        RunError: the folder cannot be written or the disk is full; the old file stands.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise RunError(
            f"cannot write {path}: {error.strerror or error}; make room or permit it, then go on with --resume"
        ) from error


def save_checkpoint(path: Path, state: PyTree, meta: dict[str, Any]) -> None:
    """Writes a tree of arrays, and `meta` as JSON, to one file.

    Args:
        path: the file, in a folder that exists.
        state: any tree of arrays; leaves are stored under their paths.
        meta: of JSON types.
    """
    # order="C", not ascontiguousarray: that would give scalars an axis.
    leaves = [np.asarray(leaf, order="C") for leaf in jax.tree.leaves(state)]
    arrays = dict(zip(leaf_names(state), leaves, strict=True))
    header = {"format": _FORMAT, "meta": json.dumps(meta), "sha256": _digest(arrays)}
    write_atomically(path, save(arrays, header))


def load_checkpoint(path: Path, like: PyTree, part: str = "") -> tuple[PyTree, dict[str, Any]]:
    """The tree and `meta` of a checkpoint whose leaves have the paths, shapes and types of `like`.

    Args:
        path: the file.
        like: a tree of arrays or of `jax.ShapeDtypeStruct`.
        part: read only what lies below this path, such as "params".

    Raises:
        CheckpointError: the file is truncated, damaged, not a checkpoint, or of another model.
    """
    arrays, meta = _read(path)
    if part:
        arrays = {name: a for n, a in arrays.items() if (name := relative_name(n, part)) is not None}
    names, leaves = leaf_names(like), jax.tree.leaves(like)
    if missing := sorted(set(names) ^ set(arrays)):
        raise CheckpointError(
            f"checkpoint {path} is of another model or optimizer: {missing[0]!r} is in only one of the two; "
            "resume with the settings the run was started with"
        )
    for name, leaf in zip(names, leaves, strict=True):
        found, wanted = arrays[name], (tuple(leaf.shape), np.dtype(leaf.dtype))
        if (found.shape, found.dtype) != wanted:
            raise CheckpointError(
                f"checkpoint {path} is of another model: {name!r} is {found.dtype}{list(found.shape)} there "
                f"and {wanted[1]}{list(wanted[0])} here; resume with the model the run was started with"
            )
    return jax.tree.unflatten(jax.tree.structure(like), [jax.numpy.asarray(arrays[n]) for n in names]), meta


def checkpoint_meta(path: Path) -> dict[str, Any]:
    """The `meta` of a checkpoint, after the same checks as `load_checkpoint` makes of the file itself."""
    return _read(path)[1]


def _read(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    try:
        with safe_open(path, framework="numpy") as file:
            header = file.metadata() or {}
            if header.get("format") != _FORMAT:
                raise CheckpointError(f"{path} is not a nograd checkpoint ({_FORMAT})")
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise CheckpointError(f"there is no checkpoint {path}") from None
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"checkpoint {path} is truncated or damaged ({error})") from error
    if _digest(arrays) != header.get("sha256"):
        raise CheckpointError(f"checkpoint {path} is damaged: its checksum does not match its content")
    return arrays, json.loads(header["meta"])


def _digest(arrays: dict[str, np.ndarray]) -> str:
    digest = hashlib.sha256()
    for name in sorted(arrays):
        digest.update(f"{name} {arrays[name].dtype} {arrays[name].shape}\n".encode())
        digest.update(arrays[name].tobytes())
    return digest.hexdigest()
