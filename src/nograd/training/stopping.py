"""When a search for a minimum has nothing more to find: the stop reasons of CMA-ES, by their names in pycma.

All follow from the lines of metrics, so that a resumed search stops where the whole one would (Hansen 2016, B.3).
"""

from collections import deque
from typing import Any, NamedTuple

_TOLERANCE = 1e-11
_MESSAGES = {
    "target": "the target was reached",
    "tolfun": "the values of the last generations hardly differ (tolfun)",
    "tolflatfitness": "all values of many generations were equal (tolflatfitness)",
    "tolx": "the steps have become too small to matter (tolx)",
    "generations": "all generations are done (generations)",
    "budget": "the time is over (budget)",
    "interrupted": "interrupted; go on with resume",
    "callback": "the callback asked for it",
    "nonfinite_fitness": "the function had no value at any point of a generation",
    "nonfinite_parameters": "the search left the finite numbers",
}
SUCCESS = ("target", "tolfun", "tolflatfitness", "tolx", "generations", "budget", "callback")


class Tolerances(NamedTuple):
    """Where a search stops; None: never for that."""

    target: float | None = None  # value that is good enough
    tolfun: float | None = _TOLERANCE  # range of the values of a generation, and of the best of the last ones
    tolx: float | None = _TOLERANCE  # standard deviation, in the coordinates of the search
    tolflatfitness: int | None = 20  # generations in which all values are equal


class Stopping:
    """Looks at each generation's line of metrics.

    Args:
        tolerances: where a search ends.
        maximize: whether more is better.
        generations: of which the best values are compared, 10 + 30 n/λ in CMA-ES.
    """

    def __init__(self, tolerances: Tolerances, maximize: bool, generations: int) -> None:
        self._tolerances, self._sign = tolerances, 1.0 if maximize else -1.0
        self._highest: deque[float] = deque(maxlen=generations)
        self._flat = 0

    def seen(self, line: dict[str, Any]) -> None:
        """Takes a line into account."""
        if line["fitness_max"] is None:
            return
        self._highest.append(line["fitness_max"])
        self._flat = self._flat + 1 if line["fitness_max"] == line["fitness_min"] else 0

    def reason(self, line: dict[str, Any]) -> str | None:
        """The stop reason after the line that was seen last; None: there is none."""
        limits, best, sigma = self._tolerances, line["best"], line["sigma"]
        if limits.target is not None and best is not None and self._sign * (best - limits.target) >= 0:
            return "target"
        if limits.tolx is not None and sigma is not None and sigma < limits.tolx:
            return "tolx"
        if limits.tolflatfitness is not None and self._flat >= limits.tolflatfitness:
            return "tolflatfitness"
        if limits.tolfun is not None and self._range(line) < limits.tolfun:
            return "tolfun"
        return None

    def _range(self, line: dict[str, Any]) -> float:
        """Of the highest fitness of the last generations, and of all fitness of this one."""
        if len(self._highest) < (self._highest.maxlen or 0) or line["fitness_min"] is None or self._flat:
            return float("inf")
        return max(max(self._highest) - min(self._highest), line["fitness_max"] - line["fitness_min"])


def message(reason: str) -> str:
    """A stop reason for a person."""
    return _MESSAGES.get(reason, reason)
