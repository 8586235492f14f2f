"""Work on the columns and rows of a table in several threads, if the table is long."""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np

_LONG = 100_000  # rows: below that a thread costs more than it saves
_THREADS = min(8, os.cpu_count() or 1)

Item = TypeVar("Item")
Result = TypeVar("Result")


def columnwise(function: Callable[[Item], Result], columns: Iterable[Item], rows: int) -> list[Result]:
    """function(column) for each of the columns, in their order; the first error in that order is raised.

    NumPy and Polars release Python's lock while they compute, so that threads use several cores.
    """
    if rows < _LONG:
        return list(map(function, columns))
    with ThreadPoolExecutor(_THREADS) as pool:
        return list(pool.map(function, columns))


def rows_of(array: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """array[rows] for whole numbers within the array; a long one is copied by several threads."""
    found = np.empty((len(rows), *array.shape[1:]), array.dtype)
    ends = np.linspace(0, len(rows), _THREADS + 1).astype(int)

    def copy(piece: int) -> None:
        span = slice(ends[piece], ends[piece + 1])
        np.take(array, rows[span], axis=0, out=found[span], mode="clip")  # the other modes copy once more

    columnwise(copy, range(_THREADS), len(rows))
    return found
