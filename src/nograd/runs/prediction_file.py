"""Predictions for a file of new examples, with chosen columns of that file, as CSV, Parquet or JSON."""

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

if TYPE_CHECKING:  # imports Polars, which arrays do not need
    import polars as pl

    from nograd.data.table import Table

SUFFIXES = (".csv", ".parquet", ".json", ".jsonl")
STDIN = "-"
ALL = "all"


class Predictions(NamedTuple):
    """The predictions for the examples of a file."""

    names: tuple[str, ...]  # names of the predicted columns
    cells: list[list[str]]  # the predictions as text, one list per example
    values: list[list[Any]]  # the predictions as numbers and names, one list per column
    kept: "pl.DataFrame | None"  # columns that are copied from the file
    kept_cells: list[list[str]]  # these columns as text, one list per example
    unknown: tuple[str, ...]  # columns of the file that are neither used by the model nor kept
    remarks: tuple[str, ...] = ()  # notes for the user on how the file was read

    def __len__(self) -> int:
        return len(self.cells)


def predict_file(run: Run, file: str, proba: bool = False, keep: str | None = None) -> Predictions:
    """Predicts the examples in a file.

    Args:
        run: the run whose network predicts.
        file: any file of inputs that `load_inputs` reads; "-" for CSV on standard input.
        proba: whether to add the probability of each class.
        keep: columns of a table to copy, such as "id,name", or "all".
    Raises:
        DataError: the file cannot be read, or its columns or values do not fit the run.
        ConfigError: the run has no columns to keep, or has no probabilities.
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
        table = read_table(path, encoding.names)
        x = encoding.encode(table, None)
        kept, cells = _kept(table, path, _names(keep, table))
        there = set(kept.columns) if kept is not None else set()
        unknown = tuple(name for name in encoding.unknown(table.frame.columns) if name not in there)
        return _predicted(run, x, proba, kept, cells, unknown, table.remarks)


@contextmanager
def _on_disk(file: str) -> Iterator[Path]:
    """The path of the file. Standard input is first copied to a file, which messages call "standard input"."""
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
    """The columns to copy, in the order of the setting."""
    names = table.frame.columns if keep == ALL else list(dict.fromkeys(name_list(keep)))
    for name in names:
        if name not in table.frame.columns:
            raise DataError(f"{table.source} has no column '{name}' to keep; it has {shown_names(table.frame.columns)}")
    return names


def _kept(table: "Table", path: Path, names: Sequence[str]) -> "tuple[pl.DataFrame | None, list[list[str]]]":
    """The columns as values, and as text exactly as in the file, so that an id 007 stays 007."""
    if not names:
        return None, []
    import polars as pl

    frame = table.frame.select(names)
    cells = read_cells(path, table.frame.columns)
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
    """CSV with a header and one row per example: first the kept columns, then the predictions."""
    kept = found.kept.columns if found.kept is not None else []
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow([*kept, *found.names])
    before = found.kept_cells or [[] for _ in found.cells]
    writer.writerows(a + b for a, b in zip(before, found.cells, strict=True))
    return written.getvalue().encode()


def encoded(found: Predictions, suffix: str) -> bytes:
    """The content of a file with this suffix, such as .parquet.

    Raises:
        ConfigError: the columns cannot be written in this format.
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
    """A cell as a JSON value; dates and times become text."""
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def check_out(out: str) -> str:
    """The suffix of the file to write. Raises ConfigError if it is not one of `SUFFIXES`."""
    suffix = Path(out).suffix.lower()
    if suffix not in SUFFIXES:
        raise ConfigError(f"--out cannot be {out}; end it in {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}")
    return suffix
