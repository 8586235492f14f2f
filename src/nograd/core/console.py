"""What a person sees while something long goes on: lines, and a block below them that is redrawn.

The block is for terminals and notebooks. A file or a pipe gets lines alone.
"""

import io
import sys
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.live import Live

from nograd.core.block import Block
from nograd.core.wrapping import columns_of, fitted

_PLAIN_EVERY = 10.0  # seconds between lines of the state, if no block is redrawn
_NOTEBOOK_EVERY = 0.5  # seconds between two drawings in a notebook, each of which is a message to the browser
_NOTEBOOK_WIDTH = 80


def standard_console(width: int | None = None) -> Console:
    """A console on standard output.

    A pipe gets plain lines although FORCE_COLOR is set, as in Jupyter and on some build servers: Rich would take it for
    a terminal then, and write every frame of a block one below the other.

    Args:
        width: columns of what is no terminal; None for Rich's choice.
    """
    terminal = sys.stdout is not None and sys.stdout.isatty()
    return Console(width=None if terminal else width, force_terminal=None if terminal else False)


class ProgressDisplay(AbstractContextManager["ProgressDisplay"]):
    """Lines, and a block below them. Without a console it is silent."""

    def __init__(self, console: Console | None, total: float, completed: float = 0) -> None:
        """
        Args:
            console: where the lines and the block go.
            total: of the bar, in the unit of `move`.
            completed: of it, at the start.
        """
        self._console, self._printed = console, time.monotonic()
        self._block = Block(total, completed)
        self._drawing: Live | _NotebookBlock | None = None
        if console and console.is_jupyter:
            self._drawing = _NotebookBlock(self._block)
        elif console and console.is_terminal and not console.is_dumb_terminal:
            self._drawing = Live(self._block, console=console, transient=True, refresh_per_second=4)

    def __enter__(self) -> Self:
        if self._drawing:
            self._drawing.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._drawing:
            self._drawing.__exit__(kind, error, trace)

    def move(self, completed: float, tail: str, parts: Sequence[str], curve: list[float]) -> None:
        """How things stand now; see `Block`."""
        block = self._block
        block.completed, block.tail, block.parts, block.curve = completed, tail, parts, curve
        if isinstance(self._drawing, _NotebookBlock):
            self._drawing.draw()

    @property
    def redrawn(self) -> bool:
        """Whether a block shows how things stand."""
        return self._drawing is not None

    @property
    def due(self) -> bool:
        """Whether a line should say how things stand: no block does, and the last line is ten seconds old."""
        return not self.redrawn and self.since_line > _PLAIN_EVERY

    @property
    def since_line(self) -> float:
        """Seconds since the last line that said how things stand, or since the start."""
        return time.monotonic() - self._printed

    def line(self, text: str, state: bool = False) -> None:
        """Prints a line.

        Args:
            text: the line.
            state: whether it says how things stand, not what happened.
        """
        if state:
            self._printed = time.monotonic()
        if self._console and self._console.is_jupyter:
            print(text)
        elif self._console:
            print_line(self._console, text)


def print_line(console: Console, text: str) -> None:
    """Prints text as it is, or on a terminal wrapped between words. Only a longer word, such as a path, is broken, by
    the terminal itself: it is whole when it is copied.
    """
    # Rich takes 80 columns for a terminal that cannot move its cursor.
    columns = columns_of(console.file) or console.width
    shown = fitted(text, columns) if console.is_terminal else text
    console.print(shown, highlight=False, markup=False, soft_wrap=True)


class _NotebookBlock:
    """The block as an output of a notebook's cell, which is replaced in place."""

    def __init__(self, block: Block) -> None:
        self._block, self._shown = block, 0.0
        self._handle: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.draw(last=True)

    def draw(self, last: bool = False) -> None:
        """Shows the block, at most twice a second but for the last time."""
        if not last and time.monotonic() - self._shown < _NOTEBOOK_EVERY:
            return
        from IPython.display import display  # a notebook has it

        self._shown = time.monotonic()
        content = {"text/plain": _text(self._block)}
        if self._handle is None:
            self._handle = display(content, raw=True, display_id=True)
        else:
            self._handle.update(content, raw=True)


def _text(block: Block) -> str:
    """The block as plain text."""
    out = io.StringIO()
    Console(file=out, width=_NOTEBOOK_WIDTH, force_jupyter=False, color_system=None).print(block)
    return out.getvalue().rstrip()
