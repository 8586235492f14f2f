"""A table as it was read: a frame, its source, and the place of each row in the source for messages."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

import polars as pl

from nograd.core.types import DataError
from nograd.data.messages import one_line

MOST_COLUMNS = 50_000  # every column is looked at by itself: more would take minutes, and is a mistake as a rule

INDEX_NAME = "index"  # of a first column without a name that numbers the rows


class Table(NamedTuple):
    """Rows and named columns of any origin."""

    frame: pl.DataFrame
    source: str  # what messages call it, usually a path
    place: Callable[[int], str]  # where a row is in the source: "line 18" of row 16
    remarks: tuple[str, ...] = ()  # what a person should know of how it was read


def row_place(row: int) -> str:
    """ "row 1" for the first row."""
    return f"row {row + 1}"


def where(table: Table, row: int, column: str) -> str:
    """ "FILE line 4, column 'width'"."""
    return f"{table.source} {table.place(row)}, column '{one_line(column)}'"


def check_names(names: Sequence[str], source: str) -> None:
    """Raises DataError where a name comes twice, or there are more columns than can be looked at."""
    if len(names) > MOST_COLUMNS:
        raise DataError(
            f"{source} has {len(names):,} columns, more than the {MOST_COLUMNS:,} that a table may have; "
            "keep those that matter, or save the numbers as an array in a .npz file"
        )
    if not names:
        raise DataError(f"{source} has no columns; give named columns and one row an example")
    (name, count), *_ = Counter(names).most_common(1)
    if count > 1:
        raise DataError(
            f"the header of {source} has the column '{one_line(name)}' {count} times; rename or drop the others"
        )
