"""The kinds of columns: what each learns from the training rows, and the numbers that a network gets of it.

One class per kind, whose fields are plain values for JSON; `KINDS` is their registry.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Protocol, TypeAlias

import numpy as np
import polars as pl

from nograd.core.types import DataError
from nograd.data.arrays import Array
from nograd.data.columns import as_text, level_codes
from nograd.data.dates import CYCLES, cycle, seconds, years

_LARGEST = float(np.finfo(np.float32).max)


class Kind(Protocol):
    """A column as it is encoded."""

    kind: ClassVar[str]

    @property
    def name(self) -> str:
        """The name of the column."""

    def features(self) -> tuple[str, ...]:
        """A name for each number that the network gets."""

    def encode(self, values: pl.Series) -> Array:
        """float64 [rows, features] of a column in its canonical form."""

    def plain(self, values: pl.Series) -> Array:
        """float64 [rows, numbers]: the column as plain numbers, as a program without tables can be given them."""

    def features_of(self, numbers: Any, xp: Any = np) -> Any:
        """[rows, features] of those plain numbers, in NumPy or jax.numpy: `encode` is the one after the other."""

    def numbers(self) -> tuple[dict[str, Any], ...]:
        """What each of the plain numbers is, for a person or another program."""

    def describe(self) -> str:
        """What became of the column, in a few words."""


@dataclass(frozen=True)
class Scale:
    """(x − offset) · factor, in float64: float32 would lose what tells two large numbers apart."""

    offset: float
    factor: float

    def apply(self, values: Any, xp: Any = np) -> Any:
        return xp.clip((values - self.offset) * self.factor, -_LARGEST, _LARGEST)


def learn_scale(ordered: Array, standardize: str) -> Scale:
    """The mean and 1/standard deviation of values in ascending order, so that the order of the rows does not matter."""
    if standardize == "none" or not len(ordered):
        return Scale(0.0, 1.0)
    middle = float(ordered[len(ordered) // 2])
    mean = middle + float((ordered - middle).mean())
    if standardize == "center":
        return Scale(mean, 1.0)
    largest = float(np.abs(ordered[[0, -1]] - mean).max())
    deviation = largest * float(np.sqrt(np.square((ordered - mean) / largest).mean())) if largest else 1.0
    return Scale(mean, 1.0 / deviation if np.isfinite(1.0 / deviation) else 1.0)


@dataclass(frozen=True)
class Number:
    """A number, or true and false as 1 and 0: scaled, its missing values filled with the median."""

    kind: ClassVar[str] = "number"
    name: str
    scale: Scale
    fill: float
    missing: int  # training rows without a value; if any, one more feature is 1 where a value is missing
    varies: bool  # False: always the same value, where there is one
    flag: bool = False

    def features(self) -> tuple[str, ...]:
        return (self.name,) * self.varies + (f"{self.name} missing",) * bool(self.missing)

    def encode(self, values: pl.Series) -> Array:
        return self.features_of(self.plain(values))

    def plain(self, values: pl.Series) -> Array:
        """The number; NaN where it is missing."""
        return values.cast(pl.Float64).to_numpy()[:, None]

    def features_of(self, numbers: Any, xp: Any = np) -> Any:
        absent = xp.isnan(numbers)
        parts = [self.scale.apply(xp.where(absent, self.fill, numbers), xp)] if self.varies else []
        return xp.concatenate([*parts, absent.astype(np.float64)], axis=1) if self.missing else parts[0]

    def numbers(self) -> tuple[dict[str, Any], ...]:
        return ({"name": self.name, "is": "the number, NaN where it is missing"},)

    def describe(self) -> str:
        return f"{self.missing:,} missing, filled with {self.fill:.6g}" if self.missing else ""


@dataclass(frozen=True)
class Category:
    """A category (one-hot): one feature per level, which is 1 where the column has that level, else 0."""

    kind: ClassVar[str] = "category"
    name: str
    levels: tuple[str, ...]
    missing: int

    def features(self) -> tuple[str, ...]:
        return (*(f"{self.name}={level}" for level in self.levels), *((f"{self.name} missing",) * bool(self.missing)))

    def encode(self, values: pl.Series) -> Array:
        return self.features_of(self.plain(values))

    def plain(self, values: pl.Series) -> Array:
        """The place among the levels, −1 for one that is none of them; NaN where it is missing."""
        text = as_text(values)
        codes = level_codes(text, self.levels).astype(np.float64)
        return np.where(text.is_null().to_numpy(), np.nan, codes)[:, None]

    def features_of(self, numbers: Any, xp: Any = np) -> Any:
        encoded = numbers == np.arange(len(self.levels), dtype=np.float64)
        parts = [encoded, xp.isnan(numbers)] if self.missing else [encoded]
        return xp.concatenate(parts, axis=1).astype(np.float64)

    def numbers(self) -> tuple[dict[str, Any], ...]:
        what = "the place of the value among the levels, from 0; -1 for another one, NaN where it is missing"
        return ({"name": self.name, "is": what, "levels": list(self.levels)},)

    def describe(self) -> str:
        shown = ", ".join(self.levels[:6]) + (" …" if len(self.levels) > 6 else "")
        return f"{len(self.levels)} levels: {shown}" + (f", {self.missing:,} missing" if self.missing else "")


@dataclass(frozen=True)
class Date:
    """A date or time: scaled years, and sin and cos of its phase in the year, the week and the day."""

    kind: ClassVar[str] = "date"
    name: str
    scale: Scale
    fill: float  # seconds since 1970
    missing: int
    cycles: tuple[str, ...]  # those of `CYCLES` in which the training rows differ
    form: str = ""  # "%d/%m/%Y" or "%m/%d/%Y": 03/04/2012 alone does not tell which

    def features(self) -> tuple[str, ...]:
        rounds = (f"{self.name} {cycle} {part}" for cycle in self.cycles for part in ("sin", "cos"))
        return (f"{self.name} year", *rounds, *((f"{self.name} missing",) * bool(self.missing)))

    def encode(self, values: pl.Series) -> Array:
        return self.plain(values)

    def features_of(self, numbers: Any, xp: Any = np) -> Any:
        return numbers

    def numbers(self) -> tuple[dict[str, Any], ...]:
        """Its features: the calendar is no formula of plain numbers."""
        return tuple({"name": name, "is": "encoded by nograd"} for name in self.features())

    def plain(self, values: pl.Series) -> Array:
        time = seconds(values)
        absent = np.isnan(time)
        time = np.where(absent, self.fill, time)
        parts = [self.scale.apply(years(time))[:, None], *(cycle(time, name) for name in self.cycles)]
        return np.concatenate([*parts, absent[:, None]] if self.missing else parts, axis=1)

    def describe(self) -> str:
        filled = f", {self.missing:,} missing, filled with the median" if self.missing else ""
        return ", ".join(("year", *self.cycles)) + filled


ColumnKind: TypeAlias = Number | Category | Date
KINDS: dict[str, type[ColumnKind]] = {kind.kind: kind for kind in (Number, Category, Date)}


def column_to_json(column: ColumnKind) -> dict[str, Any]:
    """Plain values: the kind and its fields."""
    return {"kind": column.kind, **asdict(column)}


def column_from_json(record: Mapping[str, Any]) -> ColumnKind:
    """The column that `column_to_json` wrote."""
    fields: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in record.items()
    }
    kind = KINDS.get(fields.pop("kind", ""))
    if kind is None:
        raise DataError(f"the encoding has a column of kind {record.get('kind')!r}; known: {', '.join(KINDS)}")
    if "scale" in fields:
        fields["scale"] = Scale(**fields["scale"])
    return kind(**fields)


def changing_cycles(time: Array) -> tuple[str, ...]:
    """The cycles in which the times (seconds) stand at different places."""
    # 1 minus the length of the mean direction: 0.001 is some three days of a year, ten minutes of a day.
    means = {name: np.hypot(*cycle(time, name).mean(axis=0)) for name in CYCLES}
    return tuple(name for name, length in means.items() if 1 - length > 1e-3)
