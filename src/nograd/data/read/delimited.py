"""Delimited text: .csv, .tsv and .txt as people have them. Polars reads; this module looks for what is wrong."""

import csv
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import polars as pl

from nograd.core.types import DataError
from nograd.data.messages import name_list, one_line
from nograd.data.numbers import is_number
from nograd.data.read.compressed import read_gzip
from nograd.data.table import INDEX_NAME, Table, check_names
from nograd.data.words import MISSING

_DELIMITERS = ",;\t|"
_SCALE = 8  # numbers in order that may name the columns of a spectrum; fewer may be in order by chance
_SAMPLE = 1 << 16  # characters to find the delimiter in
_INFER = 10_000  # rows that Polars looks at to know a column's type; where later rows differ, all is read as text


class Text(NamedTuple):
    """A file of delimited text."""

    path: Path
    data: bytes | None  # its content as UTF-8 where the file itself is not plain UTF-8
    columns: tuple[str, ...]
    delimiter: str


def read_delimited(path: Path) -> Table:
    """The table in a file of delimited text; its first line names the columns.

    Args:
        path: UTF-8 or UTF-16, perhaps with a byte order mark, perhaps .gz; cells are divided by commas, semicolons,
            tabs, bars or spaces.
    Raises:
        DataError: unreadable, without a header or rows, two columns of one name, or a row that is too short or long.
    """
    text = _open(path)
    frame = _parse(text)
    # A row without any content is an empty line, or commas that a spreadsheet left behind.
    first = pl.col(text.columns[0])
    spaces = first.str.strip_chars() == "" if frame.schema[text.columns[0]] == pl.String else first.is_null()
    blank = pl.all_horizontal(first.is_null() | spaces, *(pl.col(name).is_null() for name in text.columns[1:]))
    empty = frame.select(blank.any()).item() if frame.height else False
    frame = frame.filter(~blank) if empty else frame
    if not frame.height:
        raise DataError(f"{path} has a header but no rows; add one row an example")
    if frame.get_column(text.columns[-1]).null_count():
        _check_lengths(text, frame.height)
    if text.columns[0] == "":
        frame = _named_index(path, frame)
    return Table(frame, str(path), partial(_line_of, text))


def read_cells(path: Path) -> pl.DataFrame:
    """The cells just as they stand in the file, without the rows that have no content."""
    text = _open(path)
    frame = _parse(text, as_text=True)
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


def _open(path: Path) -> Text:
    """The file's encoding, delimiter and column names."""
    with _reading(path):
        data = read_gzip(path) if path.suffix.lower() == ".gz" else None
        with path.open("rb") as handle:
            head = data[:4] if data is not None else handle.read(4)
        data = _as_utf8(path, head, data)
        data = _without_sep_line(path, _mac_lines(path, data))
        text = Text(path, data, (), ",")
        with _lines(text) as lines:
            sample = lines.read(_SAMPLE)
        text = text._replace(delimiter=_delimiter(sample))
        with _lines(text) as lines:
            cells = csv.reader(_nonblank(lines), delimiter=text.delimiter, skipinitialspace=text.delimiter == " ")
            row, rows = next(cells, []), list(islice(cells, 20))
        if len(rows) > 1 and all(len(cells) == len(row) + 1 and cells[-1].strip() for cells in rows):
            row, text = ["", *row], _with_corner(text)
    columns = _strip_names(row)
    _check_header(path, columns)
    return text._replace(columns=columns)


def _with_corner(text: Text) -> Text:
    """The text with an empty name above its first column, which R's write.table leaves out."""
    data = text.data if text.data is not None else text.path.read_bytes()
    return text._replace(data=b'""' + text.delimiter.encode() + data.lstrip())


