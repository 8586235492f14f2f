"""The observer of a search for a minimum: it calls callback and show, ends the search, and requests restarts."""

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from scipy.optimize import OptimizeResult

from nograd.generation.calls import Searched
from nograd.tasks.objective import Objective
from nograd.training.loop import Progress
from nograd.training.restarts import Restarts
from nograd.training.stopping import Stopping, Tolerances, longest, message

_SHOWN_EVERY = 2.0  # seconds


class Limits(NamedTuple):
    """When a search ends, besides its limits on generations and time."""

    target: float | None  # a value that is good enough
    evaluations: int | None  # largest number of calls
    tolerances: Tolerances


class Watching:
    """Observes every generation of a search.

    Args:
        limits: when the search ends.
        task: the function and its space.
        population: of the first round.
        restarts: None: no restarts.
        callback: called after each generation; see `nograd.minimize`.
        show: called with lines of text on how the search goes.
    """

    def __init__(
        self,
        limits: Limits,
        task: Objective,
        population: int,
        restarts: Restarts | None,
        callback: Callable[[OptimizeResult], Any] | None,
        show: Callable[[str], Any] | None,
    ) -> None:
        self._limits, self._task, self._restarts = limits, task, restarts
        self._callback, self._show, self._population = callback, show, population
        self._state: Searched | None = None
        self._shown = time.monotonic()
        self._number, self._stopping = 0, self._account()

    def sees(self, state: Searched) -> None:
        """Receives the state after a generation, just before `generation` is called."""
        self._state = state

    def goes_on_after(self, lines: Sequence[dict[str, Any]]) -> None:
        """Takes the metrics of a resumed search into account; only those of the current round count."""
        number = int(self._restarts.round.number) if self._restarts else 0
        for line in lines:
            if line.get("restart", 0) == number:
                self._noted(line)
        if lines and self._restarts and self._stopping.reason(lines[-1]):
            self._restarts.ask()

    def generation(self, progress: Progress, line: dict[str, Any]) -> str | None:
        """The stop reason after a generation; None if the search goes on."""
        self._noted(line)
        if self._show and (now := time.monotonic()) - self._shown > _SHOWN_EVERY:
            self._shown = now
            self._show(_summary(line))
        return self._told(line) or self._reached(line) or self._goes_on(line)

    def _noted(self, line: dict[str, Any]) -> None:
        """Takes the metrics of a generation into account; a new round begins with new counters."""
        number = line.get("restart", 0)
        if number != self._number:
            self._number = number
            self._stopping = self._account()
        self._stopping.seen(line)

    def _account(self) -> Stopping:
        tolerances, population = self._limits.tolerances, self._population
        if self._restarts:
            now = self._restarts.round
            population = int(now.population)
            own = longest(self._task.size, population)
            tolerances = tolerances._replace(maxiter=min(own, int(now.most) or own))
        return Stopping(tolerances, self._task.size, population)

    def _reached(self, line: dict[str, Any]) -> str | None:
        """The limit that ends the search for good, also with restarts; None if none is reached."""
        limits, best = self._limits, line["best"]
        if limits.target is not None and best is not None and self._task.sign * (best - limits.target) >= 0:
            return "target"
        if limits.evaluations is not None and line["evaluations"] >= limits.evaluations:
            return "evaluations"
        return None

    def _goes_on(self, line: dict[str, Any]) -> str | None:
        """The stop reason of the current round, unless another round follows."""
        reason = self._stopping.reason(line)
        if reason is None or not self._restarts or not self._restarts.ask():
            return reason
        if self._show:
            self._show(f"{_summary(line)}  begins again: {message(reason)}")
        return None

    def _told(self, line: dict[str, Any]) -> str | None:
        if self._callback is None or self._state is None:
            return None
        result = OptimizeResult(
            x=self._task.point(self._state),
            fun=line["best"],
            nit=line["generation"],
            nfev=line["evaluations"] + 1,
            sigma=line["sigma"],
        )
        try:
            return "callback" if self._callback(result) is True else None
        except StopIteration:
            return "callback"


def _summary(line: dict[str, Any]) -> str:
    """A line of text on how the search goes."""
    best, sigma = ("none" if line[name] is None else f"{line[name]:.6g}" for name in ("best", "sigma"))
    return (
        f"generation {line['generation']:,}  best {best}  sigma {sigma}  {line['evaluations']:,} calls  "
        f"{line['seconds']:.1f} s"
    )
