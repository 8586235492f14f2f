"""The seconds in which this process runs: a time budget counts these.

While a process is stopped by Ctrl-Z or SIGSTOP, the system's monotonic clock goes on (while the machine sleeps it does
not), and the system does not report how long the process was stopped. So a thread reads the clock four times a second:
if much more time has passed between two readings, and the process has used almost no processor time, it was stopped.
"""

import os
import threading
import time
from collections.abc import Callable

_LOOK = 0.25  # seconds between two readings of the clock
_AGAIN = 0.02  # seconds between two questions for processor time, which can take 0.1 ms each
_GAP = 3.0  # seconds between two readings; a longer gap may mean that the process was stopped
_IDLE = 0.01  # share of a processor; a process that runs slowly on a busy machine, or in one long call, uses more
_AROUND = 2 * _LOOK  # seconds of processor time that a process may use between the readings around a stop


class RunningClock:
    """A monotonic clock that stands still while this process is stopped. `now` can be called from any thread.

    Args:
        clock: returns the seconds of a monotonic clock.
        used: returns the seconds of processor time that this process has used.
    """

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, used: Callable[[], float] = time.process_time
    ) -> None:
        self._clock, self._used = clock, used
        self._lock = threading.Lock()
        self._looked, self._before, self._stopped = clock(), used(), 0.0

    def now(self) -> float:
        """Seconds on `clock`, minus the seconds that this process was stopped since the object was made."""
        with self._lock:
            now = self._clock()
            gap = now - self._looked
            if gap < _AGAIN:
                return now - self._stopped
            used = self._used()
            if gap > _GAP and used - self._before < _AROUND + _IDLE * gap:
                self._stopped += gap - _LOOK
            self._looked, self._before = now, used
            return now - self._stopped


def running_time() -> float:
    """Seconds of the monotonic clock, minus the seconds that this process was stopped since the first call."""
    global _clock  # its thread starts with the first use, and anew in a forked child
    if _clock is None:
        _clock = RunningClock()
        threading.Thread(target=_look, args=(_clock,), daemon=True, name="running clock").start()
    return _clock.now()


_clock: RunningClock | None = None


def _look(clock: RunningClock) -> None:
    never = threading.Event()
    while not never.wait(_LOOK):
        clock.now()


def _forget() -> None:
    global _clock
    _clock = None


os.register_at_fork(after_in_child=_forget)
