"""How long a command has been at work on a study, in a small file of the study directory while it runs.

The study's database records it, too, but only after JAX and Optuna have been imported, which takes seconds. A command
that is killed leaves this file behind, and the next command counts the time in it. Nothing here
imports JAX, NumPy or Optuna.
"""

import json
import os
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from nograd.core.clock import running_time
from nograd.core.json_text import to_json
from nograd.tuning.study.sessions import Session, begun

_OFTEN = 0.25  # seconds between two writes: as much is lost by kill −9
_WIDTH = 512  # bytes, so that a write is never shorter than the one before it
_MOST = 10.0  # seconds that an interpreter takes to start, on a busy machine
_NAMES = "session-{}.json"


class Lifetime:
    """This command's work on a study.

    Args:
        started: `time.monotonic()` at the start of the program.
    """

    def __init__(self, started: float) -> None:
        self.mark = uuid.uuid4()
        self._started = started
        self._session = begun([], 0.0)
        self._path: Path | None = None
        self._over = threading.Event()

    @property
    def seconds(self) -> float:
        """Since the start of the program, less those in which it was stopped."""
        return running_time() - self._started

    def keep_in(self, folder: Path) -> None:
        """Writes it there from now on, in a thread; not where nothing can be written, or there is no such folder."""
        if self._path is not None:
            return
        path = folder / _NAMES.format(name_of(self.mark))
        with suppress(OSError):
            self._write(path, os.O_CREAT)
            self._path = path
            threading.Thread(target=self._go_on, args=(path,), daemon=True).start()

    def close(self) -> None:
        """Removes the file: the database knows all by now."""
        self._over.set()
        if self._path is not None:
            with suppress(OSError):
                self._path.unlink()

    def _go_on(self, path: Path) -> None:
        while not self._over.wait(_OFTEN):
            with suppress(OSError):
                self._write(path)

    def _write(self, path: Path, how: int = 0) -> None:
        session = self._session._replace(last=round(self.seconds, 3))
        file = os.open(path, os.O_WRONLY | how, 0o644)
        try:
            os.pwrite(file, to_json([name_of(self.mark), *session]).ljust(_WIDTH).encode(), 0)
        finally:
            os.close(file)


def name_of(mark: uuid.UUID) -> str:
    """The mark of a session, as the database has it."""
    return mark.hex[:12]


def before_main(started: float) -> float:
    """Seconds that the interpreter took until the command's first line; 0 where that is not known.

    Args:
        started: `time.perf_counter()` in that line.
    """
    if not hasattr(time, "CLOCK_BOOTTIME") or not (born := begun([], 0.0).born):
        return 0.0
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - int(born) / os.sysconf("SC_CLK_TCK")
    seconds = age - (time.perf_counter() - started)
    return seconds if 0.0 < seconds < _MOST else 0.0  # called from a program that has done other things before


def left_behind(folder: Path) -> Iterator[tuple[Path, str, Session]]:
    """The files in a study directory with the mark of each and its session, which begins at 0."""
    for path in sorted(folder.glob(_NAMES.format("*"))):
        with suppress(OSError, ValueError, TypeError):  # cut short, or somebody else's
            mark, *fields = json.loads(path.read_text("utf-8"))
            yield path, mark, Session(*fields)
