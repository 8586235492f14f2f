"""Numbers in text: plain ones, and those with a decimal comma or with commas between thousands."""

import math
from typing import Literal, TypeAlias

import polars as pl

Style: TypeAlias = Literal["plain", "decimal comma", "thousands", "either"]

_DECIMAL = r"^[-+]?(\d+|\d{1,3}(\.\d{3})+),\d+$"
_SIGNED = r"^([-+]?[$€£¥]\s?[-+]?[\d.,]*\d|[-+]?[\d.,]*\d\s?[%$€£¥])$"  # one sign, before or after
_PLAIN = r"^[-+]?[\d.,]*\d$"
_SAMPLE = 1000
_THOUSANDS = r"^[-+]?\d{1,3}(,\d{3})+(\.\d+)?$"


def is_number(cell: str) -> bool:
    """Whether a cell is a finite number; Python alone would take 1_000 for one."""
    try:
        return math.isfinite(float(cell)) and "_" not in cell
    except ValueError:
        return False


def plain(text: pl.Series) -> pl.Series:
    """Text as float64, null where it is not a number with a decimal point."""
    return text.cast(pl.Float64, strict=False)


def without_sign(column: pl.Series) -> pl.Series:
    """Text that is all amounts or percentages, such as $1,200.50 or 12.5%, as the numbers alone; else unchanged."""
    if column.dtype != pl.String or not column.head(_SAMPLE).str.contains("[%$€£¥]").any():
        return column
    signed = column.str.contains(_SIGNED) | column.str.contains(_PLAIN)
    if not signed.all():  # missing cells do not count
        return column
    return column.str.replace_all(r"[%$€£¥\s]", "")


def comma_style(text: pl.Series) -> Style:
    """How the commas of a column of text are meant: "either" where 1,500 may be 1500 or 1.5.

    "plain" where there are no commas, or where what has one is no number at all.
    """
    commas = text.filter(text.str.contains(",", literal=True))
    if not len(commas):
        return "plain"
    decimal, thousands = (bool(commas.str.contains(pattern).all()) for pattern in (_DECIMAL, _THOUSANDS))
    if not (decimal and thousands):
        return "decimal comma" if decimal else "thousands" if thousands else "plain"
    rest = text.filter(~text.str.contains(",", literal=True))
    if rest.str.contains(r"^[-+]?\d+\.\d+$").any():
        return "thousands"
    # A writer who divides thousands would have divided these too.
    return "decimal comma" if rest.str.contains(r"^[-+]?\d{4,}$").any() else "either"


def with_style(text: pl.Series, style: Style) -> pl.Series:
    """Text as float64 by the meaning of its commas, null where it is not a number."""
    if style == "decimal comma":
        text = text.str.replace_all(".", "", literal=True).str.replace(",", ".", literal=True)
    elif style == "thousands":
        text = text.str.replace_all(",", "", literal=True)
    return plain(text)


def number_name(value: float) -> str:
    """A number as the name of a class or a level: 1 and not 1.0."""
    return str(int(value)) if value == int(value) and abs(value) < 2**53 else repr(float(value))
