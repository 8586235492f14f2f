"""The laws of scaling as arithmetic on measured times. Pure functions of NumPy alone.

Times are [rounds, workers]: seconds of the same work, one column a number of workers. Ratios are taken within a
round, so that a machine that is slower for a while is slower in both.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from nograd.core.intervals import student
from nograd.scaling.intervals import standard_error


class Estimate(NamedTuple):
    """A value and its standard error (NaN where it is not known)."""

    value: float
    standard_error: float


class Interval(NamedTuple):
    """A value and its 95% interval."""

    value: float
    low: float
    high: float


class Amdahl(NamedTuple):
    """A fit of Amdahl's law. Without any count above one worker there is none, and all is NaN."""

    serial_fraction: float
    standard_error: float
    degrees: int  # of freedom of the standard error
    misfit: float  # deviations from the law over what the scatter explains; about 1 where it holds, NaN unknown
    by_round: tuple[float, ...]  # the fractions whose mean is the serial fraction


class Projection(NamedTuple):
    """What the fitted law says of a number of cores that need not be at hand."""

    cores: int
    speedup: Interval
    seconds: Interval


def speedups(times: np.ndarray) -> np.ndarray:
    """S = T₁/Tₚ within each round; the first column is one worker. [rounds, workers]"""
    return times[:, :1] / times


def efficiency(workers: int | Sequence[int] | np.ndarray, speedup: np.ndarray) -> np.ndarray:
    """E = S/p."""
    return speedup / np.asarray(workers, float)


def karp_flatt(workers: int, speedup: float, error: float = 0.0) -> Estimate:
    """e = (1/S − 1/p)/(1 − 1/p), the serial fraction found by one worker count (Karp & Flatt 1990).

    Where it grows with p, so does an overhead, and Amdahl's law is too kind. Negative: faster than p times.

    Args:
        workers: p. For one worker e is 0/0, so NaN.
        speedup: S.
        error: standard error of S; carried over as dS/(S²(1 − 1/p)).
    """
    if workers <= 1:
        return Estimate(math.nan, math.nan)
    room = 1.0 - 1.0 / workers
    return Estimate((1.0 / speedup - 1.0 / workers) / room, error / speedup**2 / room)


def gustafson(workers: int, scaled_speedup: float, error: float = 0.0) -> Estimate:
    """s = (p − S)/(p − 1), the serial share of the time when the work grows with p (Gustafson 1988).

    Args:
        workers: p. NaN for one worker.
        scaled_speedup: S = p·T₁(work)/Tₚ(p·work).
        error: standard error of S; carried over as dS/(p − 1).
    """
    if workers <= 1:
        return Estimate(math.nan, math.nan)
    return Estimate((workers - scaled_speedup) / (workers - 1), error / (workers - 1))


def amdahl(workers: Sequence[int] | np.ndarray, measured: Sequence[float] | np.ndarray) -> Amdahl:
    """s = Σ x y/Σ x² with x = 1 − 1/p, y = 1/S − 1/p: least squares over the worker counts (Amdahl 1967).

    1/S = s + (1 − s)/p is the line y = s x. Each round is fitted; the result is the mean of the rounds, and its
    standard error their scatter, widened by √misfit where the means lie farther from the line than the scatter
    explains (the scale factor of the Particle Data Group). A single round has only its deviations from the line.

    Args:
        workers: p, [workers]. One worker fits any s and has no weight.
        measured: S, [rounds, workers] or [workers].
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
    """S(p) = 1/(s + (1 − s)/p), with s at least 0: the law knows nothing faster than p. Above 1, more is slower."""
    fraction = np.clip(serial_fraction, 0.0, np.finfo(float).max)  # finite: ∞ times nothing is NaN
    return 1.0 / (1.0 / cores + fraction * (1.0 - 1.0 / cores))


def band(fit: Amdahl, cores: int | np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The law's speedup and its 95% interval, at s and s ± t·standard error. S falls with s, so the ends swap."""
    reach = student(fit.degrees) * fit.standard_error
    reach = math.inf if math.isnan(reach) else reach
    low, high = law(fit.serial_fraction + reach, cores), law(fit.serial_fraction - reach, cores)
    return law(fit.serial_fraction, cores), low, high


def projection(fit: Amdahl, cores: int, alone: Sequence[float] | np.ndarray) -> Projection:
    """T(p) = T₁·(s + (1 − s)/p) and the speedup, each with a 95% interval from the scatter of the rounds.

    Both hold only as far as Amdahl's law does: an overhead that grows with p is in neither interval. The times are
    projected round by round, so that what T₁ and s have in common is in the interval once.

    Args:
        fit: of `amdahl`.
        cores: p.
        alone: T₁ in seconds, [rounds], of the same rounds as the fit.
    """
    single, fractions = np.asarray(alone, float), np.asarray(fit.by_round)
    times = single * (fractions + (1.0 - fractions) / cores)
    reach = student(len(times) - 1) * standard_error(times) if len(times) > 1 else math.inf
    reach *= math.sqrt(max(1.0, fit.misfit)) if math.isfinite(fit.misfit) else 1.0
    value, floor = float(times.mean()), float(single.mean()) / cores
    seconds = Interval(max(value, floor), max(value - reach, floor), max(value + reach, floor))
    return Projection(cores, Interval(*map(float, band(fit, cores))), seconds)
