"""Confidence intervals of a proportion and of a mean, and the quantile of Student's distribution. Plain Python."""

import math

CONFIDENCE = 0.95
_Z95 = 1.959963984540054  # the normal quantile of a two-sided 95% interval


def wilson_interval(share: float, count: int) -> tuple[float, float]:
    """The 95% confidence interval of a proportion p = `share` among n = `count` units (Wilson 1927).

    (p + z²/2n ± z √(p(1 − p)/n + z²/4n²)) / (1 + z²/n): unlike p ± z·se it stays inside 0..1.
    """
    square = _Z95**2 / count
    centre = (share + square / 2) / (1 + square)
    half = _Z95 / (1 + square) * math.sqrt(share * (1 - share) / count + square / (4 * count))
    return centre - half, centre + half


def student_interval(mean: float, error: float, count: int) -> tuple[float, float]:
    """mean ± t · error: Student's (1908) 95% interval of a mean over `count` units with the standard error `error`."""
    half = student(count - 1) * error if count > 1 else 0.0
    return mean - half, mean + half


def student(degrees: int, confidence: float = CONFIDENCE) -> float:
    """t with P(|T| ≤ t) = confidence for T of Student's distribution; infinite for 0 degrees of freedom."""
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
