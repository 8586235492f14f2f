"""Inputs without labels, for prediction with a trained model."""

import math
from pathlib import Path

from nograd.core.types import DataError
from nograd.data.csv import name_list, read_header, read_numbers
from nograd.data.dataset import Array
from nograd.data.idx import read_idx
from nograd.data.numpy_files import read_npy, read_npz
from nograd.data.paths import is_file, is_folder
from nograd.data.validate import as_features


def load_inputs(path: str | Path, shape: tuple[int, ...], columns: tuple[str, ...] = ()) -> Array:
    """The examples in a file, as x uint8 or float32 [examples, *shape], in the units of the training data.

    Args:
        path: .npz with key x or one array, .npy, .csv with a header, or IDX (plain or .gz).
        shape: of one example, as the model was trained on. Rows of equally many numbers are reshaped to it.
        columns: the columns to take from a .csv file, in the model's order; all by default.
    Raises:
        DataError: unreadable, examples of another shape, a missing column, or values not finite.
    """
    path = Path(path)
    if not is_file(path):
        raise DataError(f"{path} is {'a folder' if is_folder(path) else 'not found'}; give a file of inputs")
    suffix = path.suffix.lower()
    if suffix == ".csv":
        x = _read_csv(path, columns)
    elif suffix == ".npz":
        x = _read_npz_inputs(path)
    elif suffix == ".npy":
        x = read_npy(path)
    elif suffix == ".gz" or "ubyte" in path.name or "idx" in path.name:
        x = read_idx(path)
    else:
        raise DataError(f"{path} has suffix '{suffix}'; give inputs as .npz, .npy, .csv or IDX (.gz or not)")
    return _reshape(as_features(_with_axis(x, shape), f"x of {path}"), shape, path)


def _read_csv(path: Path, columns: tuple[str, ...]) -> Array:
    """The chosen columns of a table, or all of them, as float64 [rows, columns]."""
    header = read_header(path)
    missing = [name for name in columns if name not in header.columns]
    if missing:
        raise DataError(
            f"{path} lacks the columns {name_list(missing)} that the model was trained on; "
            f"it has {name_list(header.columns)}: add or rename them"
        )
    return read_numbers(path, header, columns or header.columns)


def _read_npz_inputs(path: Path) -> Array:
    """The array x of a .npz file, or its only one."""
    arrays = read_npz(path)
    if "x" in arrays:
        return arrays["x"]
    if len(arrays) == 1:
        return next(iter(arrays.values()))
    raise DataError(f"{path} has no key x among {name_list(list(arrays)) or 'none'}; save the inputs as x")


def _with_axis(x: Array, shape: tuple[int, ...]) -> Array:
    """A plain list of numbers as a column, where the model takes one number an example."""
    return x.reshape(-1, 1) if x.ndim == 1 and math.prod(shape) == 1 else x


def _reshape(x: Array, shape: tuple[int, ...], path: Path) -> Array:
    """`x` with examples of `shape`, if it has them or its rows hold as many numbers."""
    if x.shape[1:] == shape:
        return x
    if x.ndim == 2 and x.shape[1] == math.prod(shape):
        return x.reshape(len(x), *shape)
    if x.shape == shape:
        raise DataError(f"{path} holds one example of shape {shape} without a batch axis; save x[None]")
    raise DataError(
        f"examples in {path} have shape {x.shape[1:]} but the model takes {shape}; "
        f"give exactly its {math.prod(shape)} features, without labels"
    )
