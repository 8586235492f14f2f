"""The budget: when the search ends, when the winner's training begins, how many trials there will be."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from nograd.core.clock import running_time
from nograd.tuning.study.records import Trial

_SPARE = 3.0  # seconds for statistics and files at the very end, at least
_ENDING = 0.5  # times this command's seconds to start: a machine that starts slowly also ends slowly
_SPARED = 0.1  # of the budget, at most, where that is more than the least
_MARGIN = 1.25  # factor on the time of an earlier training: the machine may be busier now
_TESTING = 1.0  # seconds for the test split
_MOST = 0.5  # of the whole budget, that more rounds than one may take


class WorkerCosts(NamedTuple):
    """Time that workers need in addition to the trainings themselves."""

    workers: int
    grace: float  # seconds until a worker that was told to stop is ended
    startup: float  # seconds that one takes to start


def full_seconds(trial: Trial, generations: int) -> float | None:
    """Seconds that a trial's training takes to its last generation.

    The time of one that ended early, by its patience or the pruner, is scaled up to all generations: another seed may
    need them. None where it is not known how far it came.
    """
    if not trial.seconds or not trial.curve or trial.state not in ("complete", "pruned"):
        return None
    return trial.seconds * max(1.0, generations / trial.curve[-1][0])


def training_seconds(best: Trial, trials: Sequence[Trial], generations: int) -> float:
    """Seconds that one training of the best takes: what it took itself, or the median trial where that is longer.

    The best trial may have been fast for reasons other than its settings: its programs were compiled already, or the
    machine was idle.
    """
    known = sorted(seconds for trial in trials if (seconds := full_seconds(trial, generations)) is not None)
    own = full_seconds(best, generations) or best.seconds or 0.0
    return max(own, known[len(known) // 2]) if known else own


class Clock(NamedTuple):
    """The end of the budget on this process's clock, which stands still while it is stopped; none without a budget."""

    budget: float | None  # seconds, over all sessions
    end: float  # of `running_time`
    spare: float = _SPARE  # seconds for the very end

    @classmethod
    def of(cls, budget: float | None, spent: float, startup: float = 0.0) -> "Clock":
        """A clock for a budget of which some is spent.

        Args:
            budget: seconds.
            spent: seconds of it that are gone.
            startup: seconds that this command took to start, a sign of how busy the machine is.
        """
        if budget is None:
            return cls(None, math.inf)
        spare = max(_SPARE, min(_ENDING * startup, _SPARED * budget))
        return cls(budget, running_time() + budget - spent, spare)

    def left(self) -> float:
        """Seconds until the end of all work; the spare ones are not for it."""
        return self.end - self.spare - running_time()

    def reserve(self, each: float, seeds: int, crew: WorkerCosts) -> float:
        """Seconds kept for training the winner again.

        As many rounds as the workers need for the seeds; fewer where that were more than half of the budget, but one at
        least. The trials that run are to be stopped before, and a worker that does not stop is started anew.

        Args:
            each: seconds of one training.
            seeds: to train on.
            crew: the costs of the workers.
        """
        if self.budget is None or not each:
            return 0.0
        each = each * _MARGIN + _TESTING
        rounds = min(math.ceil(max(seeds, 1) / crew.workers), int(_MOST * self.budget / each))
        return max(rounds, 1) * each + crew.grace + crew.startup


def projected(counted: int, running: list[float], seconds: list[float], workers: int, left: float) -> int | None:
    """How many trials there will be in all: those that count, those that run, and those that fit in the rest.

    Args:
        counted: trials that have ended, over all sessions.
        running: seconds that each running trial will still take.
        seconds: the durations of earlier trials.
        workers: at work at once.
        left: seconds until no trial may go on.
    """
    if not seconds or not math.isfinite(left):
        return None
    mean = sum(seconds) / len(seconds)
    hands = sum(rest <= left for rest in running)
    after = workers * max(left, 0.0) - sum(min(rest, max(left, 0.0)) for rest in running)
    return counted + hands + int(after / mean)
