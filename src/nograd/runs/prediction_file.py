"""Predictions of a file of new examples, with columns of it carried along, as CSV, Parquet or JSON."""

import csv
import io
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from nograd.config.name_lists import name_list
from nograd.config.task_settings import a_kind
from nograd.core.json_text import to_json
from nograd.core.types import ConfigError, DataError
from nograd.data import ArrayEncoding, encoding_from_json, load_inputs
from nograd.data.messages import name_list as shown_names
from nograd.data.read.formats import read_cells, read_table, table_format
from nograd.runs.run import Run

if TYPE_CHECKING:  # Polars, which arrays do without
    import polars as pl

    from nograd.data.table import Table

SUFFIXES = (".csv", ".parquet", ".json", ".jsonl")
STDIN = "-"
ALL = "all"


class Predictions(NamedTuple):
    """What is predicted of the examples of a file."""

    names: tuple[str, ...]  # of the columns that are predicted
    cells: list[list[str]]  # their text, a list an example
    values: list[list[Any]]  # the same as numbers and names, a list a column
    kept: "pl.DataFrame | None"  # columns carried along
    kept_cells: list[list[str]]  # their text
    unknown: tuple[str, ...]  # columns that the model does not know and nobody asked to keep
    remarks: tuple[str, ...] = ()  # what a person should know of how the file was read

    def __len__(self) -> int:
        return len(self.cells)


def predict_file(run: Run, file: str, proba: bool = False, keep: str | None = None) -> Predictions:
    """The predictions of a run for the examples in a file.

    Args:
        file: anything that holds inputs (see `load_inputs`); "-" for CSV on standard input.
        proba: whether to add the probability of each class.
        keep: columns of a table to carry along, "id,name", or "all".
    Raises:
        DataError: what is wrong with the file.
        ConfigError: nothing to keep, or no probabilities, in a run of this kind.
    """
    data = run.config["data"]
    if "input_shape" not in data:
        raise ConfigError(f"{run.path} was trained on {a_kind(run.settings.task)}; predict is for runs on data sets")
    recorded = data.get("encoding")
    encoding = encoding_from_json(recorded) if recorded else None
    with _on_disk(file) as path:
        if encoding is None or isinstance(encoding, ArrayEncoding) or not table_format(path):
            if keep:
                raise ConfigError(f"--keep {keep} is for tables, {run.path} was trained on arrays; leave it out")
            x = load_inputs(path, tuple(data["input_shape"]), tuple(data["columns"]), encoding, keep=None)
            return _predicted(run, x, proba, None, [], ())
        table = read_table(path)
        x = encoding.encode(table, None)
        kept, cells = _kept(table, path, _names(keep, table))
        there = set(kept.columns) if kept is not None else set()
        unknown = tuple(name for name in encoding.unknown(table.frame.columns) if name not in there)
        return _predicted(run, x, proba, kept, cells, unknown, table.remarks)


@contextmanager
def _on_disk(file: str) -> Iterator[Path]:
    """The file; standard input as a file of its own, which messages call so."""
    if file != STDIN:
        yield Path(file)
        return
    with tempfile.TemporaryDirectory(prefix="nograd-") as folder:
        path = Path(folder) / "stdin.csv"
        with path.open("wb") as copy:
            shutil.copyfileobj(sys.stdin.buffer, copy)
        try:
            yield path
        except DataError as error:
            raise DataError(str(error).replace(str(path), "standard input")) from error


def _predicted(
    run: Run,
    x: np.ndarray,
    proba: bool,
    kept: "pl.DataFrame | None",
    kept_cells: list[list[str]],
    unknown: tuple[str, ...],
    remarks: tuple[str, ...] = (),
) -> Predictions:
    outputs = run.outputs(x)
    header, *cells = csv.reader(io.StringIO(run.task.table(outputs, proba)))
    values = _columns(run.task.predictions(outputs))
    if proba:
        values += _columns(run.probabilities(outputs))
    taken = set(kept.columns) if kept is not None else set()
    names = tuple(f"predicted_{name}" if name in taken else name for name in header)
    return Predictions(names, cells, values, kept, kept_cells, unknown, remarks)


def _columns(array: np.ndarray) -> list[list[Any]]:
    """The columns of [examples] or [examples, columns]."""
    return [column.tolist() for column in array.reshape(len(array), -1).T]


def _names(keep: str | None, table: "Table") -> list[str]:
    """The columns to carry along, in the order asked for."""
    names = table.frame.columns if keep == ALL else list(dict.fromkeys(name_list(keep)))
    for name in names:
        if name not in table.frame.columns:
            raise DataError(f"{table.source} has no column '{name}' to keep; it has {shown_names(table.frame.columns)}")
    return names


def _kept(table: "Table", path: Path, names: Sequence[str]) -> "tuple[pl.DataFrame | None, list[list[str]]]":
    """Columns as values, and as text just as it stands in a file of text: an id 007 stays one."""
    if not names:
        return None, []
    import polars as pl

    frame = table.frame.select(names)
    cells = read_cells(path)
    if cells is not None and cells.height == frame.height:
        text = cells.select(names)
        typed = [
            frame[name] if (frame[name].cast(pl.String).fill_null("") == text[name]).all() else text[name]
            for name in names
        ]
        return pl.DataFrame(typed), [list(row) for row in text.rows()]
    try:
        written = frame.write_csv()
    except pl.exceptions.PolarsError as error:
        raise DataError(f"--keep cannot carry along lists or records of {table.source}; name other columns") from error
    _, *rows = csv.reader(io.StringIO(written))
    return frame, rows


def as_csv(found: Predictions) -> bytes:
    """A header, and a row an example: first what is carried along, then what is predicted."""
    kept = found.kept.columns if found.kept is not None else []
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow([*kept, *found.names])
    before = found.kept_cells or [[] for _ in found.cells]
    writer.writerows(a + b for a, b in zip(before, found.cells, strict=True))
    return written.getvalue().encode()


def encoded(found: Predictions, suffix: str) -> bytes:
    """The content of a file with this suffix.

    Raises:
        ConfigError: it is none of `SUFFIXES`.
    """
    if suffix == ".csv":
        return as_csv(found)
    import polars as pl

    predicted = pl.DataFrame([pl.Series(n, v, strict=False) for n, v in zip(found.names, found.values, strict=True)])
    frame = predicted if found.kept is None else pl.concat([found.kept, predicted], how="horizontal")
    if suffix == ".parquet":
        written = io.BytesIO()
        frame.write_parquet(written)
        return written.getvalue()
    records = [to_json({name: _plain(value) for name, value in row.items()}) for row in frame.iter_rows(named=True)]
    lines = "\n".join(records) if suffix == ".jsonl" else "[" + ",\n ".join(records) + "]"
    return f"{lines}\n".encode()


def _plain(value: Any) -> Any:
    """A value of a cell as JSON has it: times as text."""
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def check_out(out: str) -> str:
    """The suffix of a file to write. Raises ConfigError where no writer knows it."""
    suffix = Path(out).suffix.lower()
    if suffix not in SUFFIXES:
        raise ConfigError(f"--out cannot be {out}; end it in {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}")
    return suffix
