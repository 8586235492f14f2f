"""How far a download is, on stderr: a bar on a terminal, one plain line elsewhere."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

Advance: TypeAlias = Callable[[int], None]  # takes the number of bytes that have just come


@contextmanager
def show_progress(url: str, done: int, total: int | None, enabled: bool) -> Iterator[Advance]:
    """Gives a function to call with each number of bytes received.

    Args:
        url: what is downloaded; its last part is shown. done: bytes here already. total: bytes in all,
            None if the server does not say. enabled: False shows nothing.
    """
    if not enabled:
        yield lambda count: None
    elif not sys.stderr.isatty():
        size = "" if total is None else f" ({total / 1e6:.1f} MB)"
        print(f"downloading {url}{size}", file=sys.stderr, flush=True)
        yield lambda count: None
    else:
        with _bar(url.rsplit("/", 1)[-1], done, total) as advance:
            yield advance


@contextmanager
def _bar(name: str, done: int, total: int | None) -> Iterator[Advance]:
    """A Rich bar with bytes, speed and time left."""
    # Imported here: most runs find their data on disk and show no bar.
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(name, total=total, completed=done)
        yield lambda count: bar.advance(task, count)