def _as_utf8(path: Path, head: bytes, data: bytes | None) -> bytes | None:
    """The content as UTF-8 where it is something else; None where Polars can read the file as it lies."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        encoding = "utf-16"
    elif len(head) == 4 and (head[1::2] == b"\0\0" or head[::2] == b"\0\0"):
        encoding = "utf-16-le" if head[1::2] == b"\0\0" else "utf-16-be"
    elif head.startswith(b"\xef\xbb\xbf"):
        return (data if data is not None else path.read_bytes())[3:]
    else:
        return data
    raw = data if data is not None else path.read_bytes()
    try:
        return raw.decode(encoding).lstrip("\ufeff").encode()
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not whole UTF-16 text ({error.reason}); save it as UTF-8") from error


def _mac_lines(path: Path, data: bytes | None) -> bytes | None:
    """Lines that end in a lone carriage return, as Excel for Mac writes them, made into lines that Polars knows."""
    if data is None:
        with path.open("rb") as handle:
            head = handle.read(_SAMPLE)
        if b"\r" not in head or b"\n" in head:
            return None
        data = path.read_bytes()
    return data.replace(b"\r", b"\n") if b"\r" in data and b"\n" not in data else data


def _without_sep_line(path: Path, data: bytes | None) -> bytes | None:
    """The content without the line "sep=;" by which Excel is told of the delimiter; the header tells it too."""
    if data is None:
        with path.open("rb") as handle:
            if handle.read(4).lower() != b"sep=":
                return None
        data = path.read_bytes()
    line, _, rest = data.partition(b"\n")
    return rest if re.fullmatch(rb"sep=.\r?", line, re.IGNORECASE) else data


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


def _strip_names(row: list[str]) -> tuple[str, ...]:
    """The names without spaces around them; the first may be empty, as pandas writes it above its index."""
    return tuple(name.strip() for name in row)


def _check_header(path: Path, columns: tuple[str, ...]) -> None:
    """Raises DataError unless every column but the first has a name, and one of its own."""
    if not columns:
        raise DataError(f"{path} is empty; give a header row and one row an example")
    if all(map(is_number, columns)) or _is_data(columns):
        kind = "is all numbers" if all(map(is_number, columns)) else "holds data"
        raise DataError(
            f"{path} has no header row, its first line {kind} ({name_list(columns, 5)}); "
            "add a line of column names above it"
        )
    if "" in columns[1:]:
        raise DataError(f"column {columns.index('', 1) + 1} in the header of {path} has no name; name it, or delete it")
    check_names(columns, str(path))


def _is_data(columns: tuple[str, ...]) -> bool:
    """Whether a header holds fractions that are no scale, such as the wavelengths of a spectrum."""
    numbers = [float(name) for name in columns if is_number(name)]
    fractions = sum(number != int(number) for number in numbers)
    ordered = (
        len(numbers) >= _SCALE
        and len(set(numbers)) == len(numbers)
        and numbers in (sorted(numbers), sorted(numbers, reverse=True))
    )
    return fractions > 0 and not ordered


def _parse(text: Text, as_text: bool = False) -> pl.DataFrame:
    """The cells by Polars: typed if the first rows tell the types of all, else as text."""
    missing: list[str] = [] if as_text else sorted({*MISSING, *(w.upper() for w in MISSING), "NaN", "None", "Null"})
    # Polars gives a repeated or empty name another one; ours have been checked.
    names = [name or "" for name in text.columns]
    source = text.data if text.data is not None else text.path
    options = {
        "separator": text.delimiter,
        "null_values": missing,
        "has_header": True,
        "new_columns": names,
        "low_memory": len(names) < 1000,
    }
    for infer in ({"infer_schema_length": _INFER}, {"infer_schema": False})[as_text:]:
        try:
            frame = pl.read_csv(source, **options, **infer)  # type: ignore[arg-type]
        except pl.exceptions.PolarsError:
            continue
        if frame.width == len(names):
            return frame
    _check_lengths(text, None)
    raise DataError(f"{text.path} is not a table; check its quotes and its delimiter ({text.delimiter!r})")


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
    raw = text.data if text.data is not None else text.path.read_bytes()
    wanted = (rows + 1) * (len(text.columns) - 1)
    return b'"' not in raw and raw.count(text.delimiter.encode()) == wanted


def _line_of(text: Text, row: int) -> str:
    """ "line 18" for an index into the rows; blank lines and the header count as lines."""
    return next((f"line {line}" for index, (line, _) in enumerate(_rows(text)) if index == row), f"row {row + 1}")


def _rows(text: Text) -> Iterator[tuple[int, list[str]]]:
    """The rows below the header that have any content, each with the number of the line it ends on."""
    with _reading(text.path), _lines(text) as lines:
        reader = csv.reader(lines, delimiter=text.delimiter)
        filled = ((reader.line_num, row) for row in reader if any(cell.strip().lower() not in MISSING for cell in row))
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
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        raise DataError(f"{path} is not UTF-8 text (it has byte 0x{byte:02x}); save it as UTF-8") from error
    except csv.Error as error:
        raise DataError(f"{path} is not CSV ({one_line(error)}); check its quotes and delimiter") from error
