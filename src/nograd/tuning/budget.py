"""The budget: when the search ends, when the winner's training begins, how many trials there will be."""

import math
import time
from typing import NamedTuple

from nograd.tuning.study.records import Trial

_SPARE = 3.0  # seconds for statistics and files at the very end
_MARGIN = 1.15  # on the time that the winner's training took the first time
_MOST = 0.5  # of the whole budget, that more rounds than one may take


class Clock(NamedTuple):
    """The end of the budget on this process's monotonic clock; none without a budget."""

    budget: float | None  # seconds, over all sessions
    end: float  # of time.monotonic()

    @classmethod
    def of(cls, budget: float | None, spent: float) -> "Clock":
        """A clock for a budget of which some is spent."""
        return cls(budget, math.inf if budget is None else time.monotonic() + budget - spent)

    def left(self) -> float:
        """Seconds until the end of all work; the spare ones are not for it."""
        return self.end - _SPARE - time.monotonic()

    def reserve(self, best: Trial, seeds: int, workers: int) -> float:
        """Seconds kept for training the winner again.

        As many rounds as the workers need for the seeds, of what the trial took; fewer where that were more than half
        of the budget, but one at least.
        """
        if self.budget is None or not best.seconds:
            return 0.0
        each = best.seconds * _MARGIN
        rounds = min(math.ceil(max(seeds, 1) / workers), int(_MOST * self.budget / each))
        return max(rounds, 1) * each + 1.0


def projected(counted: int, running: list[float], seconds: list[float], workers: int, left: float) -> int | None:
    """How many trials there will be in all: those that count, those that run, and those that fit in the rest.

    Args:
        counted: trials that have ended, over all sessions.
        running: seconds that each running trial still takes.
        seconds: that the trials so far took.
        workers: at work at once.
        left: seconds until no trial may go on.
    """
    if not seconds or not math.isfinite(left):
        return None
    mean = sum(seconds) / len(seconds)
    hands = sum(rest <= left for rest in running)
    after = workers * max(left, 0.0) - sum(min(rest, max(left, 0.0)) for rest in running)
    return counted + hands + int(after / mean)
