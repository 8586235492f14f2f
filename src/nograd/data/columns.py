"""Brings the columns of any file or frame into one of four forms: numbers, true or false, times, or text.

A table has the same columns whether it came as text, as Parquet or as a frame: text that is all numbers is numbers,
text that is all dates is dates.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from nograd.core.types import DataError
from nograd.data.columnwise import columnwise
from nograd.data.dates import read_dates
from nograd.data.messages import one_line
from nograd.data.numbers import Style, comma_style, number_name, with_style, without_sign
from nograd.data.table import Table, where
from nograd.data.words import FALSE, MISSING, TRUE

_FEW = 20  # levels that a category among numbers may have: doors 2, 3, 4, 5more
_DAY = 86_400_000_000  # microseconds
_OFTEN = 5  # times that a word among numbers must occur to be a level, and not a typing error


class Canonical(NamedTuple):
    """A column in one of the four forms, with a remark for the user."""

    values: pl.Series  # Float64, Boolean, Datetime("us") or String; null where a value is missing
    remark: str = ""
    form: str = ""  # the format of dates whose day and month could be confused


class Columns(NamedTuple):
    """The columns of a table, each in its form."""

    frame: pl.DataFrame
    remarks: dict[str, str]  # for the user, by the name of the column
    forms: dict[str, str]  # the formats of such dates, by the name of the column


def canonical(table: Table, kinds: Mapping[str, str], forms: Mapping[str, str] | None = None) -> Columns:
    """Every column of a table in its form.

    Args:
        kinds: the kinds that the user asks for, by column: number, category, flag or date.
        forms: the formats of dates that were found in training, by column.
    Raises:
        DataError: a cell that does not fit its column, with its place.
    """
    names, rows = table.frame.columns, table.frame.height
    plain = columnwise(lambda column: _stripped(column, table), table.frame.get_columns(), rows)
    stripped = {
        name: without_sign(values) if kinds.get(name) != "category" else values
        for name, values in zip(names, plain, strict=True)
    }
    styles = {name: comma_style(text) for name, text in stripped.items() if text.dtype == pl.String and _maybe(text)}
    points = any(column.dtype.is_float() and _fractional(column) for column in table.frame.get_columns())
    commas = "decimal comma" in styles.values()

    def column(name: str) -> Canonical:
        style = styles.get(name, "plain")
        if style == "either" and points != commas:
            style = "thousands" if points else "decimal comma"
        return _column(table, stripped[name], kinds.get(name, ""), style, (forms or {}).get(name, ""))

    columns = dict(zip(names, columnwise(column, names, rows), strict=True))
    return Columns(
        pl.DataFrame([column.values.rename(name) for name, column in columns.items()]),
        {name: column.remark for name, column in columns.items() if column.remark},
        {name: column.form for name, column in columns.items() if column.form},
    )


def _maybe(text: pl.Series) -> bool:
    """Whether a column of text may hold numbers with commas."""
    return bool(text.head(1000).str.contains(r"^[-+]?\d[\d.]*,\d").any())


def _fractional(column: pl.Series) -> bool:
    return bool((column.head(1000) != column.head(1000).floor()).any())


def _stripped(column: pl.Series, table: Table) -> pl.Series:
    """Numbers as float64, times as microseconds, text without spaces around it, words for nothing as null."""
    kind = column.dtype
    if kind.is_numeric():
        return _finite(column, table)
    if kind == pl.Boolean:
        return column
    if isinstance(kind, pl.Datetime) and kind.time_zone:
        return column.dt.convert_time_zone("UTC").dt.replace_time_zone(None).cast(pl.Datetime("us"))
    if isinstance(kind, pl.Datetime) or kind == pl.Date:
        return column.cast(pl.Datetime("us"))
    if isinstance(kind, pl.Duration) or kind == pl.Time:
        return column.cast(pl.Duration("us")).dt.total_microseconds().cast(pl.Float64) / 1e6
    if kind == pl.Null:
        return column.cast(pl.Float64)
    if kind in (pl.String, pl.Categorical, pl.Enum):
        return _text(column)
    raise DataError(
        f"column '{one_line(column.name)}' of {table.source} holds values of type {kind}, not numbers, text or dates; "
        f"leave it out with --drop {one_line(column.name)}"
    )


def _finite(column: pl.Series, table: Table) -> pl.Series:
    """Numbers as float64, null where there is none. Raises DataError where one is not finite."""
    numbers = column.cast(pl.Float64).fill_nan(None) + 0.0  # −0 and 0 are one value
    infinite = numbers.is_infinite().fill_null(False)
    if infinite.any():
        row = int(infinite.arg_max() or 0)
        raise DataError(
            f"{where(table, row, column.name)}: '{numbers[row]}' is not finite; clean or drop the row before training"
        )
    return numbers


def _text(column: pl.Series) -> pl.Series:
    """Text without spaces around it, null where it is empty or stands for nothing."""
    text = column.cast(pl.String).str.strip_chars()
    # Few different texts as a rule: the words are looked for among those.
    words = [word for word in text.unique().drop_nulls() if word.lower() in MISSING]
    return text.replace(dict.fromkeys(words, None)) if words else text


def _column(table: Table, values: pl.Series, kind: str, style: Style, form: str) -> Canonical:
    """One stripped column in its form."""
    if kind == "category":
        return Canonical(as_text(values))
    if values.dtype != pl.String:
        return Canonical(values)
    if values.null_count() == len(values):
        return Canonical(values.cast(pl.Float64))
    if kind == "number":
        numbers = with_style(values, style)
        lost = numbers.null_count() - values.null_count()
        return Canonical(numbers, f"{lost:,} cells that are no number taken as missing" if lost else "")
    return (
        _numbers(table, values, style, kind)
        or _flags(values, kind)
        or _dates(table, values, kind, form)
        or Canonical(values)
    )


def _numbers(table: Table, text: pl.Series, style: Style, kind: str) -> Canonical | None:
    """Text that is all numbers as numbers; None where it is something else.

    Raises:
        DataError: numbers, and now and then something else; or commas that can be meant in two ways.
    """
    numbers = with_style(text, style if style != "either" else "thousands") + 0.0
    wrong = numbers.is_null() & text.is_not_null()
    if wrong.any():
        if 2 * int(wrong.sum()) > len(text) - text.null_count() or _are_levels(text, wrong) or kind:
            return None
        row = int(wrong.arg_max() or 0)
        name = one_line(text.name)
        raise DataError(
            f"{where(table, row, text.name)}: '{one_line(text[row])}' is not a number; encode text as a category with "
            f"--as '{name}=category', take it as missing with --as '{name}=number', "
            f"or leave it out with --drop '{name}'"
        )
    if style == "either":
        row = int(text.str.contains(",", literal=True).fill_null(False).arg_max() or 0)
        fraction = float(text[row].replace(",", "."))
        raise DataError(
            f"{where(table, row, text.name)}: '{text[row]}' can be {numbers[row]:g} or {fraction:g}; "
            "write the column's numbers without commas"
        )
    infinite = numbers.is_infinite().fill_null(False)
    if infinite.any():
        row = int(infinite.arg_max() or 0)
        raise DataError(
            f"{where(table, row, text.name)}: '{text[row]}' is not finite; clean or drop the row before training"
        )
    return Canonical(numbers)


def _are_levels(text: pl.Series, wrong: pl.Series) -> bool:
    """Whether words among numbers are levels: few different values, and each of the words often."""
    if text.n_unique() > _FEW:
        return False
    counts = text.filter(wrong).value_counts()
    return bool((counts.get_column("count") >= _OFTEN).all())


def _flags(text: pl.Series, kind: str) -> Canonical | None:
    """Text that is all true or false as such; yes and no stay text, so that a class keeps its name."""
    levels = set(text.drop_nulls().unique().str.to_lowercase())
    if levels <= {"true", "false"} or (kind == "flag" and levels <= TRUE | FALSE):
        return Canonical(text.str.to_lowercase().is_in(list(TRUE)))
    return None


def _dates(table: Table, text: pl.Series, kind: str, form: str) -> Canonical | None:
    """Text that is all dates as times.

    Raises:
        DataError: dates, and now and then something else.
    """
    found = read_dates(text, form)
    if found is None:
        return None
    wrong = found.values.is_null() & text.is_not_null()
    if wrong.any() and kind != "date":
        row, name = int(wrong.arg_max() or 0), one_line(text.name)
        raise DataError(
            f"{where(table, row, text.name)}: '{one_line(text[row])}' is not a date as the others are; correct it, "
            f"take it as missing with --as '{name}=date', or leave the column out with --drop '{name}'"
        )
    return Canonical(found.values, "read as month/day/year" if found.ambiguous else "", found.form)


def is_code(values: pl.Series) -> bool:
    """Whether a column is text of whole numbers of which one begins with a 0 that counts, as in 003 or 02139."""
    if values.dtype != pl.String:
        return False
    text = _text(values).drop_nulls()
    return bool(text.str.contains(r"^0\d").any()) and bool(text.str.contains(r"^\d*$").all())


def as_text(values: pl.Series) -> pl.Series:
    """A column as the names of its levels: 1 for 1.0, true, 2012-01-31."""
    if values.dtype == pl.String:
        return values
    if values.dtype == pl.Boolean:
        return values.cast(pl.String)
    if values.dtype != pl.Float64:
        return (
            values.dt.to_string("iso:strict")
            if (values.dt.timestamp("us") % _DAY != 0).any()
            else values.dt.strftime("%Y-%m-%d")
        )
    levels = np.unique(values.drop_nulls().to_numpy())
    return values.replace_strict(levels.tolist(), [number_name(level) for level in levels], return_dtype=pl.String)


def level_codes(values: pl.Series, levels: Sequence[Any] | pl.Series) -> np.ndarray:
    """The place of each value among `levels`, int64 [rows]; −1 where it is none of them, or missing."""
    if values.dtype == pl.String:
        codes = values.cast(pl.Enum(levels), strict=False).to_physical().cast(pl.Int64)
        return codes.fill_null(-1).to_numpy()
    return values.replace_strict(levels, range(len(levels)), default=-1, return_dtype=pl.Int64).to_numpy()
