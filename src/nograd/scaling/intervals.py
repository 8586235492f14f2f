"""Intervals without assumptions for a median, and with Student's for a mean. Pure functions of NumPy alone."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

CONFIDENCE = 0.95


class Summary(NamedTuple):
    """A median and its interval, in the unit of the values."""

    median: float
    low: float
    high: float


def summary(values: Sequence[float] | np.ndarray, confidence: float = CONFIDENCE) -> Summary:
    """The median and the order statistics [x₍ₖ₎, x₍ₙ₊₁₋ₖ₎] around it (David & Nagaraja 2003, §7.1).

    They cover the true median with the probability `coverage(n)`, whatever the distribution of independent values.
    """
    ordered = np.sort(np.asarray(values, float))
    rank = _rank(len(ordered), confidence)
    return Summary(float(np.median(ordered)), float(ordered[rank - 1]), float(ordered[-rank]))


def coverage(count: int, confidence: float = CONFIDENCE) -> float:
    """1 − 2 Σ_{i<k} C(n, i)/2ⁿ, the probability that the interval of `summary` holds the true median.

    It is at least `confidence` where so few values allow it: from 6 on for 0.95. Fewer give their whole range: 0.9375
    for 5, 0.5 for 2, 0 for 1.
    """
    return _covered(count, _rank(count, confidence))


def _rank(count: int, confidence: float) -> int:
    """The largest rank k whose interval is sure enough, else 1: the extremes."""
    return max((k for k in range(1, count // 2 + 1) if _covered(count, k) >= confidence), default=1)


def _covered(count: int, rank: int) -> float:
    return 1.0 - 2.0 * sum(math.comb(count, i) for i in range(rank)) / 2.0**count


def student(degrees: int, confidence: float = CONFIDENCE) -> float:
    """t with P(|T| ≤ t) = confidence for T of Student's distribution; infinite without degrees of freedom."""
    if degrees < 1:
        return math.inf
    low, high = 0.0, 1.0
    while _student_within(high, degrees) < confidence:
        high *= 2.0
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if _student_within(middle, degrees) < confidence else (low, middle)
    return high


def _student_within(t: float, degrees: int) -> float:
    """P(|T| ≤ t), by the finite sums in θ = atan(t/√ν) (Abramowitz & Stegun 1964, 26.7.3 and 26.7.4)."""
    angle = math.atan(t / math.sqrt(degrees))
    odd = degrees % 2
    term = math.cos(angle) if odd else 1.0
    total = 0.0
    for power in range(2 + odd, degrees + 1, 2):
        total += term
        term *= math.cos(angle) ** 2 * (power - 1) / power
    if odd:
        return 2 / math.pi * (angle + math.sin(angle) * total)
    return math.sin(angle) * total


def standard_error(values: Sequence[float] | np.ndarray) -> float:
    """s/√n, of the mean; NaN for a single value."""
    array = np.asarray(values, float)
    return float(array.std(ddof=1) / math.sqrt(len(array))) if len(array) > 1 else math.nan
