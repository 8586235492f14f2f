"""curves.png drawn by a child process, while this one scores the test split: each has a second of imports to do."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from multiprocessing.connection import Connection
from typing import Any

from nograd.core.metrics import Measure
from nograd.engines.child_process import ChildProcess
from nograd.engines.cores import core_count
from nograd.runs.curves import draw_curves

_PATIENCE = 20.0  # seconds for a drawing, before it is done here


@contextmanager
def curves_beside(
    metrics: list[dict[str, Any]], title: str, measure: Measure, best_generation: int | None
) -> Iterator[Callable[[], bytes]]:
    """Begins to draw; the function that is given waits for the content of the PNG file.

    It is drawn here where there is no core for a child process, where Matplotlib has been imported already, or where
    the child fails. Arguments as of `draw_curves`.
    """
    drawing = (metrics, title, measure, best_generation)
    if not _pays():
        yield lambda: draw_curves(*drawing)
        return
    with closing(ChildProcess(__name__)) as child:
        with suppress(OSError):  # it has ended
            child.link.send(drawing)
        yield lambda: _received(child.link) or draw_curves(*drawing)


def _pays() -> bool:
    return os.name == "posix" and core_count() > 1 and "matplotlib" not in sys.modules


def _received(link: Connection) -> bytes:
    with suppress(EOFError, OSError):
        return link.recv_bytes() if link.poll(_PATIENCE) else b""
    return b""


def serve(link: Connection, pinned: bool) -> None:
    """The child process: one drawing."""
    link.send_bytes(draw_curves(*link.recv()))
