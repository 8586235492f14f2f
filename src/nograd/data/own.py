"""Tables, frames and arrays as the fields of a data set."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from nograd.core.types import DataError
from nograd.data.array_parts import ArrayParts, array_target, sizes_note
from nograd.data.arrays import PARTS
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
    others = [None if part is None else frame_table(part, f"the {word} frame") for part, word in given["parts"]]
    return table_fields(frame_table(frame), TableOptions(label=label, **given["options"]), given["name"], *others)


def array_fields(x: Any, y: Any, names: Sequence[str] | None, options: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a data set made of arrays: a table, or images."""
    given = _checked(options)
    if is_frame(x):
        table = frame_table(x, "x")
        columns, source = list(table.frame.get_columns()), table
    else:
        x, source = as_array(x, "x"), Table(pl.DataFrame(), "x", row_place)
        if x.ndim == 0 or not len(x):
            raise DataError(f"x must have shape [examples, features], got {x.shape}; give one row an example")
        if x.ndim > 2:
            y = as_array(y, "y")
            return ArrayParts({"train": (x, y)}, "arrays", given["name"]).fields(**given["arrays"])
        columns = array_columns(x, names, "x", source)
    targets = _labels(y, [column.name for column in columns])
    if len(targets[0]) != len(columns[0]):
        raise DataError(
            f"x has {len(columns[0])} examples but y has {len(targets[0])} labels; give one label an example"
        )
    table = Table(pl.DataFrame([*columns, *targets]), "the arrays", row_place)
    labels = [column.name for column in targets]
    return table_fields(
        table, TableOptions(label=labels, positional=not is_frame(x), **given["options"]), given["name"]
    )


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
