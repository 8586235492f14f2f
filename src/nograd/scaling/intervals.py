"""Confidence intervals: of a median without assumptions on the distribution, and the standard error of a mean."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from nograd.core.intervals import CONFIDENCE


class Summary(NamedTuple):
    """A median and its interval, in the unit of the values."""

    median: float
    low: float
    high: float


def summary(values: Sequence[float] | np.ndarray, confidence: float = CONFIDENCE) -> Summary:
    """The median and the order statistics [x₍ₖ₎, x₍ₙ₊₁₋ₖ₎] around it (David & Nagaraja 2003, §7.1).

    The interval contains the true median with the probability `coverage(n)`, if the values are independent.
    """
    ordered = np.sort(np.asarray(values, float))
    rank = _rank(len(ordered), confidence)
    return Summary(float(np.median(ordered)), float(ordered[rank - 1]), float(ordered[-rank]))


def coverage(count: int, confidence: float = CONFIDENCE) -> float:
    """1 − 2 Σ_{i<k} C(n, i)/2ⁿ: the probability that the interval of `summary` contains the true median.

    It is at least `confidence` if there are enough values: 6 for 0.95. For fewer values the interval is their whole
    range: 0.9375 for 5 values, 0.5 for 2, 0 for 1.
    """
    return _covered(count, _rank(count, confidence))


def _rank(count: int, confidence: float) -> int:
    """The largest rank k whose interval has the confidence; 1 (the whole range) if there is none."""
    return max((k for k in range(1, count // 2 + 1) if _covered(count, k) >= confidence), default=1)


def _covered(count: int, rank: int) -> float:
    return 1.0 - 2.0 * sum(math.comb(count, i) for i in range(rank)) / 2.0**count


def standard_error(values: Sequence[float] | np.ndarray) -> float:
    """s/√n, the standard error of the mean; NaN for a single value."""
    array = np.asarray(values, float)
    return float(array.std(ddof=1) / math.sqrt(len(array))) if len(array) > 1 else math.nan
