"""Checkpoints: one safetensors file each, written atomically, verified when read. Loading one runs no code."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from nograd.core.json_text import to_json
from nograd.core.trees import leaf_names, plain_names, relative_name
from nograd.core.types import CheckpointError, PyTree
from nograd.runs.files import write_atomically

# The first format had no checksum over `meta`; it can still be read.
_FORMAT, _FIRST = "nograd-checkpoint-2", "nograd-checkpoint-1"


def save_checkpoint(path: Path, state: PyTree, meta: dict[str, Any]) -> None:
    """Writes a tree of arrays, and `meta` as JSON, to one file.

    Args:
        path: the file; its folder must exist.
        state: any tree of arrays; each leaf is stored under its path in the tree.
        meta: a dict of JSON values.

    Raises:
        RunError: the file cannot be written.
    """
    # order="C", not ascontiguousarray: that would give scalars an axis.
    leaves = [np.asarray(leaf, order="C") for leaf in jax.tree.leaves(state)]
    arrays = dict(zip(leaf_names(state), leaves, strict=True))
    text = to_json(meta)
    header = {"format": _FORMAT, "meta": text, "sha256": _digest(arrays, text)}
    write_atomically(path, save(arrays, header))


def load_checkpoint(path: Path, like: PyTree, part: str = "") -> tuple[PyTree, dict[str, Any]]:
    """Reads the tree and the `meta` of a checkpoint.

    Args:
        path: the file.
        like: a tree of arrays or of `jax.ShapeDtypeStruct` with the paths, shapes and types that the file must have.
        part: read only the leaves below this path, such as "params"; default all.

    Returns:
        A tree like `like`, and `meta`.

    Raises:
        CheckpointError: the file is truncated, damaged, not a checkpoint, or of another model.
    """
    arrays, meta = read_checkpoint(path)
    if part:
        arrays = {name: a for n, a in arrays.items() if (name := relative_name(n, part)) is not None}
    names, leaves = leaf_names(like), jax.tree.leaves(like)
    if missing := sorted(set(names) ^ set(arrays)):
        raise CheckpointError(
            f"checkpoint {path} is of another model or optimizer: {plain_names(missing)[0]!r} is in only one of the "
            "two; resume with the settings the run was started with"
        )
    for name, leaf in zip(names, leaves, strict=True):
        found, wanted = arrays[name], (tuple(leaf.shape), np.dtype(leaf.dtype))
        if (found.shape, found.dtype) != wanted:
            raise CheckpointError(
                f"checkpoint {path} is of another model: {plain_names([name])[0]!r} is {found.dtype}"
                f"{list(found.shape)} there and {wanted[1]}{list(wanted[0])} here; "
                "resume with the model the run was started with"
            )
    return jax.tree.unflatten(jax.tree.structure(like), [jax.numpy.asarray(arrays[n]) for n in names]), meta


def checkpoint_meta(path: Path) -> dict[str, Any]:
    """The `meta` of a checkpoint. Raises CheckpointError if the file is damaged."""
    return read_checkpoint(path)[1]


def read_checkpoint(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """All arrays of a checkpoint by name, and its `meta`. Raises CheckpointError if it is missing or damaged."""
    try:
        with safe_open(path, framework="numpy") as file:
            header = file.metadata() or {}
            if not is_checkpoint(header):
                raise CheckpointError(f"{path} is not a nograd checkpoint ({_FORMAT})")
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        text = header["meta"]
        if _digest(arrays, "" if header["format"] == _FIRST else text) != header["sha256"]:
            raise CheckpointError(f"checkpoint {path} is damaged: its checksum does not match its content")
        return arrays, json.loads(text)
    except FileNotFoundError:
        raise CheckpointError(f"there is no checkpoint {path}") from None
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"checkpoint {path} is truncated or damaged ({error})") from error


def is_checkpoint(header: Mapping[str, str]) -> bool:
    """Whether the metadata of a safetensors file say that it is a checkpoint."""
    return header.get("format") in (_FORMAT, _FIRST)


def _digest(arrays: dict[str, np.ndarray], meta: str) -> str:
    digest = hashlib.sha256()
    for name in sorted(arrays):
        digest.update(f"{name} {arrays[name].dtype} {arrays[name].shape}\n".encode())
        digest.update(arrays[name].tobytes())
    digest.update(meta.encode())
    return digest.hexdigest()
