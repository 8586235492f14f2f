"""The trials of a study, ranked and placed on axes, for its table and its charts. Pure functions."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from nograd.core.text import short
from nograd.reports.charts import COLOURS, FAINT
from nograd.tuning.study.records import Dimension, Study, Trial, place

GROUPS = ("best 5%", "next 20%", "the others")
GROUP_COLOURS = (COLOURS[1], COLOURS[0], FAINT)
ABSENT = -0.12  # position below an axis, for trials that do not have this setting


class PlotAxis(NamedTuple):
    """A searched setting as an axis with positions from 0 to 1."""

    name: str
    logarithmic: bool
    low: float
    high: float
    choices: tuple[str, ...]  # the values in order, if they are not numbers; else empty

    def place(self, value: Any) -> float:
        """The position of a value: 0 to 1, or `ABSENT` for None."""
        if value is None:
            return ABSENT
        if self.choices:
            return _share(self.choices.index(short(value)), 0, len(self.choices) - 1)
        ends = (float(value), self.low, self.high)
        return _share(*map(math.log, ends)) if self.logarithmic else _share(*ends)


def ended(study: Study) -> list[Trial]:
    """The trials that have ended and have a value, the best first."""
    known = [trial for trial in study.trials if trial.value is not None and trial.state != "running"]
    return sorted(known, key=lambda trial: place(trial, study.measure))


def is_finished(study: Study) -> bool:
    """Whether no trial is running and the winner has been trained with all its new seeds."""
    if study.winner is None or any(trial.state == "running" for trial in study.trials):
        return False
    return len(study.winner.seeds) >= (study.search.get("confirm") or 0)


def groups(ranked: Sequence[Trial]) -> dict[int, str]:
    """The group of each trial, by its number: the best 5%, the next 20%, the others."""
    first, second = math.ceil(0.05 * len(ranked)), math.ceil(0.25 * len(ranked))
    return {
        trial.number: GROUPS[0 if place < first else 1 if place < second else 2] for place, trial in enumerate(ranked)
    }


def axes(study: Study, trials: Sequence[Trial]) -> list[PlotAxis]:
    """An axis for each setting whose values differ between the trials."""
    return [axis for dimension in study.space if (axis := _axis(dimension, trials))]


def _axis(dimension: Dimension, trials: Sequence[Trial]) -> PlotAxis | None:
    seen = [value for trial in trials if (value := trial.settings.get(dimension.name)) is not None]
    if len({short(value) for value in seen}) < 2:
        return None
    if dimension.kind == "choice" or not all(_is_number(value) for value in seen):
        order = [short(choice) for choice in dimension.choices]
        order += sorted({short(value) for value in seen} - set(order))
        return PlotAxis(dimension.name, False, 0.0, 1.0, tuple(order))
    low, high = min(map(float, seen)), max(map(float, seen))
    # The distribution "chi" has no ends, but its values may still span several powers of ten.
    logarithmic = low > 0 and (dimension.kind in ("log", "log_int") or (dimension.kind == "chi" and high > 20 * low))
    return PlotAxis(dimension.name, logarithmic, low, high, ())


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _share(value: float, low: float, high: float) -> float:
    return round((value - low) / (high - low), 4) if high > low else 0.5
