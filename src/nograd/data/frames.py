"""Tables from Python: frames of any library, mappings of columns, arrays and lists."""

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import narwhals as nw
import numpy as np
import polars as pl

from nograd.core.types import DataError
from nograd.data.arrays import Array
from nograd.data.messages import one_line
from nograd.data.read.records import series_of
from nograd.data.table import Table, check_names, row_place

_CELLS = (str, int, float, bool, type(None), np.generic, date)  # a datetime is a date


def is_frame(value: object) -> bool:
    """Whether `value` is a frame (pandas, Polars, PyArrow, …) or a mapping of columns."""
    return isinstance(value, Mapping) or bool(nw.dependencies.is_into_dataframe(value))


def frame_table(frame: Any, source: str = "the frame") -> Table:
    """A frame as a table. The index of a pandas frame is no column.

    Raises:
        DataError: two columns of one name, or a value that is neither number, text, date, true nor false.
    """
    empty = Table(pl.DataFrame(), source, row_place)
    if isinstance(frame, Mapping):
        columns = {str(name): as_array(values, f"column '{name}' of {source}") for name, values in frame.items()}
        if len({len(column) for column in columns.values()}) > 1:
            raise DataError(f"the columns of {source} have different lengths; give one value an example in each")
        return empty._replace(frame=pl.DataFrame([array_series(name, c, empty) for name, c in columns.items()]))
    names = [str(name) for name in frame.columns] if hasattr(frame, "columns") else []
    # PyArrow calls its arrays columns and its columns column_names.
    check_names([str(name) for name in getattr(frame, "column_names", names)], source)
    native = nw.from_native(frame, eager_only=True)
    if native.implementation in (nw.Implementation.POLARS, nw.Implementation.PYARROW):
        return empty._replace(frame=native.to_polars())
    return empty._replace(frame=pl.DataFrame([_series(native[name], empty) for name in native.columns]))


def _series(column: "nw.Series[Any]", table: Table) -> pl.Series:
    """A column of a library that Polars does not read without PyArrow."""
    name, kind = str(column.name), column.dtype
    present = ~column.is_null().to_numpy().astype(bool)
    if kind.is_numeric():
        values = column.cast(nw.Float64).to_list()
        return pl.Series(name, [v if ok else None for v, ok in zip(values, present, strict=True)], pl.Float64)
    values = [value if ok else None for value, ok in zip(column.to_list(), present, strict=True)]
    if isinstance(kind, nw.Datetime | nw.Date):
        return pl.Series(name, values, strict=False)
    return series_of(name, [v.item() if isinstance(v, np.generic) else v for v in values], table)


def as_array(values: Any, what: str) -> Array:
    """Numbers, text or truth values of any array library, or lists of them, as a NumPy array.

    Raises:
        DataError: not an array: lists of different lengths, or Python objects.
    """
    try:
        array = values if isinstance(values, np.ndarray) else np.asarray(_native(values))
    except Exception as error:
        raise DataError(
            f"{what} cannot be made an array ({one_line(error)}); give numbers, one row an example"
        ) from error
    if array.dtype == object and not all(isinstance(v, _CELLS) for v in array.flat):
        raise DataError(f"{what} holds Python objects, not numbers or text; give one value a cell")
    return array


def _native(values: Any) -> Any:
    """A list of mixed values as objects: NumPy alone would make text of the numbers in it."""
    if isinstance(values, Sequence) and values and not isinstance(values[0], Sequence | np.ndarray):
        kinds = {type(value) for value in values}
        return np.array(values, dtype=object) if len(kinds) > 1 and kinds & {str, type(None)} else values
    return values


def array_series(name: str, array: Array, table: Table) -> pl.Series:
    """A one-dimensional array as a column."""
    if array.ndim != 1:
        raise DataError(
            f"column '{one_line(name)}' of {table.source} has shape {array.shape}; give one value an example"
        )
    if array.dtype == object or array.dtype.kind == "S":
        values = array.tolist()
        if values and all(isinstance(value, date | None) for value in values):
            return pl.Series(name, values, strict=False)
        return series_of(name, [v.decode() if isinstance(v, bytes) else v for v in values], table)
    if array.dtype.kind == "M":
        return pl.Series(name, array.astype("datetime64[us]"))
    if array.dtype.kind in "uif":
        return pl.Series(name, array.astype(np.float64))
    if array.dtype.kind not in "bU":
        raise DataError(
            f"column '{one_line(name)}' of {table.source} has type {array.dtype}; give numbers, text or dates"
        )
    return pl.Series(name, array.tolist() if array.dtype.kind == "U" else array)


def array_columns(x: Array, names: Sequence[str] | None, prefix: str, table: Table) -> list[pl.Series]:
    """The columns of [examples] or [examples, columns], named `names`, or x0, x1, …"""
    matrix = x.reshape(len(x), -1)
    if names is None:
        names = [prefix] if x.ndim == 1 else [f"{prefix}{i}" for i in range(matrix.shape[1])]
    if len(names) != matrix.shape[1]:
        raise DataError(f"{table.source} has {matrix.shape[1]} columns but {len(names)} names; give one name a column")
    check_names(names, table.source)
    return [array_series(name, matrix[:, i], table) for i, name in enumerate(names)]


def array_table(x: Any, source: str) -> Table:
    """Inputs [examples] or [examples, columns] as a table of columns x0, x1, …

    Raises:
        DataError: they have another shape.
    """
    array, table = as_array(x, source), Table(pl.DataFrame(), source, row_place)
    if array.ndim != 2 or not len(array):
        raise DataError(f"{source} must have shape [examples, columns], got {array.shape}; give one row an example")
    return table._replace(frame=pl.DataFrame(array_columns(array, None, "x", table)))


def natural(name: str) -> tuple[tuple[tuple[str, int], ...], str]:
    """A sort key for names that puts x2 before x10; no two names have the same, x02 and x2 neither."""
    parts = re.findall(r"(\D*)(\d*)", name)
    return tuple((text, int(number) if number else -1) for text, number in parts), name
