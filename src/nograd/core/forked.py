"""Finds out whether this process was forked after JAX had started: a fork has none of JAX's threads and would hang."""

import os
import sys
from contextlib import suppress
from pathlib import Path

from nograd.core.types import EngineError

_THREADS = Path("/proc/self/task")  # only on Linux; on other systems a fork is not refused
_OF_XLA = "tf_xla"  # the beginning of the names of XLA's threads, which start with its first backend

_started = False  # whether JAX had started before the last fork
_broken = False  # whether this process is such a fork


def refuse_fork() -> None:
    """Raises EngineError in a process that was forked after JAX had started; JAX would hang in it for ever."""
    if _broken:
        raise EngineError(
            "this process was forked after JAX had started, and JAX would wait in it for ever; start it with "
            "multiprocessing.get_context('spawn'), or fork before anything is computed with JAX"
        )


def watch_forks() -> None:
    """From now on notes each fork of this process, for `refuse_fork`."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(before=_before, after_in_child=_after)


def _before() -> None:
    global _started
    _started = "jax" in sys.modules and _xla_has_threads()


def _after() -> None:
    global _broken
    _broken = _broken or _started


def _xla_has_threads() -> bool:
    with suppress(OSError):
        for thread in _THREADS.iterdir():
            with suppress(OSError):  # the thread has ended meanwhile
                if (thread / "comm").read_text("utf-8", "replace").lower().startswith(_OF_XLA):
                    return True
    return False
