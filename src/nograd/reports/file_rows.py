"""The rows of the user's own files that belong to the examples of a split."""

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from nograd.data import Dataset
from nograd.data.paths import is_file
from nograd.data.read.formats import read_table, table_format
from nograd.runs.run import Run
from nograd.tasks.examples import Split

if TYPE_CHECKING:
    from nograd.data.table import Table

_COLUMNS = 12  # columns of a row that are shown
_LONG = 100_000  # with more rows than this, finding a line number would be slow


class FileRows(NamedTuple):
    """The examples of a split as rows of the files that the training was given."""

    tables: "tuple[Table, ...]"
    rows: np.ndarray  # row number of each example, counted through all tables

    @property
    def columns(self) -> list[str]:
        """The first columns of the file."""
        return list(self.tables[0].frame.columns[:_COLUMNS])

    @property
    def hidden(self) -> int:
        """Number of columns that are not shown."""
        return len(self.tables[0].frame.columns) - len(self.columns)

    def place(self, example: int) -> str:
        """The place of an example in its file, such as "line 18"."""
        table, row = self._find(example)
        if table.frame.height > _LONG:
            return f"row {row + 1:,}"
        return table.place(row)

    def cells(self, example: int) -> list[str]:
        """The shown cells of an example, as text."""
        table, row = self._find(example)
        return ["" if value is None else str(value) for value in table.frame.select(self.columns).row(row)]

    def _find(self, example: int) -> "tuple[Table, int]":
        row = int(self.rows[example])
        for table in self.tables:
            if row < table.frame.height:
                return table, row
            row -= table.frame.height
        raise IndexError(row)


def file_rows(run: Run, split: Split, dataset: Dataset) -> FileRows | None:
    """The rows of the examples of a split; None if they are not rows of a file, or the file is gone."""
    files = [Path(file) for file in (run.placed.task, run.placed.val, run.placed.test) if file]
    if dataset.rows is None or not all(is_file(file) and table_format(file) for file in files):
        return None
    tables = tuple(read_table(file, dataset.columns) for file in files)
    return FileRows(tables, dataset.rows[("train", "val", "test").index(split)])
