"""Invocations that worked on a study: how long they did, together, and whether one is still at it."""

import os
import socket
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

BEAT = 2.0  # seconds between two signs of life
SILENCE = 60.0  # seconds without one, after which an invocation on another machine counts as dead


class Session(NamedTuple):
    """One invocation of the command on a study, as it stands in the storage."""

    machine: str
    process: int
    start: float  # Unix time
    last: float  # of its last sign of life
    ended: bool = False


def this_machine() -> str:
    """A name for this machine since it was started, or for this container on it."""
    boot = ""
    with suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("utf-8").strip()[:8]
    return f"{socket.gethostname()}:{boot}"


def begun(started: float) -> Session:
    """This process's session, at work for `started` seconds already."""
    now = time.time()
    return Session(this_machine(), os.getpid(), now - started, now)


def worked(sessions: Iterable[Session]) -> float:
    """Seconds in which at least one session was at work: the length of the union of [start, last]."""
    total, end = 0.0, float("-inf")
    for session in sorted(sessions, key=lambda session: session.start):
        total += max(0.0, session.last - max(session.start, end))
        end = max(end, session.last)
    return total


def alive(session: Session, now: float) -> bool:
    """Whether it may still be at work: signs of life tell, and on this machine the process itself."""
    if session.ended or now - session.last > SILENCE:
        return False
    if session.machine != this_machine():
        return True
    try:
        os.kill(session.process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # another user's process, so there is one
    return True
