"""A worker process of a search, from its start to its end: one training at a time.

Messages are pickled, between a process and its own child; no file is.
"""

import contextlib
import traceback
from multiprocessing.connection import Connection

_FORGET = 16  # trainings between two clearings of JAX's caches: each leaves its traced functions there


def serve(link: Connection, pinned: bool) -> None:
    """Serves until the parent closes the connection or dies; see `child_process`."""
    with contextlib.suppress(EOFError, BrokenPipeError):
        try:
            import nograd.tuning.trial  # noqa: F401  # and JAX with it
        except BaseException:
            link.send(("failed", traceback.format_exc()))
            return
        link.send(("ready",))
        _train(link)


def _train(link: Connection) -> None:
    import jax

    from nograd.tuning.trial import TrialRequest, outcome

    def stop() -> str:
        return link.recv()[1] if link.poll(0) else ""

    def say(generation: int, score: float | None, error: float | None) -> None:
        link.send(("at", generation, score, error))

    done = 0
    while True:
        word, *rest = link.recv()
        if word != "run":  # a word to stop that came too late
            continue
        link.send(("ended", tuple(outcome(TrialRequest(*rest), say, stop))))
        done += 1
        if done % _FORGET == 0:
            jax.clear_caches()
