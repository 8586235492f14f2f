"""Scores with their 95% intervals, as in `nograd evaluate` and result.json."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from nograd.core.intervals import student_interval
from nograd.core.metrics import Measure
from nograd.envs.rollout import EpisodeResults


def interval_of(measure: Measure, figures: Mapping[str, float | None], count: int) -> list[float] | None:
    """The 95% interval of the measure among the figures of `count` examples; None where it is not known."""
    value = figures[measure.name]
    if value is None:
        return None
    found = measure.interval(value, count, figures.get(f"{measure.name}_error"))
    return None if found is None else list(found)


def mean_return(results: EpisodeResults) -> dict[str, Any]:
    """The mean return x̄ of n episodes with x̄ ± t s/√n, the 95% interval of Student (1908).

    Episodes that were dropped because a number was not finite are left out and counted. Where most were dropped, the
    return is None.
    """
    returns, mean = results.sound.returns, results.mean
    dropped = {"dropped": results.dropped} if results.dropped else {}
    if mean is None:
        unknown = dict.fromkeys(("return", "deviation", "minimum", "maximum", "length"))
        return {**unknown, "interval": [None, None], "episodes": len(returns), **dropped}
    deviation = float(np.std(returns, ddof=1)) if len(returns) > 1 else 0.0
    return {
        "return": mean,
        "interval": list(student_interval(mean, deviation / len(returns) ** 0.5, len(returns))),
        "deviation": deviation,
        "minimum": float(np.min(returns)),
        "maximum": float(np.max(returns)),
        "length": float(np.mean(results.sound.lengths)),
        "episodes": len(returns),
        **dropped,
    }
