"""From the columns of a table to the inputs of a network: learnt on the training rows, applied by column name."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from nograd.core.types import DataError
from nograd.data.arrays import Array
from nograd.data.columns import canonical
from nograd.data.columnwise import columnwise
from nograd.data.frames import natural
from nograd.data.kinds import Category, ColumnKind, Date, Number, column_from_json, column_to_json
from nograd.data.learn import Dropped, flag_numbers, last_resort, learn_column
from nograd.data.messages import name_list, one_line
from nograd.data.table import Table

VERSION = 1


class Encoding(NamedTuple):
    """What became of each column of a table, as plain values."""

    columns: tuple[ColumnKind, ...]  # in the order in which the network gets them
    dropped: tuple[Dropped, ...]
    targets: tuple[str, ...]  # the label columns

    @property
    def features(self) -> tuple[str, ...]:
        """A name for each number that the network gets."""
        return tuple(feature for column in self.columns for feature in column.features())

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one encoded example."""
        return (len(self.features),)

    @property
    def names(self) -> list[str]:
        """The columns that the network's inputs are made of."""
        return [column.name for column in self.columns]

    def unknown(self, names: Iterable[str]) -> list[str]:
        """Those of the names that training did not see."""
        known = {column.name for column in self.columns} | {column.name for column in self.dropped} | {*self.targets}
        return [name for name in names if name not in known]

    def to_json(self) -> dict[str, Any]:
        """Plain values for config.json."""
        return {
            "kind": "table",
            "version": VERSION,
            "columns": [column_to_json(column) for column in self.columns],
            "dropped": [dropped._asdict() for dropped in self.dropped],
            "targets": list(self.targets),
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "Encoding":
        """The encoding that `to_json` wrote.

        Raises:
            DataError: the record was edited, or written by a later version.
        """
        try:
            columns = tuple(column_from_json(column) for column in record["columns"])
            dropped = tuple(Dropped(**dropped) for dropped in record["dropped"])
            return cls(columns, dropped, tuple(record["targets"]))
        except (KeyError, TypeError) as error:
            raise DataError(f"the recorded encoding cannot be read ({one_line(error)}); train again") from error

    def encode(self, table: Table, keep: Iterable[str] | None = ()) -> Array:
        """The inputs of the network, float32 [rows, features], by the columns' names.

        Args:
            table: columns in any order. Those that were dropped in training, and the labels, may be there or not.
            keep: columns that may be there although training knows nothing of them; None for any.
        Raises:
            DataError: a column is missing or unknown, or holds what it did not hold in training.
        """
        check_columns(self, table, keep)
        return encode_frame(self.columns, self._canonical(table), table.source)

    def numbers(self) -> list[dict[str, Any]]:
        """What each of the plain numbers of a row is."""
        return [number for column in self.columns for number in column.numbers()]

    def plain(self, table: Table) -> Array:
        """A table as the plain numbers that an exported network takes, float64 [rows, numbers], by the columns' names.

        Raises:
            DataError: as `encode`; columns that training does not know may be there.
        """
        check_columns(self, table, None)
        frame = self._canonical(table)
        found = [column.plain(_fitting(column, frame[column.name], table.source)) for column in self.columns]
        return np.concatenate(found, axis=1, dtype=np.float64)

    def features_of(self, numbers: Any, xp: Any) -> Any:
        """What the network gets of plain numbers, float32 [rows, features], in NumPy or jax.numpy."""
        ends = np.cumsum([len(column.numbers()) for column in self.columns])
        starts = [0, *ends[:-1]]
        parts = [
            column.features_of(numbers[:, start:end], xp)
            for column, start, end in zip(self.columns, starts, ends, strict=True)
        ]
        return xp.concatenate(parts, axis=1).astype(np.float32)

    def _canonical(self, table: Table) -> pl.DataFrame:
        """The columns that the network reads, each in its form."""
        names = [column.name for column in self.columns]
        kinds = {column.name: "category" for column in self.columns if isinstance(column, Category)}
        forms = {column.name: column.form for column in self.columns if isinstance(column, Date)}
        return canonical(table._replace(frame=table.frame.select(names)), kinds, forms).frame


def check_columns(encoding: Encoding, table: Table, keep: Iterable[str] | None) -> None:
    """Raises DataError unless a table has all the columns that training used, and none that it has not seen."""
    wanted, there = [column.name for column in encoding.columns], set(table.frame.columns)
    missing = [name for name in wanted if name not in there]
    if missing:
        plural = "s" if len(missing) > 1 else ""
        raise DataError(
            f"{table.source} lacks the column{plural} {name_list(missing)} that the model was trained on; "
            f"it has {name_list(table.frame.columns)}: add or rename them"
        )
    if keep is None:
        return
    kept = set(keep)
    if unknown := [name for name in encoding.unknown(table.frame.columns) if name not in kept]:
        raise DataError(
            f"{table.source} has the column '{one_line(unknown[0])}' that the model was not trained on; "
            "leave it out of what is predicted"
        )


def learn_encoding(
    train: pl.DataFrame,
    targets: Sequence[str],
    asked: Mapping[str, str],
    standardize: str,
    source: str,
    positional: bool = False,
    forms: Mapping[str, str] | None = None,
) -> Encoding:
    """The encoding of all columns but the targets.

    Args:
        train: the training rows, in canonical form.
        asked: the kinds the user asks for, by column.
        positional: keep the order of the columns; else they are sorted by name, so that their order in the file
            does not matter.
        forms: formats of dates that new rows need, by column.
    Raises:
        DataError: no column is left, or one is not what the user asks for.
    """
    names = [name for name in train.columns if name not in targets]
    learnt = columnwise(
        lambda name: learn_column(train[name], asked.get(name, ""), standardize, source), names, train.height
    )
    columns = [
        replace(column, form=(forms or {}).get(column.name, "")) if isinstance(column, Date) else column
        for column in learnt
        if not isinstance(column, Dropped)
    ]
    dropped = tuple(column for column in learnt if isinstance(column, Dropped))
    if not columns:
        # Columns that looked useless are better than none: with few training rows all of them may be constant.
        columns = [kept for name in names if (kept := last_resort(train[name], standardize)) is not None]
        dropped = tuple(column for column in dropped if column.name not in {kept.name for kept in columns})
    if not columns:
        reasons = name_list([f"{name} ({why})" for name, why in dropped], 4) or "there is none but the label"
        raise DataError(
            f"{source} has no column to learn from: {reasons}; add at least one column of features, "
            "or keep one with --as NAME=category"
        )
    if not positional:
        columns = sorted(columns, key=lambda column: natural(column.name))
        dropped = tuple(sorted(dropped, key=lambda column: natural(column.name)))
    return Encoding(tuple(columns), dropped, tuple(targets))


def encode_frame(columns: Sequence[ColumnKind], frame: pl.DataFrame, source: str) -> Array:
    """float32 [rows, features] of columns in canonical form."""
    ends = np.cumsum([len(column.features()) for column in columns])
    x = np.empty((frame.height, ends[-1]), np.float32)

    def write(column: ColumnKind, end: int) -> None:
        encoded = column.encode(_fitting(column, frame[column.name], source))
        x[:, end - encoded.shape[1] : end] = encoded

    columnwise(lambda one: write(*one), zip(columns, ends, strict=True), frame.height)
    return x


def _fitting(column: ColumnKind, values: pl.Series, source: str) -> pl.Series:
    """A column in the form that its encoding takes."""
    if isinstance(column, Number) and column.flag:
        values = flag_numbers(values) if values.dtype != pl.Datetime else values
    wanted: dict[type, Callable[[], bool]] = {
        Number: lambda: values.dtype in (pl.Float64, pl.Boolean),
        Date: lambda: values.dtype == pl.Datetime,
    }
    if values.null_count() == len(values):
        return values.cast(pl.Datetime("us") if isinstance(column, Date) else pl.Float64, strict=False)
    if type(column) in wanted and not wanted[type(column)]():
        raise DataError(
            f"column '{one_line(column.name)}' of {source} holds '{one_line(values.drop_nulls()[0])}', "
            f"but it was a {column.kind} in training; give it in the same form"
        )
    return values
