"""CSV files of numbers: the header, the fast way in, and the search for the cell that is wrong."""

import csv
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np

from nograd.core.types import DataError
from nograd.data.dataset import Array

_DELIMITERS = ",;\t"
_MISSING = {"", "na", "n/a", "nan", "null", "none", "?", "-", "."}


class Header(NamedTuple):
    """The first line of a CSV file."""

    columns: tuple[str, ...]  # stripped of spaces, all different, none empty
    delimiter: str


def read_header(path: Path) -> Header:
    """The column names, and the delimiter among comma, semicolon and tab that divides them.

    Raises:
        DataError: unreadable, empty, without a header, or a name that is empty or comes twice.
    """
    with _reading(path), path.open(newline="", encoding="utf-8-sig") as handle:
        line = next((line for line in handle if line.strip()), "")
        unquoted = re.sub(r'"[^"]*"', "", line)
        delimiter = max(_DELIMITERS, key=unquoted.count)  # the comma if there is none at all
        handle.seek(0)
        _, row = next(_filled(handle, delimiter), (0, []))
    columns = tuple(name.strip() for name in row)
    _check_header(path, columns)
    return Header(columns, delimiter)


def read_numbers(path: Path, header: Header, columns: Sequence[str], label: str | None = None) -> Array:
    """The cells of `columns`, in their order, as float64 [rows, columns]; every one is finite.

    Args:
        label: which of the columns is the label; text in it gets another remedy.
    Raises:
        DataError: no rows, a row of another length than the header, or a cell that is not a number.
    """
    position = {name: i for i, name in enumerate(header.columns)}
    order = [position[name] for name in columns]
    table = _read_fast(path, header) if set(columns) == set(header.columns) else None
    if table is None:
        # Slower, but it knows the line. Also for a choice of columns: the others may be text.
        rows = [_parse(path, line, row, header, order, label) for line, row in _rows(path, header)]
        table = np.array(rows, np.float64).reshape(len(rows), len(order))
    else:
        table = table[:, order]
    if not len(table):
        raise DataError(f"{path} has a header but no rows; add one row an example")
    return table


def line_of(path: Path, header: Header, row: int) -> str:
    """ "line 18" for an index into the rows of a table; blank lines and the header count as lines."""
    return next(f"line {line}" for index, (line, _) in enumerate(_rows(path, header)) if index == row)


def name_list(columns: Sequence[str], limit: int = 12) -> str:
    """Column names for a message, the first `limit` of them."""
    more = f" … ({len(columns)} in all)" if len(columns) > limit else ""
    return ", ".join(one_line(name) for name in columns[:limit]) + more


def one_line(text: object) -> str:
    """Text of any origin on one line of at most 60 characters."""
    flat = " ".join(str(text).split())
    return flat if len(flat) <= 60 else f"{flat[:59]}…"


def _read_fast(path: Path, header: Header) -> Array | None:
    """All cells by NumPy's parser, in C; None if anything at all is unusual."""
    with _reading(path), path.open(newline="", encoding="utf-8-sig") as handle:
        next(_filled(handle, header.delimiter))
        first = next((line for line in handle if line.strip()), None)
        if first is None:
            return None

        def lines() -> Iterator[str]:
            yield first
            yield from handle

        try:
            table = np.loadtxt(lines(), comments=None, delimiter=header.delimiter, ndmin=2, quotechar='"')
        except ValueError:
            return None
    good = table.shape[1] == len(header.columns) and bool(np.isfinite(table).all())
    return table if good else None


def _rows(path: Path, header: Header) -> Iterator[tuple[int, list[str]]]:
    """The rows below the header, each with the number of the line it ends on."""
    with _reading(path), path.open(newline="", encoding="utf-8-sig") as handle:
        rows = _filled(handle, header.delimiter)
        next(rows)  # the header
        yield from rows


def _filled(lines: Iterable[str], delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """The rows that are not blank, each with the number of the line it ends on."""
    reader = csv.reader(lines, delimiter=delimiter)
    return ((reader.line_num, row) for row in reader if len(row) > 1 or "".join(row).strip())


def _parse(path: Path, line: int, row: list[str], header: Header, order: list[int], label: str | None) -> list[float]:
    """The numbers of one row, in `order`."""
    if len(row) != len(header.columns):
        raise DataError(
            f"{path} line {line} has {len(row)} cells but the header has {len(header.columns)}; "
            "give every row one cell a column, and quote cells that contain the delimiter"
        )
    try:
        cells = [row[i] for i in order]
        numbers = [float(cell) for cell in cells]
        if all(map(math.isfinite, numbers)) and "_" not in "".join(cells):
            return numbers
    except ValueError:
        pass
    wrong = next(i for i in order if not _is_number(row[i]))
    raise DataError(_cell_message(path, line, header.columns[wrong], row[wrong].strip(), label))


def _is_number(cell: str) -> bool:
    """Whether a cell is a finite number; Python alone would take 1_000 for one."""
    try:
        return math.isfinite(float(cell)) and "_" not in cell
    except ValueError:
        return False


def _cell_message(path: Path, line: int, column: str, cell: str, label: str | None) -> str:
    """What is wrong with a cell, and what to do about it."""
    where = f"{path} line {line}, column '{one_line(column)}'"
    shown = f"'{one_line(cell)}'"
    if cell.lower() in _MISSING:
        return f"{where}: {shown} is a missing value; fill it in or drop the row before training"
    if column == label:
        return f"{where}: the label {shown} is not a whole number; map the labels to 0..k-1"
    if re.fullmatch(r"[-+]?\d+,\d+", cell):
        return f"{where}: {shown} has a decimal comma; write it with a decimal point"
    if cell.lower().lstrip("+-") in {"inf", "infinity"}:
        return f"{where}: {shown} is not finite; clean or drop the row before training"
    return f"{where}: {shown} is not a number; encode text as numbers or drop the column"


def _check_header(path: Path, columns: tuple[str, ...]) -> None:
    """Raises DataError unless every column has a name of its own."""
    if not columns:
        raise DataError(f"{path} is empty; give a header row and one row an example")
    if all(_is_number(name) for name in columns):
        raise DataError(
            f"{path} has no header row, its first line is all numbers ({name_list(columns, 4)}); "
            "add a line of column names above it"
        )
    if "" in columns:
        raise DataError(
            f"column {columns.index('') + 1} in the header of {path} has no name; name it, or write the file "
            "without its row index (pandas: index=False)"
        )
    (name, count), *_ = Counter(columns).most_common(1)
    if count > 1:
        raise DataError(
            f"the header of {path} has the column '{one_line(name)}' {count} times; rename or drop the others"
        )


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turns what can go wrong on the way from disk to text into a DataError."""
    try:
        yield
    except OSError as error:
        raise DataError(f"cannot read {path} ({error.strerror}); check path and permissions") from error
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        raise DataError(f"{path} is not UTF-8 text (it has byte 0x{byte:02x}); save it as UTF-8") from error
    except csv.Error as error:
        raise DataError(f"{path} is not CSV ({one_line(error)}); check its quotes and delimiter") from error
