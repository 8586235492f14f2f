"""The block that a terminal or a notebook redraws while something long goes on: a bar, scores and a small curve."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.console import Console, ConsoleOptions, RenderResult
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

_HEIGHTS = "▁▂▃▄▅▆▇█"
_CURVE = (5, 24)  # characters: with less room there is none, and it has no more
_GAP = "  "


@dataclass
class Block:
    """How things stand, in two lines of any width."""

    total: float  # of the bar, in the unit of `completed`
    completed: float
    tail: str = ""  # to the right of the bar
    parts: Sequence[str] = ()  # of the second line, the most important first: the last ones go if there is no room
    curve: list[float] = field(default_factory=list)  # drawn between the parts if there is room

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The bar with its tail; below it the parts that fit, and the curve."""
        width = options.max_width
        first = Table.grid(expand=True, padding=(0, 1))
        first.add_column(ratio=1)
        first.add_column(no_wrap=True, overflow="ellipsis", max_width=max(width - 10, 1))
        first.add_row(ProgressBar(total=max(self.total, 1e-9), completed=self.completed), self.tail)
        yield first
        yield Text(self.second_line(width, options.ascii_only), no_wrap=True, overflow="ellipsis")

    def second_line(self, width: int, ascii_only: bool = False) -> str:
        """The parts that fit into `width` characters, and the curve if there is room for it."""
        shown = list(self.parts)
        while len(shown) > 1 and len(_GAP.join(shown)) > width:
            shown.pop()
        room = width - len(_GAP.join(shown)) - len(_GAP)
        drawn = "" if ascii_only or room < _CURVE[0] else sparkline(self.curve, min(room, _CURVE[1]))
        return _GAP.join([*shown, drawn] if drawn else shown)


def sparkline(values: Sequence[float], width: int) -> str:
    """A curve in at most `width` characters, from the lowest to the highest of the values that it shows.

    Values that are not finite are left out. Of more values than characters, every so many-th is shown, and the last.
    """
    finite = [value for value in values if math.isfinite(value)]
    count = min(width, len(finite))
    if count < 2:
        return ""
    shown = [finite[round(place * (len(finite) - 1) / (count - 1))] for place in range(count)]
    low, high = min(shown), max(shown)
    spread = high - low
    if not spread or not math.isfinite(spread):
        return _HEIGHTS[0] * count
    return "".join(_HEIGHTS[round((value - low) / spread * (len(_HEIGHTS) - 1))] for value in shown)
