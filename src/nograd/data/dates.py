"""Dates and times: from text, and to numbers that a network can use."""

import math
from typing import NamedTuple

import numpy as np
import polars as pl

from nograd.data.arrays import Array

# In this order: where 03/04/2012 can be both, the month comes first, as in the files that write dates so.
_FORMATS = (
    "%Y-%m-%d",
    "%Y/%m/%d",
    "%d.%m.%Y",
    "%m/%d/%Y",
    "%d/%m/%Y",
    "%d-%m-%Y",
    "%d-%b-%Y",
    "%d %b %Y",
    "%d %B %Y",
    "%b %d, %Y",
    "%B %d, %Y",
    "%b %d %Y",  # cars.json as its source writes it
    "%b-%d-%Y",
)
_TIMES = ("", " %H:%M:%S%.f", " %H:%M", "T%H:%M:%S%.f", "T%H:%M:%S%.fZ", "T%H:%M", " %I:%M %p", " %I:%M:%S %p")
_OFFSET = r":\d{2}(\.\d+)?([-+]\d{2}:?\d{2})$"
_ZONED = ("%Y-%m-%dT%H:%M:%S%.f%z", "%Y-%m-%d %H:%M:%S%.f%z", "%Y-%m-%dT%H:%M%z", "%Y-%m-%d %H:%M%z")
_SAMPLE = 200
_YEAR = 365.2425 * 86400  # seconds
_DAY, _WEEK = 86400.0, 7 * 86400.0


class Dates(NamedTuple):
    """Text read as dates."""

    values: pl.Series  # Datetime in microseconds, null where a cell is not one
    ambiguous: bool  # whether day and month could be the other way round in every cell
    form: str  # the format, where new cells alone may not tell the day from the month; else ""


def read_dates(text: pl.Series, known: str = "") -> Dates | None:
    """The dates in a column of text, by the format that suits at least half of the cells; None if none does.

    Args:
        known: the format, where it has been found before.
    """
    present = text.drop_nulls()
    if known and 2 * len(_parse(present, known).drop_nulls()) > len(present):
        return Dates(_parse(text, known), False, known)
    sample = present.head(_SAMPLE)
    if not len(sample) or not sample.str.contains(r"\d").any():
        return None
    offset = bool(sample.str.contains(_OFFSET).all())
    month = bool(sample.str.contains(r"^\d{4}-\d{2}$").all())
    sample = sample + "-01" if month else sample
    for form in _ZONED if offset else (f"{day}{time}" for time in _TIMES for day in _FORMATS):
        if len(sample) - _parse(sample, form).null_count() < len(sample) / 2:
            continue
        values = _parse(text + "-01" if month else text, form)
        if form.startswith("%m/%d") and values.null_count() > text.null_count():
            other = _parse(text, form.replace("%m/%d", "%d/%m"))
            if other.null_count() < values.null_count():
                return Dates(other, False, form.replace("%m/%d", "%d/%m"))
        slashes = form[:5] in ("%m/%d", "%d/%m")
        ambiguous = form.startswith("%m/%d") and bool((values.dt.day() <= 12).all())
        return Dates(values, ambiguous, form if slashes else "")
    return None


def _parse(text: pl.Series, form: str) -> pl.Series:
    """Dates in one format, null where it does not suit; with an offset from UTC, such as +02:00, as UTC."""
    if form.endswith("%z"):
        return text.str.to_datetime(form, time_unit="us", strict=False, time_zone="UTC").dt.replace_time_zone(None)
    if "%H" in form or "%I" in form:
        return text.str.to_datetime(form, time_unit="us", strict=False)
    return text.str.to_date(form, strict=False).cast(pl.Datetime("us"))


def seconds(values: pl.Series) -> Array:
    """Seconds since 1970 as float64, NaN where there is none."""
    return values.dt.timestamp("us").cast(pl.Float64).to_numpy() / 1e6


def years(seconds: Array) -> Array:
    """The time in years, 1970.0 at the start of 1970: one number that tells earlier from later."""
    return 1970.0 + seconds / _YEAR


# The cycles by name, with their length in seconds.
CYCLES = {"day of year": _YEAR, "day of week": _WEEK, "time of day": _DAY}


def cycle(seconds: Array, name: str) -> Array:
    """sin and cos of the phase of a time in a cycle, float64 [n, 2]: 31 December lies next to 1 January."""
    angle = 2 * math.pi * np.mod(seconds, CYCLES[name]) / CYCLES[name]
    return np.stack([np.sin(angle), np.cos(angle)], axis=1)
