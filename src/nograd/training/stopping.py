"""Stop reasons of a search for a minimum: those of CMA-ES, with their names in pycma.

All are computed from the metrics, so a resumed search stops exactly where an uninterrupted one would (Hansen 2016, B.3;
for stagnation Hansen 2009, doi:10.1145/1570256.1570333).
"""

import math
from collections import deque
from itertools import islice
from typing import Any, NamedTuple

import numpy as np

_TOLERANCE = 1e-11
_LONGEST = 20_000  # largest number of generations that the test of stagnation looks at
_EVERY = 10  # generations between two tests of stagnation, which are slow
_CONDITION = 1e14
_GROWN = 1e3  # times the first sigma
_MESSAGES = {
    "target": "the target was reached",
    "tolfun": "the values of the last generations hardly differ (tolfun)",
    "tolflatfitness": "all values of many generations were equal (tolflatfitness)",
    "tolx": "the steps have become too small to matter (tolx)",
    "stagnation": "neither best nor median values became better for long (stagnation)",
    "conditioncov": "steps of one direction are ten million times as long as of another (conditioncov)",
    "tolfacupx": "the steps have grown a thousandfold (tolfacupx): sigma was too small, or the function has no minimum",
    "maxiter": "all generations of a search are done (maxiter)",
    "generations": "all generations are done (generations)",
    "evaluations": "all calls of the function are done (evaluations)",
    "budget": "the time is over (budget)",
    "interrupted": "interrupted; go on with resume",
    "callback": "the callback asked for it",
    "nonfinite_fitness": "the function had no value at any point of a generation",
    "nonfinite_parameters": "the search left the finite numbers",
}
SUCCESS = (
    "target",
    "tolfun",
    "tolflatfitness",
    "tolx",
    "stagnation",
    "generations",
    "evaluations",
    "budget",
    "callback",
)


class Tolerances(NamedTuple):
    """Limits at which a search ends; None: this limit is not used."""

    tolfun: float | None = _TOLERANCE  # range of all values of a generation, and of the best values of the last ones
    tolx: float | None = _TOLERANCE  # standard deviation, in the coordinates of the search
    tolflatfitness: int | None = 20  # generations in a row in which all values are equal
    stagnation: bool = True
    conditioncov: float | None = _CONDITION  # condition number of the covariance matrix
    tolfacupx: float | None = _GROWN
    maxiter: int | None = None


NEVER = Tolerances(None, None, None, False, None, None, None)


def longest(size: int, population: int) -> int:
    """The default limit of generations for n coordinates and population λ: 100 + 150 (n + 3)²/√λ."""
    return math.ceil(100 + 150 * (size + 3) ** 2 / population**0.5)


class Stopping:
    """Finds the stop reason of a search from its metrics, one line per generation.

    Args:
        tolerances: the limits.
        size: n, number of coordinates.
        population: λ, points in a generation.
    """

    def __init__(self, tolerances: Tolerances, size: int, population: int) -> None:
        self._tolerances, each = tolerances, 30 * size / population
        self._highest: deque[float] = deque(maxlen=10 + math.ceil(each))
        self._bests: deque[float] = deque(maxlen=_LONGEST)
        self._medians: deque[float] = deque(maxlen=_LONGEST)
        self._shortest = math.ceil(120 + each)  # smallest number of generations that the test of stagnation looks at
        self._flat, self._count, self._sigma = 0, 0, 0.0

    def seen(self, line: dict[str, Any]) -> None:
        """Stores what later tests need from the metrics of a generation."""
        self._count += 1
        self._sigma = self._sigma or line["sigma"] or 0.0
        if line["fitness_max"] is None:
            return
        self._highest.append(line["fitness_max"])
        self._bests.append(line["fitness_max"])
        self._medians.append(line["fitness_median"])
        self._flat = self._flat + 1 if line["fitness_max"] == line["fitness_min"] else 0

    def reason(self, line: dict[str, Any]) -> str | None:
        """The stop reason after the generation that was given to `seen` last; None if there is none."""
        limits = self._tolerances
        checks = {
            "tolx": _below(line["sigma"], limits.tolx),
            "tolflatfitness": limits.tolflatfitness is not None and self._flat >= limits.tolflatfitness,
            "tolfun": _below(self._range(line), limits.tolfun),
            "conditioncov": _above(line["condition"], limits.conditioncov),
            "tolfacupx": _above(line["sigma"], limits.tolfacupx and limits.tolfacupx * self._sigma),
            "maxiter": limits.maxiter is not None and self._count >= limits.maxiter,
        }
        reason = next((name for name, holds in checks.items() if holds), None)
        return reason or ("stagnation" if limits.stagnation and self._stagnates() else None)

    def _range(self, line: dict[str, Any]) -> float:
        """The larger of two ranges: of the best fitness in the last generations, and of all fitness in this one."""
        if len(self._highest) < (self._highest.maxlen or 0) or line["fitness_min"] is None or self._flat:
            return float("inf")
        return max(max(self._highest) - min(self._highest), line["fitness_max"] - line["fitness_min"])

    def _stagnates(self) -> bool:
        """Whether neither the best nor the median fitness rose over the last fifth of all generations.

        For each, the median of the first 30% of this window is compared with the median of its last 30%.
        """
        window = max(self._shortest, math.ceil(0.2 * self._count))
        if len(self._bests) < min(window, _LONGEST) or self._count % _EVERY:
            return False
        part = max(1, round(0.3 * window))
        return all(_not_better(values, window, part) for values in (self._bests, self._medians))


def _not_better(values: deque[float], window: int, part: int) -> bool:
    last = list(islice(values, max(0, len(values) - window), None))
    return bool(np.median(last[-part:]) <= np.median(last[:part]))


def _below(value: float | None, limit: float | None) -> bool:
    return value is not None and limit is not None and value < limit


def _above(value: float | None, limit: float | None) -> bool:
    return value is not None and limit is not None and value > limit


def message(reason: str) -> str:
    """The text for a stop reason."""
    return _MESSAGES.get(reason, reason)
