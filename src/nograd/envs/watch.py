"""Watches a user's environment or function while it runs: one line says if it raises or hangs."""

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from nograd.core.types import EngineError, NogradError

DEADLINE = 60.0  # seconds without a step after which an environment counts as hung
_BEAT = 0.5  # seconds between signs of life
_LONG_STEPS, _LONG_SECONDS = 10_000, 10.0  # after so many steps and seconds, an episode without a limit may be endless
_named: set[str] = set()  # environments for which this process has printed that notice


class Heartbeat:
    """Sends a sign of life at most twice a second."""

    def __init__(self, tell: Callable[[], None] = lambda: None, name: str = "") -> None:
        self._tell, self._name, self._last, self._began = tell, name, float("-inf"), time.monotonic()

    def beat(self, unended: int = 0) -> None:
        """Reports a step; called at every step.

        Args:
            unended: steps so far, if no episode has ended and no limit is set; else 0.
        """
        if (now := time.monotonic()) - self._last <= _BEAT:
            return
        self._last = now
        self._tell()
        if unended >= _LONG_STEPS and now - self._began > _LONG_SECONDS and self._name not in _named:
            _named.add(self._name)
            print(
                f"nograd: no episode of {self._name} has ended after {unended:,} steps; --episode-limit with a number "
                "of steps, such as 1000, cuts them",
                file=sys.stderr,
                flush=True,
            )


def summary(error: BaseException) -> str:
    """The class of an error and the first line of its text."""
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}".removesuffix(": ")


@contextmanager
def watched(
    seconds: float, name: str, tell: Callable[[], None] | None = None, environments: int = 1, what: str = "environment"
) -> Iterator[Heartbeat]:
    """A context that turns a failure, or a step that does not return, into an EngineError of one line."""
    with alarm(seconds, name, tell, environments, what) as pulse:
        try:
            yield pulse
        except NogradError:
            raise
        except Exception as error:
            raise EngineError(f"the {what} {name} failed: {summary(error)}") from error


@contextmanager
def alarm(
    seconds: float, name: str, tell: Callable[[], None] | None = None, environments: int = 1, what: str = "environment"
) -> Iterator[Heartbeat]:
    """A context with a `Heartbeat`. Without `tell`, and in the main thread, a missing beat raises an error.

    Args:
        seconds: the longest time for a step or a call.
        name: the name of the environment or function.
        tell: is called now and then while the work goes on.
        environments: how many are made and reset before the first step; each of them may take `seconds`.
        what: "environment" or "function", for errors.

    Raises:
        EngineError: there was no beat for this time.
    """
    if tell is not None or threading.current_thread() is not threading.main_thread():
        yield Heartbeat(tell or (lambda: None), name)
        return

    rung = False  # since the last beat. A single ring may only mean that this process was stopped, by Ctrl-Z

    def ring(number: int, frame: FrameType | None) -> None:
        nonlocal rung
        if rung:
            raise EngineError(
                f"the {what} {name} did not return within {seconds:g} s; if it may take longer, use a larger --deadline"
            )
        rung = True
        _set(seconds / 2)

    def beaten() -> None:
        nonlocal rung
        rung = False
        _set(seconds / 2)

    before = signal.signal(signal.SIGALRM, ring)
    _set(seconds * environments)
    try:
        yield Heartbeat(beaten, name)
    finally:
        _set(0.0)
        signal.signal(signal.SIGALRM, before)


def _set(seconds: float) -> None:
    signal.setitimer(signal.ITIMER_REAL, seconds)
