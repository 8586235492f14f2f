"""The first sheet of an Excel workbook (.xlsx); its first row names the columns."""

import warnings
import zipfile
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import polars as pl

from nograd.core.types import DataError
from nograd.data.messages import one_line
from nograd.data.read.compressed import check_zip
from nograd.data.read.records import series_of
from nograd.data.table import Table, check_names


def read_excel(path: Path) -> Table:
    """The table in the first sheet of a workbook: the values that its formulas had when it was saved.

    Raises:
        DataError: unreadable, damaged, empty, or a column of values without a name above it.
    """
    check_zip(path)
    rows = [(number, row) for number, row in enumerate(_rows(path), 1) if any(cell is not None for cell in row)]
    if not rows:
        raise DataError(f"{path} is empty; give a row of column names and one row an example")
    (_, header), *body = rows
    width = max((i + 1 for _, row in rows for i, cell in enumerate(row) if cell is not None), default=0)
    names = ["" if i >= len(header) or header[i] is None else str(header[i]).strip() for i in range(width)]
    if "" in names:
        raise DataError(f"column {names.index('') + 1} in the first row of {path} has no name; name it, or delete it")
    check_names(names, str(path))
    if not body:
        raise DataError(f"{path} has a header but no rows; add one row an example")
    table = Table(pl.DataFrame(), str(path), lambda row: f"line {body[row][0]}")
    columns = [[row[i] if i < len(row) else None for _, row in body] for i in range(width)]
    return table._replace(frame=pl.DataFrame([_series(n, c, table) for n, c in zip(names, columns, strict=True)]))


def _rows(path: Path) -> list[tuple[Any, ...]]:
    """The cells of the first sheet as Python's values."""
    # Imported here: a library of XML that only workbooks need.
    from openpyxl import load_workbook

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of parts of a workbook that have no meaning for its values
            book = load_workbook(path, read_only=True, data_only=True)
            try:
                sheet = book.worksheets[0]
                sheet.reset_dimensions()  # some writers leave a wrong size in the file
                return list(sheet.iter_rows(values_only=True))
            finally:
                book.close()
    except OSError as error:
        raise DataError(
            f"cannot read {path} ({error.strerror or one_line(error)}); check path and permissions"
        ) from error
    except (zipfile.BadZipFile, KeyError, IndexError, ValueError, SyntaxError, TypeError) as error:
        raise DataError(
            f"{path} is damaged or not .xlsx ({one_line(error)}); save it again as .xlsx or .csv"
        ) from error


def _series(name: str, values: list[Any], table: Table) -> pl.Series:
    """A column of cells; dates stay dates if all of it are."""
    kinds = {type(value) for value in values} - {type(None)}
    if kinds and kinds <= {datetime, date}:
        whole = [datetime(v.year, v.month, v.day) if type(v) is date else v for v in values]
        return pl.Series(name, whole, pl.Datetime("us"))
    return series_of(name, [str(v) if isinstance(v, datetime | date | time) else v for v in values], table)
