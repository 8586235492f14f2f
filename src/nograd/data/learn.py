"""The kind of a column and its encoding, learnt from the training rows alone."""

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import polars as pl

from nograd.core.types import DataError
from nograd.data.columns import as_text
from nograd.data.dates import seconds
from nograd.data.dates import years as in_years
from nograd.data.kinds import Category, ColumnKind, Date, Number, Scale, changing_cycles, learn_scale
from nograd.data.messages import one_line
from nograd.data.words import FALSE, TRUE

AS = ("number", "category", "flag", "date")  # what --as can ask for
_FEW, _MANY = 10, 100  # levels: up to the first always a category, beyond the second only if asked for
_ROWS_A_LEVEL = 4
_MOST_LEVELS = 1000  # of a category, where it is that or nothing
_COUNTED = 20  # rows from which a column 0, 1, 2, … is taken for a row counter
_INDEX = re.compile(
    r"(index|rownames?|row|row ?num(ber)?|id|uuid|guid|no|nr|#|unnamed(: ?0)?|level_0|.*[_ ](id|uuid)|.*[a-z]I[dD])"
)
_TIMELIKE = re.compile(r".*(time|date|day|week|month|year|hour|step|period|quarter|epoch).*|t", re.IGNORECASE)


class Dropped(NamedTuple):
    """A column that the network does not get."""

    name: str
    why: str


def learn_column(values: pl.Series, asked: str, standardize: str, source: str) -> ColumnKind | Dropped:
    """The encoding of one column.

    Args:
        values: the training rows of it, in canonical form.
        asked: the kind the user asks for, "" to find it.
        standardize: "auto", "standard", "center" or "none".
    Raises:
        DataError: the user asks for a kind that the values are not.
    """
    if values.null_count() == len(values):
        return Dropped(values.name, "no values")
    if not asked and _is_index(values):
        return Dropped(values.name, "index: numbers or names the rows")
    if asked:
        return _LEARN[asked](values, standardize, source)
    if values.dtype == pl.String:
        return _category_or_text(values, standardize, source)
    return _LEARN["date" if values.dtype == pl.Datetime else "number"](values, standardize, source)


def _is_index(values: pl.Series) -> bool:
    """Whether a column only tells the rows apart: it is called so, or counts them."""
    if values.dtype not in (pl.Float64, pl.String) or values.null_count() or len(values) < 3:
        return False
    named = bool(_INDEX.fullmatch(values.name) or _INDEX.fullmatch(values.name.lower()))
    counts = not named and values.dtype == pl.Float64 and not _TIMELIKE.fullmatch(values.name) and _counts(values)
    if not named and not counts:
        return False
    whole = values.dtype == pl.String or bool((values == values.floor()).all())
    return whole and values.n_unique() == len(values)


def _counts(values: pl.Series) -> bool:
    """Whether numbers lie so close to 0, 1, 2, … that they may count the rows."""
    numbers = values.drop_nulls().to_numpy()
    return len(numbers) >= _COUNTED and bool(
        numbers.min() <= 0.2 * len(numbers) and numbers.min() >= 0 and 0.9 < numbers.max() / len(numbers) <= 1.5
    )


def _category_or_text(values: pl.Series, standardize: str, source: str) -> ColumnKind | Dropped:
    """Text by the number of its levels: yes and no, a category, or dropped."""
    present = values.drop_nulls()
    words = present.unique()
    if len(words) == 2 and set(words.str.to_lowercase()) <= TRUE | FALSE:
        return _flag(values, standardize, source)
    levels = len(words)
    if levels > _MANY or (levels > _FEW and levels * _ROWS_A_LEVEL > len(present)):
        return Dropped(values.name, f"text of many values ({levels:,} different in {len(present):,} rows)")
    return _category(values, standardize, source)


def _category(values: pl.Series, standardize: str, source: str) -> ColumnKind | Dropped:
    text = as_text(values)
    levels = tuple(sorted(text.drop_nulls().unique()))
    missing = text.null_count()
    if len(levels) + bool(missing) < 2:
        return Dropped(values.name, f"constant: always {one_line(levels[0])}")
    return Category(values.name, levels, missing)


