"""When a worker of a search counts as hung: it has made no progress for too long."""

import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

_LOOK = 1.0  # seconds that count between two looks: in a longer gap this process itself was stopped, as by Ctrl-Z
_IDLE = 0.01  # of a processor: a worker that uses less between two looks is idle
_BUSY = 30.0  # times the deadline, for a worker that computes
_SLOWER = 20.0  # times the longest step so far, for a worker that computes
_PROC = Path("/proc")


class HangLimit:
    """How many seconds the workers of one search may go without progress.

    A worker that uses no processor time is hung after `deadline` seconds. One that computes may be compiling, or in a
    long generation: it has 30 deadlines, or 20 times the longest step of any worker so far, whichever is longer.
    """

    def __init__(self, deadline: float) -> None:
        self._deadline, self._longest = deadline, 0.0

    def learn(self, seconds: float) -> None:
        """Notes the seconds of a step, the time between two messages of a worker."""
        self._longest = max(self._longest, seconds)

    def limit(self, idle: bool) -> float:
        """Seconds without progress after which a worker is hung."""
        return self._deadline if idle else max(_BUSY * self._deadline, _SLOWER * self._longest)


class Step:
    """The current step of a worker: when it began, and how long the worker has been idle in it.

    Args:
        process: the worker.
        clock: seconds.
        used: seconds of processor time that a process and its children have used; None where that is not known.
    """

    def __init__(
        self,
        process: int,
        clock: Callable[[], float] = time.monotonic,
        used: Callable[[int], float | None] | None = None,
    ) -> None:
        self._process, self._clock, self._used = process, clock, used or processor_seconds
        self.begin()

    def begin(self) -> None:
        """Notes that the worker has made progress: a new step begins."""
        self._looked: float = self._clock()
        self._before: float | None = None  # the next look tells
        self.seconds = self.idle = 0.0

    def look(self) -> None:
        """Looks at the clock and at what the process does. To be called a few times a second."""
        passed = self._clock() - self._looked
        if passed < _LOOK / 2:
            return
        used = self._used(self._process)
        waits = used is not None and self._before is not None and used - self._before < _IDLE * passed
        self._looked, self._before = self._looked + passed, used
        self.seconds += min(passed, _LOOK)
        self.idle = self.idle + min(passed, _LOOK) if waits else 0.0

    def hangs(self, patience: HangLimit) -> str:
        """Why it counts as hung; empty where it does not."""
        if self.idle > patience.limit(idle=True):
            return f"hung: it did nothing for {self.idle:.0f} s"
        if self.seconds > patience.limit(idle=False):
            return f"hung: it computed for {self.seconds:.0f} s and got no further"
        return ""


def processor_seconds(process: int) -> float | None:
    """Seconds of processor time that a process and its children have used, as Linux tells; None elsewhere."""
    try:
        fields = (_PROC / f"{process}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    except OSError:
        return None
    total = sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")  # its own and those of its ended children
    with suppress(OSError):  # a kernel may be built without this file
        children = (_PROC / f"{process}/task/{process}/children").read_text("utf-8").split()
        total += sum(processor_seconds(int(child)) or 0.0 for child in children)
    return total
