"""The charts of a study, each a function from its trials to a `Chart`."""

import itertools
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from nograd.core.metrics import Measure
from nograd.core.text import short
from nograd.reports.charts import COLOURS, FAINT, INK, Chart, category, layer, quantity, score, tip, values
from nograd.reports.trials import GROUP_COLOURS, GROUPS, PlotAxis
from nograd.tuning.study.records import Trial, TrialState

_STATES: tuple[TrialState, ...] = ("complete", "pruned", "stopped", "failed", "running")
_STATE_COLOURS = (COLOURS[0], FAINT, COLOURS[5], COLOURS[1], COLOURS[2])


def progress(trials: Sequence[Trial], measure: Measure) -> Chart:
    """The value of each trial at the time it ended, and the best so far as a line."""
    ordered = sorted(trials, key=lambda trial: _span(trial, 1.0)[1])
    scale, unit = time_unit(_span(ordered[-1], 1.0)[1])
    found = (trial.value for trial in ordered if trial.value is not None)
    best = itertools.accumulate(found, partial(max, key=measure.goodness))
    rows = [
        {"x": _span(trial, scale)[1], "value": trial.value, "best": high, "trial": trial.number}
        for trial, high in zip(ordered, best, strict=True)
    ]
    x, name = quantity("x", f"time of the study [{unit}]"), _name(measure)
    tips = [tip("trial", "trial"), tip("value", name, measure.form)]
    spec = {
        "data": values(rows),
        "encoding": {"x": x},
        "layer": [
            layer("point", {"y": score("value", name, measure), "tooltip": tips}, filled=True, size=22, color=FAINT),
            layer(
                "line", {"y": score("best", name, measure)}, interpolate="step-after", color=COLOURS[1], strokeWidth=2
            ),
        ],
    }
    return Chart("The best so far", spec, "Points: trials at their end; line: the best of them until then.")


def efficiency(curve: Sequence[tuple[int, Sequence[float]]], measure: Measure) -> Chart:
    """Box plots of the best value among s trials, over s (Bergstra & Bengio 2012, Figure 2)."""
    rows = [{"size": size, **_box(list(best))} for size, best in curve if best]
    x = {"field": "size", "type": "ordinal", "title": "trials in an experiment", "axis": {"labelAngle": 0}}
    ends = {"low": "lowest", "q1": "lower quartile", "median": "median", "q3": "upper quartile", "high": "highest"}
    tips = [
        tip("size", "trials"),
        tip("count", "experiments"),
        *(tip(n, words, measure.form) for n, words in ends.items()),
    ]
    spec = {
        "data": values(rows),
        "encoding": {"x": x, "tooltip": tips},
        "layer": [
            layer("rule", _ends(measure, "low", "high"), color="var(--quiet)"),
            layer("bar", _ends(measure, "q1", "q3"), size=20, color=COLOURS[0]),
            layer("tick", _ends(measure, "median"), size=20, thickness=2, color=INK),
        ],
    }
    note = "The trials, cut into experiments of this size: the best of each as box (quartiles, median) and range."
    return Chart("Efficiency: what more trials bring", spec, note)


def importance(found: Mapping[str, tuple[float, float, float]]) -> Chart:
    """A bar per setting with its interval, the most important at the top."""
    ordered = sorted(found.items(), key=lambda pair: -pair[1][0])
    rows = [{"name": name, "mean": mean, "low": low, "high": high} for name, (mean, low, high) in ordered]
    y = {"field": "name", "type": "nominal", "sort": [row["name"] for row in rows], "title": None}
    tips = [tip("name", "setting"), *(tip(field, field, ".3f") for field in ("mean", "low", "high"))]
    spec = {
        "data": values(rows),
        "encoding": {"y": y, "tooltip": tips},
        "layer": [
            layer("bar", {"x": quantity("mean", "importance")}, height=12, color=COLOURS[0]),
            layer("rule", {"x": quantity("low", "importance"), "x2": {"field": "high"}}, strokeWidth=2, color=INK),
        ],
    }
    note = "Bars: means over bootstrap samples of the trials; lines: from their 5% to their 95% quantile."
    return Chart("Importance of the settings", spec, note, height=60 + 24 * len(rows))


def slices(
    axes: Sequence[PlotAxis], ranked: Sequence[Trial], group: Mapping[int, str], measure: Measure
) -> list[Chart]:
    """For each setting, a chart of the trials' values over it."""
    return [_slice(axis, ranked, group, measure) for axis in axes]


