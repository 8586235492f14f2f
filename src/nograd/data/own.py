"""Tables, frames and arrays as the fields of a data set."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from nograd.core.types import DataError
from nograd.data.array_parts import ArrayParts, array_target, sizes_note
from nograd.data.arrays import PARTS, Array
from nograd.data.frames import array_columns, as_array, frame_table, is_frame
from nograd.data.table import Table, row_place
from nograd.data.tables import TableOptions, prepare
from nograd.data.targets import Target

_OPTIONS = ("problem", "columns", "drop", "kinds", "split", "seed", "standardize", "test", "val", "name")


def table_fields(
    table: Table, options: TableOptions, name: str, val: Table | None = None, test: Table | None = None
) -> dict[str, Any]:
    """The fields of a data set made of a table."""
    made = prepare(table, options, val, test)
    arrays = {
        f"{axis}_{part}": array for part, pair in made.parts.items() for axis, array in zip("xy", pair, strict=True)
    }
    sizes = [len(made.parts[part][0]) for part in PARTS]
    return {
        "name": name,
        **arrays,
        "classes": made.target.outputs,
        # The columns are scaled already, in float64.
        "offset": np.float32(0) * np.ones((), np.float32),
        "scale": np.ones((), np.float32),
        "columns": tuple(column.name for column in made.encoding.columns),
        "note": sizes_note(table.source, *sizes),
        "target": made.target,
        "encoding": made.encoding,
        "account": made.account,
        "remarks": made.remarks,
        "rows": made.rows,
    }


def frame_fields(frame: Any, label: str | Sequence[str] | None, options: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a data set made of a frame."""
    given = _checked(options)
    others = [None if part is None else _frame_part(part, word) for part, word in given["parts"]]
    return table_fields(frame_table(frame), TableOptions(label=label, **given["options"]), given["name"], *others)


def _frame_part(part: Any, word: str) -> Table:
    if not is_frame(part):
        raise DataError(f"the {word} part is a {type(part).__name__}; give a frame, as for the training")
    return frame_table(part, f"the {word} frame")


def array_fields(x: Any, y: Any, names: Sequence[str] | None, options: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a data set made of arrays: a table, or images."""
    given = _checked(options)
    others = [(word, _pair(part, word)) for part, word in given["parts"]]
    if not is_frame(x):
        x = _examples(x, "x")
        if x.ndim > 2:
            pairs = {"train": (x, y), "val": others[0][1], "test": others[1][1]}
            arrays = {part: (as_array(p[0], "x"), as_array(p[1], "y")) for part, p in pairs.items() if p is not None}
            return ArrayParts(arrays, "arrays", given["name"]).fields(**given["arrays"])
    table, labels = _pair_table(x, y, names, "the arrays")
    tables = [None if pair is None else _pair_table(*pair, names, f"the {word} arrays")[0] for word, pair in others]
    table_options = TableOptions(label=labels, positional=not is_frame(x), **given["options"])
    return table_fields(table, table_options, given["name"], *tables)


def _examples(x: Any, what: str) -> Array:
    """Inputs as an array with an example a row."""
    array = as_array(x, what)
    if array.ndim == 0 or not len(array):
        raise DataError(f"{what} must have shape [examples, features], got {array.shape}; give one row an example")
    return array


def _pair(part: Any, word: str) -> tuple[Any, Any] | None:
    """The inputs and labels of a part that is given as (x, y)."""
    if part is None:
        return None
    if not isinstance(part, tuple | list) or len(part) != 2:
        raise DataError(f"the {word} part is a {type(part).__name__}; give (x, y), as for the training")
    return part[0], part[1]


def _pair_table(x: Any, y: Any, names: Sequence[str] | None, source: str) -> tuple[Table, list[str]]:
    """Inputs and labels as one table, and the names of its label columns."""
    if is_frame(x):
        columns = list(frame_table(x, "x").frame.get_columns())
    else:
        columns = array_columns(_examples(x, "x"), names, "x", Table(pl.DataFrame(), "x", row_place))
    targets = _labels(y, [column.name for column in columns])
    if len(targets[0]) != len(columns[0]):
        raise DataError(
            f"x has {len(columns[0])} examples but y has {len(targets[0])} labels; give one label an example"
        )
    return Table(pl.DataFrame([*columns, *targets]), source, row_place), [column.name for column in targets]


def _labels(y: Any, taken: Sequence[str]) -> list[pl.Series]:
    """The label columns: y, or y0, y1, …"""
    table = Table(pl.DataFrame(), "y", row_place)
    if is_frame(y):
        return list(frame_table(y, "y").frame.get_columns())
    array = as_array(y, "y")
    if array.ndim not in (1, 2) or not array.size:
        raise DataError(
            f"y must have shape [examples] or [examples, labels], got {array.shape}; give one label an example"
        )
    columns = array_columns(array.reshape(-1) if array.shape[1:] == (1,) else array_target(array), None, "y", table)
    name = getattr(y, "name", None)
    if len(columns) == 1 and isinstance(name, str):
        columns = [columns[0].rename(name)]
    return [column.rename(f"{column.name} label") if column.name in taken else column for column in columns]


def _checked(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a call, sorted by who reads them."""
    unknown = [name for name in options if name not in _OPTIONS]
    if unknown:
        raise DataError(f"a data set has no option {unknown[0]!r}; the options are {', '.join(_OPTIONS)}")
    given = dict(options)
    parts = [(given.pop("val", None), "validation"), (given.pop("test", None), "test")]
    name = given.pop("name", "data")
    arrays = {key: given[key] for key in ("problem", "split", "seed", "standardize") if key in given}
    return {"options": given, "parts": parts, "name": name, "arrays": arrays}


__all__ = ["Target", "array_fields", "frame_fields", "table_fields"]
