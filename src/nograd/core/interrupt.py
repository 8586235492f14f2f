"""Signals that end a long job: the first one after the running step, the second one at once."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

# Ctrl-C; the request to end that a service manager or a batch system sends; a terminal that was closed.
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def interruptible(grace: float | None = None) -> Iterator[threading.Event]:
    """An event that Ctrl-C, SIGTERM or SIGHUP sets. Only the main thread can listen; in other threads nothing sets it.

    A second signal raises KeyboardInterrupt in the main thread. The first signal does so too, `grace` seconds later,
    in case the job does not check the event in time: the sender of the signal may send SIGKILL soon.

    Args:
        grace: seconds; None: only a second signal raises KeyboardInterrupt.
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
    """The signals to listen to. A signal that is ignored already, as SIGHUP under `nohup`, stays ignored."""
    return [n for n in SIGNALS if not (n == signal.SIGHUP and signal.getsignal(n) == signal.SIG_IGN)]


def _again(number: int, seconds: float) -> threading.Timer:
    """A timer that sends the signal to the main thread once more after `seconds`."""
    main = threading.main_thread().ident or 0

    def send() -> None:
        with suppress(ProcessLookupError):
            signal.pthread_kill(main, number)

    timer = threading.Timer(seconds, send)
    timer.daemon = True
    timer.start()
    return timer
