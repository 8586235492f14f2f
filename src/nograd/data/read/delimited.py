"""Delimited text: .csv, .tsv and .txt as people have them. Polars reads; this module looks for what is wrong."""

import csv
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from nograd.core.types import DataError
from nograd.data.messages import one_line
from nograd.data.read.compressed import read_gzip
from nograd.data.read.header import NO_HEADER, header
from nograd.data.read.text_encoding import SAMPLE, WESTERN, as_utf8, mac_lines, western, without_sep_line
from nograd.data.table import INDEX_NAME, Table
from nograd.data.words import MISSING

_DELIMITERS = ",;\t|"
_PART = 1 << 22  # bytes that are looked through at once
_INFER = 10_000  # rows that Polars looks at to know a column's type; where later rows differ, all is read as text


class Text(NamedTuple):
    """A file of delimited text."""

    path: Path
    data: bytes | None  # its content as UTF-8 where the file itself is not plain UTF-8
    columns: tuple[str, ...]
    delimiter: str
    named: bool = True  # whether its first line held the names; else it was written above the data here
    remarks: tuple[str, ...] = ()


def read_delimited(path: Path, headless: bool = False) -> Table:
    """The table in a file of delimited text; its first line names the columns, or they are column_1, column_2, ….

    Args:
        path: UTF-8, UTF-16 or Windows-1252, perhaps with a byte order mark, perhaps .gz; cells are divided by commas,
            semicolons, tabs, bars or spaces.
        headless: whether a first line of numbers holds data, although it may be names, such as the years 1990,1991.
    Raises:
        DataError: unreadable, without rows, two columns of one name, or a row that is too short or long.
    """
    text, frame = _opened(path, headless)
    # A row without any content is an empty line, or commas that a spreadsheet left behind.
    first = pl.col(text.columns[0])
    spaces = first.str.strip_chars() == "" if frame.schema[text.columns[0]] == pl.String else first.is_null()
    blank = pl.all_horizontal(first.is_null() | spaces, *(pl.col(name).is_null() for name in text.columns[1:]))
    empty = frame.select(blank.any()).item() if frame.height else False
    if empty:
        text, frame = _without_gaps(text, frame.select(blank).to_series()), frame.filter(~blank)
    if not frame.height:
        raise DataError(f"{path} has a header but no rows; add one row an example")
    if frame.get_column(text.columns[-1]).null_count():
        _check_lengths(text, frame.height)
    if text.columns[0] == "":
        frame = _named_index(path, frame)
    return Table(frame, str(path), partial(_line_of, text), text.remarks)


def _without_gaps(text: Text, blank: pl.Series) -> Text:
    """Says how many empty rows were left out above others: what is predicted has fewer rows then than the file."""
    filled = (~blank).arg_true()
    gaps = 0 if filled.is_empty() else int(filled[-1]) + 1 - len(filled)
    return text._replace(remarks=(*text.remarks, f"rows without any content, left out: {gaps:,}")) if gaps else text


def read_cells(path: Path, headless: bool = False) -> pl.DataFrame:
    """The cells just as they stand in the file, without the rows that have no content."""
    text, frame = _opened(path, headless, as_text=True)
    frame = frame.with_columns(pl.all().fill_null(""))
    blank = pl.all_horizontal(pl.all().str.strip_chars().str.to_lowercase().is_in(list(MISSING)))
    frame = frame.filter(~blank)
    return _named_index(path, frame) if text.columns[0] == "" else frame


def _named_index(path: Path, frame: pl.DataFrame) -> pl.DataFrame:
    """A first column without a name gets one if it numbers or names the rows, as pandas and R write it."""
    index = frame.to_series(0)
    if frame.height < 2 or index.dtype.is_float() or index.n_unique() < frame.height:
        raise DataError(
            f"column 1 in the header of {path} has no name; name it, or write the file "
            "without its row index (pandas: index=False)"
        )
    return frame.rename({"": INDEX_NAME}) if INDEX_NAME not in frame.columns else frame.drop("")


