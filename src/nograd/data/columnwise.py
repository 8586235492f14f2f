"""Applies a function to each column of a table, in several threads where the columns are long."""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

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
