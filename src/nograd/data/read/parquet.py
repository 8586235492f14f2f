"""Parquet files."""

import io
from pathlib import Path

import polars as pl

from nograd.core.types import DataError
from nograd.data.messages import one_line
from nograd.data.read.compressed import check_growth, read_gzip
from nograd.data.table import Table, check_names, row_place


def read_parquet(path: Path) -> Table:
    """The table in a .parquet file.

    Raises:
        DataError: unreadable, cut off, damaged, without rows, or too large for this machine.
    """
    source = io.BytesIO(read_gzip(path)) if path.suffix.lower() == ".gz" else path
    try:
        schema = pl.read_parquet_schema(source)
        check_names(list(schema), str(path))
        rows = pl.scan_parquet(source).select(pl.len()).collect().item()
        # A column of one value takes no room in the file: only the memory is a limit here.
        check_growth(path, 1 << 62, 8 * rows * len(schema))
        frame = pl.read_parquet(source)
    except OSError as error:
        raise DataError(
            f"cannot read {path} ({error.strerror or one_line(error)}); check path and permissions"
        ) from error
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise DataError(
            f"{path} is cut off, damaged or not Parquet ({one_line(error)}); copy or write it again"
        ) from error
    if not frame.height:
        raise DataError(f"{path} has columns but no rows; add one row an example")
    return Table(frame, str(path), row_place)
