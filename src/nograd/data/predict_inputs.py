"""Inputs without labels, for prediction with a trained model."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nograd.core.types import DataError
from nograd.data.arrays import Array
from nograd.data.arrays_encoding import ArrayEncoding
from nograd.data.idx import read_idx
from nograd.data.images import SUFFIXES as IMAGES
from nograd.data.images import read_images
from nograd.data.messages import name_list, one_line
from nograd.data.numpy_files import read_npy, read_npz
from nograd.data.paths import is_file, is_folder
from nograd.data.read.formats import read_table, table_format

if TYPE_CHECKING:
    from nograd.data.encoding import Encoding
from nograd.data.checks import as_features


def load_inputs(
    path: str | Path,
    shape: tuple[int, ...],
    columns: tuple[str, ...] = (),
    encoding: "Encoding | ArrayEncoding | None" = None,
    keep: Sequence[str] | None = (),
) -> Array:
    """The examples in a file, as x uint8 or float32 [examples, *shape], as the data set stores them.

    Args:
        path: a table (.csv, .parquet, …), .npz with key x or one array, .npy, IDX (plain or .gz), an image, or a
            folder of images.
        shape: of one example, as the model was trained on. Rows of equally many numbers are reshaped to it.
        columns: the columns to take from a table of numbers, in the order of the network's inputs; () for all.
        encoding: what the training learnt of its data: a table is encoded by it, by the names of its columns, and
            arrays must be in its unit.
        keep: columns that may be there although the training did not use them; None for any.
    Raises:
        DataError: unreadable, examples of another shape or unit, a missing or unknown column, or values not finite.
    """
    path = Path(path)
    if is_folder(path) and len(shape) > 1:
        return _checked(read_images(_images_in(path), shape=shape), encoding, path)
    if not is_file(path):
        raise DataError(f"{path} is {'a folder' if is_folder(path) else 'not found'}; give a file of inputs")
    if table_format(path) and encoding is not None and not isinstance(encoding, ArrayEncoding):
        return encoding.encode(read_table(path, encoding.names), keep)
    x = as_features(_with_axis(_read(path, shape, columns), shape), f"x of {path}")
    return _checked(_reshape(x, shape, path), encoding, path)


def _checked(x: Array, encoding: "Encoding | ArrayEncoding | None", path: Path) -> Array:
    """`x`, if it is in the unit of the training."""
    return encoding.check(x, f"x of {path}") if isinstance(encoding, ArrayEncoding) else x


def _read(path: Path, shape: tuple[int, ...], columns: tuple[str, ...]) -> Array:
    """The numbers in a file, whatever it is."""
    suffix = path.suffix.lower()
    if table_format(path):
        return _read_columns(path, columns)
    if suffix == ".npz":
        return _read_npz_inputs(path)
    if suffix == ".npy":
        return read_npy(path)
    if suffix in IMAGES:
        return read_images([path], shape=shape)
    if suffix == ".gz" or "ubyte" in path.name or "idx" in path.name:
        return read_idx(path)
    raise DataError(f"{path} has suffix '{suffix}'; give inputs as .npz, .npy, .csv or IDX (.gz or not)")


def _images_in(folder: Path) -> list[Path]:
    """The images of a folder, in the order of their names."""
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in IMAGES)
    if not files:
        raise DataError(f"{folder} has no images in it; give a folder of images, or a file of inputs")
    return files


def _read_columns(path: Path, columns: tuple[str, ...]) -> Array:
    """The chosen columns of a table of numbers, or all of them, as float64 [rows, columns]."""
    from nograd.data.columns import canonical

    table = read_table(path, columns)
    missing = [name for name in columns if name not in table.frame.columns]
    if missing:
        raise DataError(
            f"{path} lacks the columns {name_list(missing)} that the model was trained on; "
            f"it has {name_list(table.frame.columns)}: add or rename them"
        )
    wanted = list(columns or table.frame.columns)
    frame = canonical(table._replace(frame=table.frame.select(wanted)), {}).frame
    for column in frame.get_columns():
        _check_numbers(column, table)
    return frame.to_numpy().astype(np.float64)


def _check_numbers(column: Any, table: Any) -> None:
    """Raises DataError at the first cell of a column that is missing or no number."""
    place = f"column '{one_line(column.name)}'"
    if column.null_count():
        row = int(column.is_null().arg_max())
        raise DataError(
            f"{table.source} {table.place(row)}, {place}: '' is a missing value; fill it in or drop the row"
        )
    if not (column.dtype.is_float() or column.dtype.is_integer() or str(column.dtype) == "Boolean"):
        raise DataError(
            f"{table.source} {table.place(0)}, {place}: '{one_line(column[0])}' is not a number; "
            "this model takes numbers alone"
        )


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
