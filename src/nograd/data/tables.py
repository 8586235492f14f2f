"""A table as training, validation and test examples: labels found, rows split, columns encoded."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from nograd.core.types import DataError
from nograd.data.arrays import PARTS, Array
from nograd.data.columns import as_text, canonical, is_code, level_codes
from nograd.data.columnwise import rows_of
from nograd.data.encoding import Encoding, encode_frame, learn_encoding
from nograd.data.learn import AS
from nograd.data.messages import name_list, one_line
from nograd.data.remarks import remarks_of
from nograd.data.scaling import check_standardize
from nograd.data.splits import SHARE, SPLITS, group_rows, part_sizes, random_rows, stratified_rows, time_rows
from nograd.data.table import Table
from nograd.data.targets import Target, find_problem, learn_target

LABEL_NAMES = ("label", "target", "class", "y")


@dataclass(frozen=True)
class TableOptions:
    """What a user can choose about a table; see `load`."""

    label: str | Sequence[str] | None = None
    problem: str = "auto"
    columns: Sequence[str] = ()  # the features to use; () for all
    drop: Sequence[str] = ()
    kinds: Mapping[str, str] = field(default_factory=dict)  # column: number, category, flag or date
    split: str = "auto"
    seed: int = 0
    standardize: str = "auto"
    positional: bool = False  # features in the order of the columns, not of their names


class ColumnReport(NamedTuple):
    """What became of a column."""

    column: str
    kind: str  # label, number, category, flag, date or dropped
    note: str


class Prepared(NamedTuple):
    """A table made ready: the parts of a data set."""

    parts: dict[str, tuple[Array, Array]]  # train, val, test: inputs and labels
    rows: tuple[Array, Array, Array]  # of each part: where its examples stand in the table
    target: Target
    encoding: Encoding
    account: tuple[ColumnReport, ...]
    remarks: tuple[str, ...]


def prepare(table: Table, options: TableOptions, val: Table | None = None, test: Table | None = None) -> Prepared:
    """Labels, split and encoding of a table.

    Args:
        val, test: tables of their own for these parts, with the same columns.
    Raises:
        DataError: what is wrong with the table, or does not suit the options.
    """
    check_standardize(options.standardize)
    labels = find_labels(table, options.label)
    whole, table = table, _chosen(table, labels, options)
    asked = dict(options.kinds)
    if options.problem == "classification":
        asked |= dict.fromkeys(labels, "category")
    given = {"train": table, "val": val, "test": test}
    frames: list[Any] = []
    remarks: dict[str, str] = {}
    forms: dict[str, str] = {}
    for name, one in given.items():
        if one is not None:
            found = canonical(_alike(table, one), asked, forms)
            remarks, forms = remarks | found.remarks, found.forms | forms
            frames.append(found.frame.with_columns(pl.lit(PARTS.index(name)).alias(_PART)))
    frame = _together(frames, table)
    row, frame = _labelled(frame, labels, table)
    values = [frame[name] for name in labels]
    problem = find_problem(values, options.problem, table.source)
    if problem == "classification" != options.problem and is_code(table.frame[labels[0]]):
        return prepare(whole, replace(options, problem=problem), val, test)  # 003 and 3 are two classes
    parts = _rows(frame, values, problem, options, table.source)
    target = learn_target(values, parts[0], problem, table.source)
    frame = frame.drop(_PART, *_split_column(options.split, "group"))
    # Encoded before it is split: the rows are then copied once, as one contiguous array of numbers.
    chosen = np.zeros(frame.height, bool)
    chosen[parts[0]] = True
    encoding = learn_encoding(
        frame.filter(pl.Series(chosen)),
        labels,
        options.kinds,
        options.standardize,
        table.source,
        options.positional,
        forms,
    )
    x, y = encode_frame(encoding.columns, frame, table.source), target.encode(values)
    arrays = {part: (rows_of(x, rows), rows_of(y, rows)) for part, rows in zip(PARTS, parts, strict=True)}
    lost = sum(len(f) for f in frames) - frame.height
    lines = [*table.remarks, *([f"{lost:,} rows without a label left out"] if lost else [])]
    lines += remarks_of(target, encoding, arrays)
    places = tuple(row[rows] for rows in parts)
    return Prepared(arrays, places, target, encoding, _account(frame, encoding, target, remarks), tuple(lines))  # type: ignore[arg-type]


_FEWEST = 3  # rows: one for training, one for validation, one for the test
_PART = "\0part"  # no file's column is called so


def find_labels(table: Table, label: str | Sequence[str] | None) -> tuple[str, ...]:
    """The label columns: those named, or the one that is called like a label."""
    columns, source = table.frame.columns, table.source
    if label is not None:
        names = [label] if isinstance(label, str) and label in columns else label
        names = [name.strip() for name in names.split(",")] if isinstance(names, str) else [str(n) for n in names]
        _check_known(names, table, "pass --label NAME with one of")
        return tuple(dict.fromkeys(names))
    found = [name for name in columns if name.lower() in LABEL_NAMES]
    if len(found) == 1:
        return (found[0],)
    fault = f"columns {' and '.join(found)} may all be labels" if found else "no column is named like a label"
    raise DataError(f"{source}: {fault}; pass --label NAME with one of {name_list(columns)}")


def _check_known(names: Sequence[str], table: Table, remedy: str) -> None:
    unknown = [name for name in names if name not in table.frame.columns]
    if unknown or not names:
        name = one_line(unknown[0]) if unknown else ""
        raise DataError(f"{table.source} has no column '{name}'; {remedy} {name_list(table.frame.columns)}")


def _chosen(table: Table, labels: tuple[str, ...], options: TableOptions) -> Table:
    """The columns that the options leave."""
    for names, remedy in (
        (options.columns, "--columns takes"),
        (options.drop, "--drop takes"),
        (tuple(options.kinds), "--as takes"),
    ):
        if names:
            _check_known(names, table, remedy)
    wrong = next(((name, kind) for name, kind in options.kinds.items() if kind not in AS), None)
    if wrong:
        raise DataError(f"--as '{wrong[0]}={wrong[1]}' names no kind of column; the kinds are {', '.join(AS)}")
    if set(labels) & set(options.drop):
        raise DataError(f"the label '{labels[0]}' cannot be dropped; leave it out of --drop")
    needed = {*labels, *_split_column(options.split, "group"), *_split_column(options.split, "time")}
    kept = [
        name
        for name in table.frame.columns
        if name in needed or (name not in options.drop and (not options.columns or name in options.columns))
    ]
    features = [name for name in kept if name not in labels]
    if not features:
        raise DataError(
            f"{table.source} has no column but the label '{labels[0]}'; add at least one column of features"
        )
    return table._replace(frame=table.frame.select(kept))


def _split_column(split: str, kind: str) -> list[str]:
    """The column of a split by time or by group."""
    return [split.partition(":")[2]] if split.startswith(f"{kind}:") else []


def _alike(table: Table, other: Table) -> Table:
    """Another table's columns, if it has all those of the first."""
    missing = [name for name in table.frame.columns if name not in other.frame.columns]
    if missing:
        raise DataError(f"{other.source} lacks the columns {name_list(missing)} of {table.source}; add or rename them")
    return other._replace(frame=other.frame.select(table.frame.columns))