def _opened(path: Path, headless: bool, as_text: bool = False) -> tuple[Text, pl.DataFrame]:
    """The text of a file and its cells."""
    with _reading(path):
        try:
            text = _open(path, headless)
            return text, _parse(text, as_text)
        except UnicodeDecodeError as error:
            raw = read_gzip(path) if path.suffix.lower() == ".gz" else path.read_bytes()
            text = _open(path, headless, western(path, raw, error))
            return text._replace(remarks=(WESTERN, *text.remarks)), _parse(text, as_text)


def _open(path: Path, headless: bool, data: bytes | None = None) -> Text:
    """The file's encoding, delimiter and column names; `data`: its content, where that had to be decoded."""
    if data is None:
        data = read_gzip(path) if path.suffix.lower() == ".gz" else None
        with path.open("rb") as handle:
            head = data[:4] if data is not None else handle.read(4)
        data = as_utf8(path, head, data)
    data = without_sep_line(path, mac_lines(path, data))
    text = Text(path, data, (), ",")
    with _lines(text) as lines:
        sample = lines.read(SAMPLE)
    text = text._replace(delimiter=_delimiter(sample))
    with _lines(text) as lines:
        cells = csv.reader(_nonblank(lines), delimiter=text.delimiter, skipinitialspace=text.delimiter == " ")
        row, rows = next(cells, []), list(islice(cells, 20))
    if len(rows) > 1 and all(len(cells) == len(row) + 1 and cells[-1].strip() for cells in rows):
        row, text = ["", *row], _with_corner(text)
    columns, named = header(path, row, rows, headless)
    return text._replace(columns=columns) if named else _with_names(text, columns)


def _with_names(text: Text, columns: tuple[str, ...]) -> Text:
    """The text with a first line of names above its data."""
    line = text.delimiter.join(columns).encode()
    said = NO_HEADER.format(first=columns[0], last=columns[-1])
    return text._replace(data=line + b"\n" + _content(text), columns=columns, named=False, remarks=(said,))


def _content(text: Text) -> bytes:
    return text.data if text.data is not None else text.path.read_bytes()


def _with_corner(text: Text) -> Text:
    """The text with an empty name above its first column, which R's write.table leaves out."""
    return text._replace(data=b'""' + text.delimiter.encode() + _content(text).lstrip())


def _delimiter(sample: str) -> str:
    """The character that divides the cells of the header; the comma if there is none at all."""
    line = next((line for line in _outside_quotes(sample).splitlines() if line.strip()), "")
    best = max(_DELIMITERS, key=line.count)
    if line.count(best):
        return best
    lines = [line for line in _outside_quotes(sample).splitlines() if line.strip()][:20]
    counts = {len(line.split(" ")) for line in lines}
    return " " if len(lines) > 1 and len(counts) == 1 and counts != {1} else ","


def _outside_quotes(text: str) -> str:
    return re.sub(r'"[^"]*"', "", text)


def _parse(text: Text, as_text: bool = False) -> pl.DataFrame:
    """The cells by Polars: typed if the first rows tell the types of all, else as text."""
    missing: list[str] = [] if as_text else sorted({*MISSING, *(w.upper() for w in MISSING), "NaN", "None", "Null"})
    # Polars gives a repeated or empty name another one; ours have been checked.
    names = [name or "" for name in text.columns]
    source = text.data if text.data is not None else text.path
    options: dict[str, Any] = {
        "separator": text.delimiter,
        "null_values": missing,
        "has_header": True,
        "new_columns": names,
        "low_memory": len(names) < 1000,
    }
    for infer in ({"infer_schema_length": _INFER}, {"infer_schema": False})[as_text:]:
        try:
            frame = pl.read_csv(source, **options, **infer)
        except pl.exceptions.PolarsError:
            continue
        if frame.width == len(names):
            return _with_codes(frame, text, source, options)
    _check_lengths(text, None)
    raise DataError(f"{text.path} is not a table; check its quotes and its delimiter ({text.delimiter!r})")


