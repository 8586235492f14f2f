"""The names in the first line of a text file; or that it has none, and holds data."""

from collections.abc import Sequence
from pathlib import Path

from nograd.core.types import DataError
from nograd.data.messages import name_list
from nograd.data.numbers import is_number
from nograd.data.table import check_names
from nograd.data.words import MISSING

_SCALE = 8  # numbers in order that may name the columns of a spectrum; fewer may be in order by chance
NO_HEADER = "no header row: the columns are called {first} to {last}"


def header(
    path: Path, row: Sequence[str], rows: Sequence[Sequence[str]], headless: bool = False
) -> tuple[tuple[str, ...], bool]:
    """The names of the columns, and whether the first row holds them: else they are column_1, column_2, ….

    Args:
        rows: some of those below it.
        headless: whether numbers that may be names as well as data are data.
    Raises:
        DataError: no row, a column without a name, two of one name, or numbers that may be names as well as data.
    """
    # Without spaces around them; the first may be empty, as pandas writes it above its index.
    names = tuple(name.strip() for name in row)
    if not names:
        raise DataError(f"{path} is empty; give a header row and one row an example")
    numbers = all(map(is_number, names))
    if numbers or _is_data(names):
        if headless or (_is_alike(names, rows) and not (numbers and _in_order(list(map(float, names))))):
            return tuple(f"column_{place + 1}" for place in range(len(names))), False
        kind = "is all numbers" if numbers else "holds data"
        raise DataError(
            f"{path} has no header row, its first line {kind} ({name_list(names, 5)}); "
            "add a line of column names above it, or, if it is the first example, name the label column by its place: "
            f"--label column_{len(names)}"
        )
    if "" in names[1:]:
        raise DataError(f"column {names.index('', 1) + 1} in the header of {path} has no name; name it, or delete it")
    check_names(names, str(path))
    return names, True


def _is_data(names: tuple[str, ...]) -> bool:
    """Whether a header holds fractions that are no scale, such as the wavelengths of a spectrum."""
    numbers = [float(name) for name in names if is_number(name)]
    fractions = sum(number != int(number) for number in numbers)
    return fractions > 0 and not (len(numbers) >= _SCALE and _in_order(numbers))


def _in_order(numbers: list[float]) -> bool:
    """Whether numbers rise or fall all along, as years or wavelengths do."""
    return len(set(numbers)) == len(numbers) and numbers in (sorted(numbers), sorted(numbers, reverse=True))


def _is_alike(names: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Whether a first line is like most of those below it: as many cells, and numbers wherever they are numbers."""
    alike = [row for row in rows if len(row) == len(names)]
    columns = [[cell for cell in column if cell.strip().lower() not in MISSING] for column in zip(*alike, strict=True)]
    return len(alike) > max(1, len(rows) / 2) and all(
        is_number(name) or not column or not all(map(is_number, column))
        for name, column in zip(names, columns, strict=True)
    )
