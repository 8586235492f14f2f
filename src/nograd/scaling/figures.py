"""Turns timings into figures: one dict of JSON types, which the table, the picture and speedup.json show."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from nograd.core.intervals import CONFIDENCE
from nograd.scaling import laws
from nograd.scaling.intervals import coverage, standard_error, summary
from nograd.scaling.measure import Measurement

CORES = (4, 16, 1440)  # numbers of cores for which a speedup is projected; the paper's machine had 1,440


def strong_figures(measured: Measurement, cores: int) -> dict[str, Any]:
    """Figures of strong scaling, the same work on more workers: rows, the serial fraction, the projection.

    Args:
        measured: the timings; the first worker count is 1.
        cores: how many cores there are. Larger worker counts are shown as oversubscribed, and are not in the fit.
    """
    times, fair = measured.times, np.array(measured.workers) <= cores
    ratios = laws.speedups(times)
    rows = _rows(measured, cores, ratios)
    for row, column in zip(rows, ratios.T, strict=True):
        error = standard_error(column)
        row["karp_flatt"] = _estimate(laws.karp_flatt(row["workers"], float(np.median(column)), error))
    fit = laws.amdahl(np.array(measured.workers)[fair], ratios[:, fair])
    known = fit.degrees > 0
    return {
        "rows": rows,
        "amdahl": _numbers(fit._asdict()) if fit.by_round else None,
        "projection": [_projected(fit, count, times[:, 0]) for count in CORES] if known else [],
    }


def weak_figures(measured: Measurement, populations: Sequence[int], cores: int) -> dict[str, Any]:
    """Figures of weak scaling: efficiency T₁(work)/Tₚ(p·work) and Gustafson's serial share.

    Args:
        measured: the timings; the first worker count is 1.
        populations: the population for each worker count.
        cores: how many cores there are.
    """
    efficiency = laws.speedups(measured.times)
    rows = _rows(measured, cores, efficiency * np.array(measured.workers))
    for row, column, population in zip(rows, efficiency.T, populations, strict=True):
        scaled = column * row["workers"]
        share = laws.gustafson(row["workers"], float(np.median(scaled)), standard_error(scaled))
        row |= {"population": population, "gustafson": _estimate(share)}
    return {"rows": rows}


def spread(rounds: int) -> dict[str, Any]:
    """How the intervals were computed: number of rounds, confidence, and coverage of the true median."""
    return {"rounds": rounds, "confidence": CONFIDENCE, "median_coverage": coverage(rounds)}


def _rows(measured: Measurement, cores: int, ratios: np.ndarray) -> list[dict[str, Any]]:
    """One row per worker count: time, speedup and efficiency with their intervals, and what the time was spent on."""
    rows = []
    for place, workers in enumerate(measured.workers):
        turns = [turn[place] for turn in measured.timings]
        times = [timing.seconds for timing in turns]
        where = {name: float(np.median([timing.where[name] for timing in turns])) for name in turns[0].where}
        rows.append(
            {
                "workers": workers,
                "oversubscribed": workers > cores,
                "seconds": summary(times)._asdict(),
                "speedup": summary(ratios[:, place])._asdict(),
                "efficiency": summary(laws.efficiency(workers, ratios[:, place]))._asdict(),
                "where": where,
                "bytes_up": turns[-1].bytes_up,
                "bytes_down": turns[-1].bytes_down,
                "seconds_by_round": times,
                "parameters_sha256": turns[0].digest,
            }
        )
    return rows


def _projected(fit: laws.Amdahl, cores: int, alone: np.ndarray) -> dict[str, Any]:
    found = laws.projection(fit, cores, alone)
    return {
        "cores": cores,
        "speedup": _numbers(found.speedup._asdict()),
        "seconds": _numbers(found.seconds._asdict()),
    }


def _estimate(estimate: laws.Estimate) -> dict[str, Any] | None:
    return None if math.isnan(estimate.value) else _numbers(estimate._asdict())


def _numbers(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields with None for NaN and infinities, which JSON does not have."""
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value for name, value in fields.items()
    }
