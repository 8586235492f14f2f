"""Tables of text for a terminal: side by side where they fit, else each row as a list of names and values."""

from collections.abc import Iterable
from typing import NamedTuple

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

from nograd.core.console import print_line
from nograd.core.wrapping import fitted


class Grid(NamedTuple):
    """A table as text."""

    title: str
    columns: list[str]
    rows: list[list[str]]
    prose: tuple[str, ...] = ()  # columns of words that may be wrapped; the others are numbers, aligned to the right


def show(parts: Iterable[Grid | str], console: Console) -> None:
    """Prints tables and sentences one after the other."""
    for part in parts:
        if isinstance(part, str):
            print_line(console, part)
            continue
        table = _table(part)
        if Measurement.get(console, console.options, table).minimum <= console.width:
            console.print(table, highlight=False, markup=False)
        else:
            print_line(console, stacked(part, console.width))


def stacked(grid: Grid, width: int) -> str:
    """The title, and a block of lines for each row: names on the left, values on the right of them."""
    longest = max(map(len, grid.columns), default=0)
    blocks = [fitted(grid.title, width)]
    for row in grid.rows:
        cells = [(name, cell) for name, cell in zip(grid.columns, row, strict=True) if cell]
        blocks.append("\n".join(fitted(f"  {name:{longest}}  {cell}", width) for name, cell in cells))
    return "\n\n".join(blocks)


def _table(grid: Grid) -> Table:
    table = Table(title=grid.title, title_justify="left", title_style="bold")
    for name in grid.columns:
        free = name in grid.prose
        table.add_column(name, justify="left" if free else "right", no_wrap=not free)
    for row in grid.rows:
        table.add_row(*row)
    return table
