"""The laws of scaling, computed from measured times. Pure functions of NumPy alone.

Times are [rounds, workers], in seconds for the same work. Ratios are taken within a round, so a machine that is slow
for a while slows down both times.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from nograd.core.intervals import student
from nograd.scaling.intervals import standard_error


class Estimate(NamedTuple):
    """A value and its standard error (NaN if it is not known)."""

    value: float
    standard_error: float


class Interval(NamedTuple):
    """A value and its 95% interval."""

    value: float
    low: float
    high: float


class Amdahl(NamedTuple):
    """A fit of Amdahl's law. All fields are NaN if no worker count is above one."""

    serial_fraction: float
    standard_error: float
    degrees: int  # degrees of freedom of the standard error
    misfit: float  # deviation from the law, relative to the scatter; about 1 if the law holds, NaN if not known
    by_round: tuple[float, ...]  # the fraction found in each round; their mean is the serial fraction


class Projection(NamedTuple):
    """What the fitted law predicts for a number of cores, which this machine need not have."""

    cores: int
    speedup: Interval
    seconds: Interval


def speedups(times: np.ndarray) -> np.ndarray:
    """S = T₁/Tₚ within each round, [rounds, workers]; the first column of `times` must be one worker."""
    return times[:, :1] / times


def efficiency(workers: int | Sequence[int] | np.ndarray, speedup: np.ndarray) -> np.ndarray:
    """E = S/p, the efficiency of p workers."""
    return speedup / np.asarray(workers, float)


def karp_flatt(workers: int, speedup: float, error: float = 0.0) -> Estimate:
    """e = (1/S − 1/p)/(1 − 1/p), the serial fraction that one worker count shows (Karp & Flatt 1990).

    If e grows with p, there is an overhead that grows with p, and Amdahl's law is too optimistic. A negative e means a
    speedup of more than p.

    Args:
        workers: p; e is NaN for one worker.
        speedup: S.
        error: standard error of S; that of e is dS/(S²(1 − 1/p)).
    """
    if workers <= 1:
        return Estimate(math.nan, math.nan)
    room = 1.0 - 1.0 / workers
    return Estimate((1.0 / speedup - 1.0 / workers) / room, error / speedup**2 / room)


def gustafson(workers: int, scaled_speedup: float, error: float = 0.0) -> Estimate:
    """s = (p − S)/(p − 1), the serial share of the time if the work grows with p (Gustafson 1988).

    Args:
        workers: p; s is NaN for one worker.
        scaled_speedup: S = p·T₁(work)/Tₚ(p·work).
        error: standard error of S; that of s is dS/(p − 1).
    """
    if workers <= 1:
        return Estimate(math.nan, math.nan)
    return Estimate((workers - scaled_speedup) / (workers - 1), error / (workers - 1))


def amdahl(workers: Sequence[int] | np.ndarray, measured: Sequence[float] | np.ndarray) -> Amdahl:
    """s = Σ x y/Σ x² with x = 1 − 1/p, y = 1/S − 1/p: least squares over the worker counts (Amdahl 1967).

    Amdahl's law 1/S = s + (1 − s)/p is the line y = s x. Each round is fitted alone. s is the mean over the rounds, and
    its standard error follows from their scatter. If the means lie farther from the line than that scatter explains,
    the error is multiplied by √misfit (the scale factor of the Particle Data Group). With a single round, the error
    follows from its deviations from the line.

    Args:
        workers: p, [workers]. One worker fits any s and has no weight.
        measured: S, [rounds, workers] or [workers].

    Returns:
        The fit; s is NaN if no worker count is above one.
    """
    count, ratio = np.asarray(workers, float), np.atleast_2d(np.asarray(measured, float))
    x, y = 1.0 - 1.0 / count, 1.0 / ratio - 1.0 / count
    informative = int(np.count_nonzero(x))
    if not informative:
        return Amdahl(math.nan, math.nan, 0, math.nan, ())
    by_round = y @ x / (x @ x)
    residuals = y - by_round[:, None] * x
    off = float(np.sum(residuals.mean(0) ** 2))
    from_line = math.sqrt(off / (informative - 1) / float(x @ x)) if informative > 1 else math.nan
    fractions = tuple(map(float, by_round))
    if len(by_round) == 1:
        return Amdahl(fractions[0], from_line, informative - 1, math.nan, fractions)
    scatter = sum(standard_error(column) ** 2 for column in residuals.T)
    misfit = off / scatter if informative > 1 and scatter > 0 else math.nan
    error = standard_error(by_round)
    if informative > 1 and error == 0:
        error = from_line
    elif misfit > 1:
        error *= math.sqrt(misfit)
    return Amdahl(float(by_round.mean()), error, len(by_round) - 1, misfit, fractions)


def law(serial_fraction: float | np.ndarray, cores: int | np.ndarray) -> np.ndarray:
    """S(p) = 1/(s + (1 − s)/p). A negative s counts as 0: the law allows no speedup above p. s > 1 means slower."""
    fraction = np.clip(serial_fraction, 0.0, np.finfo(float).max)  # not infinite: ∞ · 0 would be NaN
    return 1.0 / (1.0 / cores + fraction * (1.0 - 1.0 / cores))


def band(fit: Amdahl, cores: int | np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The speedup by the law, and its 95% interval from s ± t · standard error: (value, low, high)."""
    reach = student(fit.degrees) * fit.standard_error
    reach = math.inf if math.isnan(reach) else reach
    low, high = law(fit.serial_fraction + reach, cores), law(fit.serial_fraction - reach, cores)
    return law(fit.serial_fraction, cores), low, high


def projection(fit: Amdahl, cores: int, alone: Sequence[float] | np.ndarray) -> Projection:
    """T(p) = T₁ (s + (1 − s)/p) and the speedup, each with a 95% interval from the scatter of the rounds.

    Both intervals assume Amdahl's law: they do not include an overhead that grows with p. The times are projected round
    by round, so that errors that T₁ and s have in common count once.

    Args:
        fit: the result of `amdahl`.
        cores: p.
        alone: T₁ in seconds, [rounds], from the same rounds as the fit.
    """
    single, fractions = np.asarray(alone, float), np.asarray(fit.by_round)
    times = single * (fractions + (1.0 - fractions) / cores)
    reach = student(len(times) - 1) * standard_error(times) if len(times) > 1 else math.inf
    reach *= math.sqrt(max(1.0, fit.misfit)) if math.isfinite(fit.misfit) else 1.0
    value, floor = float(times.mean()), float(single.mean()) / cores
    seconds = Interval(max(value, floor), max(value - reach, floor), max(value + reach, floor))
    return Projection(cores, Interval(*map(float, band(fit, cores))), seconds)