def _together(frames: Sequence[pl.DataFrame], table: Table) -> pl.DataFrame:
    """The rows of all parts in one frame, each column in the form that it has in the training file."""
    first, *others = frames
    for i, frame in enumerate(others, 1):
        for name, kind in first.schema.items():
            if frame.schema[name] == kind:
                continue
            if kind == pl.String or frame[name].null_count() == frame.height:
                column = as_text(frame[name]) if kind == pl.String else frame[name].cast(kind, strict=False)
                frame = frame.with_columns(column.alias(name))
            elif first[name].null_count() == first.height:
                first = first.with_columns(pl.lit(None, frame.schema[name]).alias(name))
            else:
                part = "test" if i == len(others) else "validation"
                raise DataError(
                    f"column '{one_line(name)}' is of another kind in the {part} "
                    f"file than in {table.source}, such as '{one_line(frame[name].drop_nulls()[0])}'; write both alike"
                )
        others[i - 1] = frame
    return pl.concat([first, *others]) if others else first


def _labelled(frame: pl.DataFrame, labels: tuple[str, ...], table: Table) -> tuple[Array, pl.DataFrame]:
    """The rows with a label, and where they stood.

    Raises:
        DataError: there are none, or too few to learn from.
    """
    there = frame.select(pl.all_horizontal(pl.col(labels).is_not_null())).to_series().to_numpy()
    if not there.any():
        raise DataError(
            f"{table.source} has no row with a label in column '{one_line(labels[0])}'; fill it in, or choose another"
        )
    if there.sum() < _FEWEST < len(there):
        raise DataError(
            f"{table.source} has a label in column '{one_line(labels[0])}' in {there.sum()} of {len(there):,} rows; "
            f"fill it in in {_FEWEST} at least, or choose another"
        )
    return np.flatnonzero(there), frame if there.all() else frame.filter(pl.Series(there))