def _number(values: pl.Series, standardize: str, source: str) -> ColumnKind | Dropped:
    if values.dtype not in (pl.Float64, pl.Boolean):
        raise _unlike(values, "number", source)
    numbers = values.cast(pl.Float64).to_numpy()
    missing = values.null_count()
    # In order, so that neither sums nor medians depend on the order of the rows.
    ordered = np.sort(numbers)[: len(numbers) - missing]
    varies = bool(ordered[0] < ordered[-1])
    flag = values.dtype == pl.Boolean or (varies and set(ordered[[0, -1]]) == {0.0, 1.0} and _two(ordered))
    if not varies and not missing:
        return Dropped(values.name, f"constant: always {ordered[0]:.6g}")
    scale = learn_scale(ordered, standardize)
    return Number(values.name, scale, _middle(ordered), missing, varies, flag)


def last_resort(values: pl.Series, standardize: str) -> ColumnKind | None:
    """A column that `learn_column` dropped, where all others were dropped too; None where it holds nothing at all.

    An index or a constant becomes a number; text of many values a category, where some value occurs more than once.
    """
    if values.null_count() == len(values):
        return None
    if values.dtype == pl.Float64:
        found = _number(values, standardize, "")
        constant = Number(values.name, Scale(float(values[0] or 0.0), 1.0), float(values[0] or 0.0), 0, True)
        return constant if isinstance(found, Dropped) else found
    levels = values.n_unique()
    if values.dtype != pl.String or not 1 < levels <= _MOST_LEVELS or 2 * levels > len(values):
        return None
    found = _category(values, standardize, "")
    return None if isinstance(found, Dropped) else found


def _middle(ordered: np.ndarray) -> float:
    """The median of values in ascending order."""
    half = len(ordered) // 2
    return float(ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2)


def _two(ordered: np.ndarray) -> bool:
    """Whether values from 0 to 1 in ascending order are only these two."""
    return bool(ordered[np.searchsorted(ordered, 0.0, "right")] == 1.0)


def _flag(values: pl.Series, standardize: str, source: str) -> ColumnKind | Dropped:
    if values.dtype == pl.String:
        if not set(values.drop_nulls().unique().str.to_lowercase()) <= TRUE | FALSE:
            raise _unlike(values, "flag", source)
    elif values.dtype == pl.Float64 and not set(values.drop_nulls().unique()) <= {0.0, 1.0}:
        raise _unlike(values, "flag", source)
    learnt = _number(flag_numbers(values), standardize, source)
    return learnt if isinstance(learnt, Dropped) else Number(**{**vars(learnt), "flag": True})


def flag_numbers(values: pl.Series) -> pl.Series:
    """Yes and no, true and false, as 1 and 0; null where a word is neither."""
    if values.dtype != pl.String:
        return values.cast(pl.Float64)
    word = values.str.to_lowercase()
    return word.replace_strict(
        {**dict.fromkeys(TRUE, 1.0), **dict.fromkeys(FALSE, 0.0)}, default=None, return_dtype=pl.Float64
    )


def _date(values: pl.Series, standardize: str, source: str) -> ColumnKind | Dropped:
    if values.dtype != pl.Datetime:
        raise _unlike(values, "date", source)
    time = np.sort(seconds(values))[: len(values) - values.null_count()]
    if time[0] == time[-1]:
        return Dropped(values.name, "constant: always the same time")
    scale = learn_scale(in_years(time), standardize)
    return Date(values.name, scale, _middle(time), values.null_count(), changing_cycles(time))


def _unlike(values: pl.Series, kind: str, source: str) -> DataError:
    shown, name = one_line(values.drop_nulls()[0]), one_line(values.name)
    return DataError(
        f"column '{name}' of {source} cannot be a {kind}, it holds '{shown}'; leave out --as '{name}={kind}'"
    )


_LEARN: Mapping[str, Callable[[pl.Series, str, str], ColumnKind | Dropped]] = {
    "number": _number,
    "category": _category,
    "flag": _flag,
    "date": _date,
}
