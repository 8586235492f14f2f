"""Curves of one or several trainings: fitness and score over generations, time and evaluations."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from nograd.core.metrics import ACCURACY, Measure
from nograd.reports.charts import Chart, category, figures, layer, quantity, score, tip, values
from nograd.reports.html import Markup, tabs

_MOST = 400  # points of a curve; more are averaged in groups, as a screen cannot show them
_AXES = (
    ("by generation", "generation", "generation", ",.0f"),
    ("by time", "seconds", "training time [s]", ",.1f"),
    ("by evaluations", "evaluations", "evaluations (forward passes of one example)", ",.0f"),
)


class Trace(NamedTuple):
    """The metrics of one run."""

    name: str
    metrics: list[dict[str, Any]]
    chosen: int | None  # the generation with the best validation score
    measure: Measure = ACCURACY


def curves(traces: Sequence[Trace]) -> Markup:
    """The charts of fitness and score, over each of three axes; empty if no generation is logged."""
    if not any(trace.metrics for trace in traces):
        return Markup()
    panels = [
        (title, figures(_fitness(traces, field, label, form), _scores(traces, field, label, form)))
        for title, field, label, form in _AXES
    ]
    return tabs("axis", panels)


def thinned(lines: Sequence[dict[str, Any]], most: int = _MOST) -> list[dict[str, Any]]:
    """At most `most` lines with generation, seconds, evaluations and fitness; neighbouring lines are averaged."""
    finite = [line for line in lines if line.get("fitness_mean") is not None]
    size = max(1, math.ceil(len(finite) / most))
    names = ("generation", "seconds", "evaluations", "fitness_mean", "fitness_std")
    groups = [finite[start : start + size] for start in range(0, len(finite), size)]
    return [{name: _mean([line.get(name) or 0.0 for line in group]) for name in names} for group in groups]


def _mean(numbers: Sequence[float]) -> float:
    return float(f"{math.fsum(numbers) / len(numbers):.6g}")  # six digits are more than a picture can show


def _fitness(traces: Sequence[Trace], field: str, label: str, form: str) -> Chart:
    rows = [
        {"run": trace.name, "x": line[field], "mean": line["fitness_mean"], **_band(line)}
        for trace in traces
        for line in thinned(trace.metrics)
    ]
    title = "fitness (mean of the population)"
    x, y = _across(rows, label), {"scale": {"zero": False}}
    colour = category("run", [trace.name for trace in traces])
    if len(traces) == 1:
        colour["legend"] = None
    band = {"y": quantity("low", title, **y), "y2": {"field": "high"}}
    tips = [tip("run", "run"), tip("x", label, form)]
    tips += [tip("mean", "fitness", ".4f"), tip("low", "− s", ".4f"), tip("high", "+ s", ".4f")]
    mean = quantity("mean", title, **y)
    spec = {
        "data": values(rows),
        "encoding": {"x": x, "color": colour},
        "layer": [layer("area", band, opacity=0.16), layer("line", {"y": mean})],
    }
    averaged = max(math.ceil(len(trace.metrics) / _MOST) for trace in traces)
    note = "Line: mean; band: ± standard deviation over the members, s."
    note += f" Each point is the mean of up to {averaged:,} generations." if averaged > 1 else ""
    return Chart("Fitness", spec, note, hover=(_nearest(x, mean, tips),))


def _band(line: dict[str, Any]) -> dict[str, float]:
    mean, deviation = line["fitness_mean"], line["fitness_std"]
    return {"low": _mean([mean - deviation]), "high": _mean([mean + deviation])}


def _scores(traces: Sequence[Trace], field: str, label: str, form: str) -> Chart | None:
    """Training and validation scores of one run, or the validation scores of several; None if their measures differ."""
    measure = traces[0].measure
    single = len(traces) == 1
    rows = [row for trace in traces for row in _points(trace, field, single)]
    if not rows or any(trace.measure != measure for trace in traces):
        return None
    names = ["validation", "training"] if single else [trace.name for trace in traces]
    x, y = _across(rows, label), score("y", measure.what, measure)
    tips = [tip("series", "of"), tip("x", label, form), tip("y", measure.what, measure.form)]
    ring = layer("point", {"tooltip": tips}, size=130, strokeWidth=2, filled=False)
    few = {"point": {"size": 18}} if len(rows) <= 80 else {}
    spec = {
        "data": values(rows),
        "encoding": {"x": x, "y": y, "color": category("series", names)},
        "layer": [layer("line", {}, **few), ring | {"transform": [{"filter": "datum.chosen"}]}],
    }
    note = "Ring: the generation with the best validation score, whose network is kept."
    return Chart(
        measure.what.capitalize() if single else f"Validation {measure.what}", spec, note, hover=(_nearest(x, y, tips),)
    )


def _points(trace: Trace, field: str, single: bool) -> list[dict[str, Any]]:
    """The scores of one run as points: validation and training if it is the only run, else validation."""
    measure = trace.measure
    splits = {measure.val: "validation", measure.train: "training"}
    series = splits if single else {measure.val: trace.name}
    return [
        {
            "series": name,
            "x": line[field],
            "y": line[metric],
            "chosen": metric == measure.val and line["generation"] == trace.chosen,
        }
        for metric, name in series.items()
        for line in _some([line for line in trace.metrics if line.get(metric) is not None], trace.chosen)
    ]


def _some(lines: Sequence[dict[str, Any]], chosen: int | None) -> list[dict[str, Any]]:
    """At most about `_MOST` of the lines, evenly spaced, and the line of the chosen generation."""
    step = max(1, math.ceil(len(lines) / _MOST))
    return [line for place, line in enumerate(lines) if place % step == 0 or line["generation"] == chosen]


def _nearest(x: dict[str, Any], y: dict[str, Any], tips: list[dict[str, Any]]) -> dict[str, Any]:
    """A point that appears at the curve's place nearest to the pointer, with a box of values."""
    hover = {"name": "hover", "select": {"type": "point", "on": "pointerover", "clear": "pointerout", "nearest": True}}
    seen = {"condition": {"param": "hover", "empty": False, "value": 1}, "value": 0}
    shown = layer("point", {"x": x, "y": y, "opacity": seen, "tooltip": tips}, filled=True, size=50)
    return shown | {"params": [hover]}


def _across(rows: Sequence[dict[str, Any]], label: str) -> dict[str, Any]:
    """The horizontal axis; large numbers with a unit, such as 2M."""
    large = max((row["x"] for row in rows), default=0) >= 1e5
    return quantity("x", label, axis={"format": "~s" if large else ",~f"})
