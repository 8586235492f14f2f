"""Signals that end a long job: the first one after the running step, the second one at once."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

# Ctrl-C; the polite end of a service or a batch system; a terminal that was closed.
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def interruptible(grace: float | None = None) -> Iterator[threading.Event]:
    """An event that Ctrl-C, SIGTERM or SIGHUP sets. Only the main thread can listen; elsewhere nothing sets it.

    A second signal raises KeyboardInterrupt in the main thread. So does the first one after `grace` seconds, for work
    that does not come to the point where the event is looked at: whoever sent it may send SIGKILL soon.

    Args:
        grace: seconds; None: no end but a second signal.
    """
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event
        return
    timers: list[threading.Timer] = []

    def listen(number: int, frame: FrameType | None) -> None:
        if event.is_set():
            raise KeyboardInterrupt
        event.set()
        if grace is not None:
            timers.append(_again(number, grace))

    before = {number: signal.signal(number, listen) for number in _heard()}
    try:
        yield event
    finally:
        for timer in timers:
            timer.cancel()
        for number, handler in before.items():
            signal.signal(number, handler)


def _heard() -> list[signal.Signals]:
    """The signals to listen to. `nohup` has SIGHUP ignored, and so it stays."""
    return [n for n in SIGNALS if not (n == signal.SIGHUP and signal.getsignal(n) == signal.SIG_IGN)]


def _again(number: int, seconds: float) -> threading.Timer:
    """Sends the signal to the main thread once more, after so many seconds."""
    main = threading.main_thread().ident or 0

    def send() -> None:
        with suppress(ProcessLookupError):
            signal.pthread_kill(main, number)

    timer = threading.Timer(seconds, send)
    timer.daemon = True
    timer.start()
    return timer
