"""Tables of text for a terminal: side by side where they fit, else each row as a list of names and values."""

import textwrap
from collections.abc import Iterable
from typing import NamedTuple

from rich.cells import cell_len
from rich.console import Console
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
        if _width(part) <= console.width:
            console.print(_table(part), highlight=False, markup=False)
        else:
            print_line(console, stacked(part, console.width))


def stacked(grid: Grid, width: int) -> str:
    """The title, and a block of lines for each row: names on the left, values on the right of them or below."""
    longest = max(map(len, grid.columns), default=0)
    blocks = [fitted(grid.title, width)]
    for row in grid.rows:
        cells = [(name, cell) for name, cell in zip(grid.columns, row, strict=True) if cell]
        wide = max((cell_len(cell) for _, cell in cells), default=0) + longest + 4 > width
        between = "\n    " if wide else "  "
        lines = (f"  {name if wide else name.ljust(longest)}{between}{cell}" for name, cell in cells)
        blocks.append("\n".join(fitted(line, width) for line in lines))
    return "\n\n".join(blocks) + "\n"


def _table(grid: Grid) -> Table:
    table = Table(title=grid.title, title_justify="left", title_style="bold")
    for place, name in enumerate(grid.columns):
        free = name in grid.prose
        # Names are wrapped between words to the width of the values below them.
        head = textwrap.fill(name, max(_least(grid, place), 1), break_long_words=False, break_on_hyphens=False)
        table.add_column(head, justify="left" if free else "right", no_wrap=not free)
    for row in grid.rows:
        table.add_row(*row)
    return table


def _width(grid: Grid) -> int:
    """The least number of characters that a table takes side by side, with its frame."""
    return 1 + sum(3 + _least(grid, place) for place in range(len(grid.columns)))


def _least(grid: Grid, place: int) -> int:
    """The least number of characters of a column: of the words of its name and of its values; numbers stay whole."""
    name, values = grid.columns[place], [row[place] for row in grid.rows]
    whole = [word for value in values for word in value.split()] if name in grid.prose else values
    return max(map(cell_len, [*name.split(), *whole]), default=0)