def _slice(axis: PlotAxis, ranked: Sequence[Trial], group: Mapping[int, str], measure: Measure) -> Chart:
    encoding: dict[str, Any] = {
        "y": score("y", _name(measure), measure),
        "color": category("group", GROUPS, GROUP_COLOURS, legend=None),
        "tooltip": [tip("trial", "trial"), tip("x", axis.name), tip("y", _name(measure), measure.form)],
    }
    if axis.choices:
        encoding["x"] = {"field": "x", "type": "nominal", "sort": list(axis.choices), "title": axis.name}
        encoding["x"] |= {"axis": {"labelAngle": 0}}
        encoding["xOffset"] = {"field": "spread", "type": "quantitative", "scale": {"domain": [-0.7, 1.7]}}
    else:
        scale = {"type": "log"} if axis.logarithmic else {"zero": False}
        form = {"format": ".0~e"} if axis.logarithmic and axis.low < 1e-4 else {}
        encoding["x"] = quantity("x", axis.name, axis=form, scale=scale | {"nice": False})
    rows = [
        _point(trial, short(value) if axis.choices else value, group)
        for trial in reversed(ranked)  # the best on top
        if (value := trial.settings.get(axis.name)) is not None
    ]
    points = layer("point", encoding, filled=True, size=24, opacity=0.85)
    return Chart(axis.name, {"data": values(rows), **points}, height=190)


def _point(trial: Trial, x: Any, group: Mapping[int, str]) -> dict[str, Any]:
    """A trial as a point. Points are spread by their number and not at random, so that the page is always the same."""
    spread = round(trial.number * 0.6180339887 % 1, 3)
    return {"x": x, "y": trial.value, "group": group[trial.number], "trial": trial.number, "spread": spread}


def workers(trials: Sequence[Trial], measure: Measure) -> Chart:
    """A bar per trial that shows which worker trained it, and when."""
    timed = [trial for trial in trials if trial.start is not None and trial.seconds is not None]
    scale, unit = time_unit(max((_span(trial, 1.0)[1] for trial in timed), default=0.0))
    rows = [
        {
            "worker": trial.worker,
            "start": start,
            "end": end,
            "state": trial.state,
            "trial": trial.number,
            "value": value,
        }
        for trial in timed
        for start, end, value in [(*_span(trial, scale), measure.text(trial.value))]
    ]
    names = [state for state in _STATES if any(trial.state == state for trial in timed)]
    colours = [_STATE_COLOURS[_STATES.index(state)] for state in names]
    count = len({trial.worker for trial in timed})
    spec = {
        "data": values(rows),
        "mark": {"type": "bar", "height": {"band": 0.72}, "stroke": "var(--paper)", "strokeWidth": 0.7},
        "encoding": {
            "x": quantity("start", f"time of the study [{unit}]"),
            "x2": {"field": "end"},
            "y": {"field": "worker", "type": "nominal", "title": "worker"},
            "color": category("state", names, colours, legend={"columns": len(_STATES)}),
            "tooltip": [tip("trial", "trial"), tip("state", "state"), tip("value", _name(measure))],
        },
    }
    return Chart("What each worker did", spec, "", height=70 + 30 * count, wide=True)


def _name(measure: Measure) -> str:
    return f"validation {measure.what}"


def _span(trial: Trial, scale: float) -> tuple[float, float]:
    """When a trial began and ended, divided by `scale`."""
    start = trial.start or 0.0
    return round(start / scale, 4), round((start + (trial.seconds or 0.0)) / scale, 4)


def time_unit(seconds: float) -> tuple[float, str]:
    """The divisor for seconds and the unit in which a chart shows them."""
    return (3600.0, "h") if seconds > 7200 else (60.0, "min") if seconds > 120 else (1.0, "s")


def _box(best: list[float]) -> dict[str, float]:
    """Minimum, quartiles and maximum, with linear interpolation."""
    ordered = sorted(best)

    def quantile(share: float) -> float:
        place = share * (len(ordered) - 1)
        low, rest = int(place), place % 1
        return ordered[low] + rest * (ordered[min(low + 1, len(ordered) - 1)] - ordered[low])

    names = ("low", "q1", "median", "q3", "high")
    return {"count": len(best)} | {name: round(quantile(place / 4), 5) for place, name in enumerate(names)}


def _ends(measure: Measure, low: str, high: str | None = None) -> dict[str, Any]:
    return {"y": score(low, f"best {_name(measure)}", measure)} | ({"y2": {"field": high}} if high else {})
