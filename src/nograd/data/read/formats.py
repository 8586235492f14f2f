"""The registry of files that hold a table. To add a format: a module with a reader beside this file, and a line here.

It imports no reader before a file needs it.
"""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from nograd.data.table import Table


class Format(NamedTuple):
    """How the files of one format are read."""

    suffixes: tuple[str, ...]
    reader: str  # "module:function" of this folder, from a path to a `Table`
    packed: bool = False  # compressed by itself: never .gz as well


FORMATS = (
    Format((".csv", ".tsv", ".tab"), "delimited:read_delimited"),
    Format((".parquet", ".pq"), "parquet:read_parquet"),
    Format((".json",), "records:read_json"),
    Format((".jsonl", ".ndjson"), "records:read_jsonl"),
    Format((".xlsx", ".xlsm"), "excel:read_excel", packed=True),
)
SUFFIXES = tuple(suffix for form in FORMATS for suffix in form.suffixes)


def table_format(path: Path) -> Format | None:
    """The format of x.csv, and of x.csv.gz; None for what is no table by its name."""
    suffixes = [suffix.lower() for suffix in path.suffixes[-2:]]
    gzipped = suffixes[-1:] == [".gz"]
    suffix = suffixes[0] if gzipped else suffixes[-1] if suffixes else ""
    return next((form for form in FORMATS if suffix in form.suffixes and not (gzipped and form.packed)), None)


def read_table(path: Path) -> "Table":
    """The table in a file whose name has a `table_format`."""
    form = table_format(path)
    assert form is not None, path
    module, function = form.reader.split(":")
    return getattr(import_module(f"nograd.data.read.{module}"), function)(path)
