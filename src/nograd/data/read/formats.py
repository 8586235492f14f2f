"""Chooses the reader of a table by the name of its file, from the registry `config.axes.DATA_FORMATS`.

No reader is imported before a file needs it.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from nograd.config.axes import DATA_FORMATS
from nograd.config.registry import Entry, load

if TYPE_CHECKING:
    import polars as pl

    from nograd.data.table import Table

SUFFIXES = tuple(suffix for entry in DATA_FORMATS.entries.values() for suffix in entry.suffixes)


def table_format(path: Path) -> Entry | None:
    """The format of x.csv, and of x.csv.gz; None for what is no table by its name."""
    suffixes = [suffix.lower() for suffix in path.suffixes[-2:]]
    gzipped = suffixes[-1:] == [".gz"]
    suffix = suffixes[0] if gzipped else suffixes[-1] if suffixes else ""
    formats = [entry for entry in DATA_FORMATS.entries.values() if suffix in entry.suffixes]
    return next((entry for entry in formats if not (gzipped and entry.compressed)), None)


def read_table(path: Path, names: Iterable[str] = ()) -> "Table":
    """The table in a file whose name has a `table_format`.

    Args:
        path: the file.
        names: columns that the table should have. If one of them is column_1, column_2, …, a first line of numbers is
            data, although it may be names such as years.
    """
    entry = table_format(path)
    assert entry is not None, path
    table: Table = load(entry.build)(path, **_how(entry, names))
    return table


def read_cells(path: Path, names: Iterable[str] = ()) -> "pl.DataFrame | None":
    """The cells of a file of text just as they stand there, row by row as `read_table` has them; None of others."""
    entry = table_format(path)
    if entry is None or not entry.cells:
        return None
    cells: pl.DataFrame = load(entry.cells)(path, **_how(entry, names))
    return cells


def by_place(names: Iterable[str]) -> bool:
    """Whether one of the names is that of a column without one: column_1, column_2, …."""
    return any(re.fullmatch(r"column_[1-9]\d*", name) for name in names)


def _how(entry: Entry, names: Iterable[str]) -> dict[str, bool]:
    return {"headless": True} if entry.headless and by_place(names) else {}