def _rows(
    frame: pl.DataFrame, values: Sequence[pl.Series], problem: str, options: TableOptions, source: str
) -> list[Array]:
    """The rows of training, validation and test."""
    part = frame[_PART].to_numpy()
    own = np.flatnonzero(part == 0)
    missing = [i for i in (1, 2) if not (part == i).any()]
    if not missing:
        return [np.flatnonzero(part == i) for i in range(3)]
    sizes = part_sizes(len(own), [SHARE] * len(missing), options.seed, source)
    every = len(own) == frame.height
    mine = (frame, values) if every else (frame[own], [value.gather(own) for value in values])
    dealt = [own[rows] for rows in _dealt(*mine, problem, sizes, options, source)]
    found = dict(zip([0, *missing], dealt, strict=True))
    return [found.get(i, np.flatnonzero(part == i)) for i in range(3)]


def _dealt(
    frame: pl.DataFrame,
    values: Sequence[pl.Series],
    problem: str,
    sizes: Sequence[int],
    options: TableOptions,
    source: str,
) -> list[Array]:
    """The rows of the training file, dealt by the split that is asked for."""
    kind, _, column = options.split.partition(":")
    if options.split == "random" or (options.split == "auto" and problem != "classification"):
        return random_rows(frame.height, sizes, options.seed)
    if options.split in ("auto", "stratified"):
        if problem != "classification":
            raise DataError(
                f"--split stratified needs classes, the label of {source} is a {problem}; use --split random"
            )
        return stratified_rows(_codes(values[0]), sizes, options.seed)
    if kind not in ("time", "group") or not column:
        raise DataError(f"--split cannot be {options.split!r}; use one of {', '.join(SPLITS[1:])}")
    if column not in frame.columns:
        raise DataError(
            f"{source} has no column '{one_line(column)}'; --split {kind}: takes one of {name_list(frame.columns[:-1])}"
        )
    by = frame[column]
    if by.null_count():
        raise DataError(
            f"column '{one_line(column)}' of {source} has {by.null_count():,} missing values; "
            "a split needs one in every row"
        )
    if kind == "group":
        return group_rows(_codes(by), sizes, options.seed, source)
    return time_rows(by.to_numpy() if by.dtype != pl.Datetime else by.dt.timestamp("us").to_numpy(), sizes, source)


def _codes(column: pl.Series) -> Array:
    """The numbers of the column's values among all of them in order."""
    return level_codes(column, column.unique().sort())


def _account(
    frame: pl.DataFrame, encoding: Encoding, target: Target, remarks: Mapping[str, str]
) -> tuple[ColumnReport, ...]:
    """What became of each column, in the order of the file."""
    dropped = {column.name: ColumnReport(column.name, "dropped", column.why) for column in encoding.dropped}
    found = {
        column.name: ColumnReport(
            column.name, "flag" if getattr(column, "flag", False) else column.kind, column.describe()
        )
        for column in encoding.columns
    }
    noun = {"classification": f"{len(target.classes)} classes: {name_list(target.classes, 6)}"}.get(
        target.problem, target.problem
    )
    labels = {name: ColumnReport(name, "label", noun) for name in target.names}
    lines = {**dropped, **found, **labels}
    said = (lines[name] for name in frame.columns if name in lines)
    return tuple(line._replace(note="; ".join(filter(None, (line.note, remarks.get(line.column))))) for line in said)
