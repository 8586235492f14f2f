"""Curves of one training or of several: fitness and accuracy over generations, seconds and evaluations."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from nograd.page.charts import Chart, category, figures, quantity, share, tip, values
from nograd.page.html import Markup, tabs

_MOST = 400  # points of a curve; more are averaged, as no screen shows them
_AXES = (
    ("by generation", "generation", "generation", ",.0f"),
    ("by time", "seconds", "training time [s]", ",.1f"),
    ("by evaluations", "evaluations", "evaluations (forward passes of one example)", ",.0f"),
)


class Trace(NamedTuple):
    """The metrics of one run."""

    name: str
    metrics: list[dict[str, Any]]
    chosen: int | None  # the generation with the best validation accuracy


def curves(traces: Sequence[Trace]) -> Markup:
    """Both charts over each of the three axes; nothing where no generation has been logged."""
    if not any(trace.metrics for trace in traces):
        return Markup()
    panels = [
        (title, figures(_fitness(traces, field, label, form), _accuracy(traces, field, label, form)))
        for title, field, label, form in _AXES
    ]
    return tabs("axis", panels)


def thinned(lines: Sequence[dict[str, Any]], most: int = _MOST) -> list[dict[str, Any]]:
    """At most `most` lines with generation, seconds, evaluations and the population's fitness, averaged in groups."""
    finite = [line for line in lines if line.get("fitness_mean") is not None]
    size = max(1, math.ceil(len(finite) / most))
    names = ("generation", "seconds", "evaluations", "fitness_mean", "fitness_std")
    groups = [finite[start : start + size] for start in range(0, len(finite), size)]
    return [{name: _mean([line.get(name) or 0.0 for line in group]) for name in names} for group in groups]


def _mean(numbers: Sequence[float]) -> float:
    return float(f"{math.fsum(numbers) / len(numbers):.6g}")  # six digits: more than a picture has


def _fitness(traces: Sequence[Trace], field: str, label: str, form: str) -> Chart:
    rows, averaged = [], 1
    for trace in traces:
        lines = thinned(trace.metrics)
        averaged = max(averaged, math.ceil(len(trace.metrics) / _MOST))
        for line in lines:
            mean, deviation = line["fitness_mean"], line["fitness_std"]
            rows.append({"run": trace.name, "x": line[field], "mean": mean} | _band(mean, deviation))
    x, y = _across(rows, label), {"type": "quantitative", "scale": {"zero": False}}
    colour = category("run", [trace.name for trace in traces])
    if len(traces) == 1:
        colour |= {"legend": None}
    tips = [tip("run", "run"), tip("x", label, form), tip("mean", "fitness", ".4f"), tip("low", "− s", ".4f")]
    tips.append(tip("high", "+ s", ".4f"))
    title = {"title": "fitness (mean of the population)"}
    spec = {
        "data": values(rows),
        "encoding": {"x": x, "color": colour},
        "layer": [
            {"mark": {"type": "area", "opacity": 0.16}, "encoding": {"y": {"field": "low", **title, **y}, "y2": {"field": "high"}}},
            {"mark": {"type": "line"}, "encoding": {"y": {"field": "mean", **title, **y}}},
        ],
    }  # fmt: skip
    note = "Line: mean; band: ± standard deviation over the members, s."
    note += f" Each point is the mean of up to {averaged:,} generations." if averaged > 1 else ""
    return Chart("Fitness", spec, note, hover=(_nearest(x, {"field": "mean", **title, **y}, tips),))


def _band(mean: float, deviation: float) -> dict[str, float]:
    return {"low": _mean([mean - deviation]), "high": _mean([mean + deviation])}


def _accuracy(traces: Sequence[Trace], field: str, label: str, form: str) -> Chart | None:
    """Training and validation of one run; the validation accuracy of several."""
    single = len(traces) == 1
    splits = [("validation", "val_accuracy"), ("training", "train_accuracy")] if single else [("", "val_accuracy")]
    rows = [
        {"series": split or trace.name, "run": trace.name, "x": line[field], "y": line[name],
         "chosen": split != "training" and line["generation"] == trace.chosen}
        for trace in traces
        for split, name in splits
        for line in trace.metrics
        if line.get(name) is not None
    ]  # fmt: skip
    if not rows:
        return None
    names = [split for split, _ in splits] if single else [trace.name for trace in traces]
    x, y = _across(rows, label), share("y", "accuracy")
    tips = [tip("series", "of"), tip("x", label, form), tip("y", "accuracy", ".2%")]
    few = len(rows) <= 80
    spec = {
        "data": values(rows),
        "encoding": {"x": x, "y": y, "color": category("series", names)},
        "layer": [
            {"mark": {"type": "line", "point": {"size": 18} if few else False}},
            {
                "transform": [{"filter": "datum.chosen"}],
                "mark": {"type": "point", "size": 130, "strokeWidth": 2, "filled": False},
                "encoding": {"tooltip": tips},
            },
        ],
    }
    note = "Ring: the generation with the best validation accuracy, whose network is kept."
    what = "" if single else ", validation"
    return Chart(f"Accuracy{what}", spec, note, hover=(_nearest(x, y, tips),))


def _nearest(x: dict[str, Any], y: dict[str, Any], tips: list[dict[str, Any]]) -> dict[str, Any]:
    """Points that show at the pointer alone, with their box."""
    hover = {"name": "hover", "select": {"type": "point", "on": "pointerover", "clear": "pointerout", "nearest": True}}
    seen = {"condition": {"param": "hover", "empty": False, "value": 1}, "value": 0}
    return {
        "params": [hover],
        "mark": {"type": "point", "filled": True, "size": 50},
        "encoding": {"x": x, "y": y, "opacity": seen, "tooltip": tips},
    }


def _across(rows: Sequence[dict[str, Any]], label: str) -> dict[str, Any]:
    """The axis from left to right; millions as M."""
    large = max((row["x"] for row in rows), default=0) >= 1e5
    return quantity("x", label, axis={"format": "~s" if large else ",~f"})