def _with_codes(frame: pl.DataFrame, text: Text, source: Any, options: dict[str, Any]) -> pl.DataFrame:
    """The cells, but whole numbers with leading zeros, such as the postcode 02139, as the text that they are.

    They become numbers later unless the column is a category, whose levels 02139 and 2139 are two.
    """
    whole = [name for name, kind in frame.schema.items() if kind.is_integer()]
    if not whole or not _has_codes(text):
        return frame
    places = [frame.columns.index(name) for name in whole]
    cells = pl.read_csv(source, **options, columns=places, infer_schema=False)
    codes = [cells.get_column(name) for name in whole if cells.get_column(name).str.contains(r"^\s*0\d").any()]
    return frame.with_columns(codes)


def _has_codes(text: Text) -> bool:
    """Whether a cell of the text begins with 0 and another digit.

    By NumPy: a regular expression takes nine seconds for 170 MB, this less than one.
    """
    content = np.memmap(text.path, np.uint8, "r") if text.data is None else np.frombuffer(text.data, np.uint8)
    before = np.zeros(256, bool)
    before[[ord(text.delimiter), *b'\n\r"']] = True
    for start in range(0, len(content), _PART):
        part = np.asarray(content[start : start + _PART + 2])  # two more, as a cell may begin at the end of a part
        zeros = np.flatnonzero(part[1:-1] == ord("0"))
        if (before[part[zeros]] & (part[zeros + 2] - ord("0") < 10)).any():
            return True
    return False


def _check_lengths(text: Text, rows: int | None) -> None:
    """Raises DataError at the first row that has not one cell a column: Polars fills up rows that are too short."""
    if rows is not None and _is_rectangular(text, rows):
        return
    for line, row in _rows(text):
        if len(row) != len(text.columns):
            raise DataError(
                f"{text.path} line {line} has {len(row)} cells but the header has {len(text.columns)}; "
                "give every row one cell a column, and quote cells that contain the delimiter"
            )


def _is_rectangular(text: Text, rows: int) -> bool:
    """Whether the number of delimiters shows that no row is short; a fast answer that may be False in vain."""
    raw = _content(text)
    wanted = (rows + 1) * (len(text.columns) - 1)
    return b'"' not in raw and raw.count(text.delimiter.encode()) == wanted


def _line_of(text: Text, row: int) -> str:
    """ "line 18" for an index into the rows; blank lines and the header count as lines."""
    return next((f"line {line}" for index, (line, _) in enumerate(_rows(text)) if index == row), f"row {row + 1}")


def _rows(text: Text) -> Iterator[tuple[int, list[str]]]:
    """The rows below the header that have any content, each with the number of the line it ends on."""
    with _reading(text.path), _lines(text) as lines:
        reader = csv.reader(lines, delimiter=text.delimiter)
        above = not text.named  # a line that is not in the file
        filled = (
            (reader.line_num - above, row) for row in reader if any(cell.strip().lower() not in MISSING for cell in row)
        )
        next(filled, None)  # the header
        yield from filled


def _nonblank(lines: io.TextIOBase) -> Iterator[str]:
    """Lines from the first that has content."""
    started = False
    for line in lines:
        started = started or bool(line.strip())
        if started:
            yield line


def _lines(text: Text) -> io.TextIOWrapper:
    """The text, for Python's own reader."""
    raw = io.BytesIO(text.data) if text.data is not None else text.path.open("rb")
    return io.TextIOWrapper(raw, encoding="utf-8", newline="")


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turns what can go wrong on the way from disk to text into a DataError."""
    try:
        yield
    except OSError as error:
        raise DataError(f"cannot read {path} ({error.strerror}); check path and permissions") from error
    except csv.Error as error:
        raise DataError(f"{path} is not CSV ({one_line(error)}); check its quotes and delimiter") from error
