"""Sessions of commands on a study: how long they worked in all, and whether one is still at work.

No wall clock is read here: one that is set, or that differs from another machine's, takes no trial from anybody and
changes no budget. A study has a clock of its own, which runs while anybody works on it. A session counts on from where
the study's clock stood when it began, by its process's own clock.
"""

import os
import socket
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

BEAT = 1.0  # seconds between two signs of life
SILENCE = 60.0  # seconds without one, after which a session on another machine counts as dead
LOOK = 5.0  # seconds between two looks at the others

_PROC = Path("/proc")


class Session(NamedTuple):
    """One invocation of the command on a study, as it stands in the storage."""

    machine: str
    process: int
    start: float  # seconds on the study's clock
    last: float  # of its last sign of life
    ended: bool = False
    born: str = ""  # when the process was started, by the clock of its machine's kernel; "" where nobody knows


class Watch:
    """Who of the sessions on other machines is silent: whose sign of life stays the same, by this process's clock.

    It takes looks over `SILENCE` seconds to tell. Time without a look, as when this process was stopped, does not
    count: a look adds no more than two intervals between looks.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last = clock()
        self._silence: dict[str, tuple[Any, float]] = {}  # by name: the last sign, and seconds without another
        self._heard: set[str] = set()

    def look(self, signs: Mapping[str, Any]) -> None:
        """Notes the present sign of each that is watched."""
        now = self._clock()
        passed, self._last = min(now - self._last, 2 * LOOK), now
        before = self._silence
        self._heard |= {name for name in signs if name in before and before[name][0] != signs[name]}
        self._silence = {
            name: (sign, before[name][1] + passed if name in before and before[name][0] == sign else 0.0)
            for name, sign in signs.items()
        }

    def heard(self, name: str) -> bool:
        """Whether it is known if it lives: it has given another sign, or has been silent for too long."""
        return name in self._heard or name in self.silent()

    def silent(self) -> frozenset[str]:
        """Those without another sign for `SILENCE` seconds."""
        return frozenset(name for name, (_, seconds) in self._silence.items() if seconds > SILENCE)


def this_machine() -> str:
    """A name for this machine since it was started, or for this container on it."""
    boot = space = ""
    with suppress(OSError):
        boot = (_PROC / "sys/kernel/random/boot_id").read_text("utf-8").strip()[:8]
        space = f":{(_PROC / 'self/ns/pid').readlink().name}"  # process ids mean something within it alone
    return f"{socket.gethostname()}:{boot}{space}"


def begun(sessions: Iterable[Session], elapsed: float) -> Session:
    """This process's session, at work for `elapsed` seconds already.

    Args:
        sessions: the others. Where one of them is at work, these seconds were spent side by side.
        elapsed: seconds since the start of the program.
    """
    others = list(sessions)
    spent = worked(others)
    shared = not all(map(has_gone, others))
    start = max(spent - elapsed, 0.0) if shared else spent
    _, born = _state(os.getpid()) or ("", "")
    return Session(this_machine(), os.getpid(), start, start + elapsed, born=born)


def worked(sessions: Iterable[Session]) -> float:
    """Seconds in which at least one session was at work: the length of the union of [start, last]."""
    total, end = 0.0, float("-inf")
    for session in sorted(sessions, key=lambda session: session.start):
        total += max(0.0, session.last - max(session.start, end))
        end = max(end, session.last)
    return total


def has_gone(session: Session) -> bool:
    """Whether it is known to be over: it says so, or it ran on this machine and its process is not there.

    Of one on another machine only its silence can tell; see `Watch`.
    """
    if session.ended:
        return True
    if session.machine != this_machine():
        return False
    if known := _state(session.process):
        state, born = known
        return state in "ZX" or session.born not in ("", born)
    try:
        os.kill(session.process, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass  # another user's process, so there is one
    return False


def _state(process: int) -> tuple[str, str] | None:
    """A process's state (Z and X: it only waits to be reaped) and when it was started; None where nobody tells."""
    try:
        fields = (_PROC / f"{process}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    except OSError:
        return None
    return fields[0], fields[19]
