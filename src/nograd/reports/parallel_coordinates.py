"""Parallel coordinates of a study: one line per trial, through all of its settings to its value."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nograd.core.metrics import Measure
from nograd.core.text import short
from nograd.reports.charts import COLOURS, FAINT, Chart, Spec, category, layer, tip, values
from nograd.reports.trials import ABSENT, GROUP_COLOURS, GROUPS, PlotAxis
from nograd.tuning.study.records import Trial

_TOP = 1.22  # height of the chart above the axes, with room for their names


def parallel(axes: Sequence[PlotAxis], ranked: Sequence[Trial], group: Mapping[int, str], measure: Measure) -> Chart:
    """The chart of one or more trials. Dragging along an axis sets the signal `ranges`; see page.js.

    Args:
        axes: the settings, in order; the value gets another axis at the right.
        ranked: the trials, the best first.
        group: the group of each trial by its number, which is its colour.
        measure: the score of the study.
    """
    found = [trial.value or 0.0 for trial in ranked]
    every = [*axes, PlotAxis(measure.what, False, min(found), max(found), ())]
    rows = [_line(trial, every, group[trial.number], measure) for trial in reversed(ranked)]  # the best on top
    x: Spec = {"field": "x", "type": "quantitative", "axis": None, "scale": {"domain": [0, len(axes)], "nice": False}}
    y: Spec = {"type": "quantitative", "axis": None, "scale": {"domain": [ABSENT - 0.03, _TOP], "nice": False}}
    labels = [label | {"x": place} for place, axis in enumerate(axes) for label in _labels(axis, _number)]
    labels += [label | {"x": len(axes)} for label in _labels(every[-1], measure.text)]
    spec = {
        # At first each range is wider than its axis, so that all lines are selected.
        "params": [{"name": "ranges", "value": [[-1, 2]] * len(every)}],
        "layer": [
            _axis_lines(len(every), x, y),
            _lines(rows, every, x, y),
            _texts(labels, x, y, 11),
            _texts(_names(every), x, y, 12),
            _brushes(len(every), x, y),
        ],
    }
    absent = any(row[f"p{place}"] == ABSENT for row in rows for place in range(len(every)))
    note = "A line a trial. Drag along an axis to choose, double-click to free all."
    note += " Below an axis: not drawn for this trial." if absent else ""
    return Chart("All settings at once", spec, note, height=340, wide=True, brush=True)


def _line(trial: Trial, every: Sequence[PlotAxis], group: str, measure: Measure) -> dict[str, Any]:
    """The positions p0, p1, … of a trial on the axes, and the texts t0, t1, …; the last ones are of its value."""
    row: dict[str, Any] = {"trial": trial.number, "group": group}
    for place, axis in enumerate(every):
        is_value = place == len(every) - 1
        value = trial.value if is_value else trial.settings.get(axis.name)
        row |= {f"p{place}": axis.place(value), f"t{place}": measure.text(trial.value) if is_value else short(value)}
    return row


def _lines(rows: Sequence[dict[str, Any]], every: Sequence[PlotAxis], x: Spec, y: Spec) -> Spec:
    fields = [f"p{place}" for place in range(len(every))]
    inside = " && ".join(
        f"datum.{field} >= ranges[{place}][0] && datum.{field} <= ranges[{place}][1]"
        for place, field in enumerate(fields)
    )
    encoding = {
        "x": x,
        "y": y | {"field": "value"},
        "detail": {"field": "trial"},
        "color": category("group", GROUPS, GROUP_COLOURS),
        "opacity": {"condition": {"test": inside, "value": 0.75}, "value": 0.04},
        "tooltip": [tip("trial", "trial"), *(tip(f"t{place}", axis.name) for place, axis in enumerate(every))],
    }
    transform = [{"fold": fields}, {"calculate": "toNumber(slice(datum.key, 1))", "as": "x"}]
    lines = layer("line", encoding, strokeJoin="round", strokeWidth=1.2)
    return {"data": values(rows), "transform": transform, **lines}


def _names(every: Sequence[PlotAxis]) -> list[dict[str, Any]]:
    """The names above the axes. Many are put in two rows, as a name may be wider than the space between two axes."""
    step = 0.09 if len(every) > 5 else 0.0
    return [{"x": place, "y": 1.1 + step * (place % 2), "text": axis.name} for place, axis in enumerate(every)]


def _labels(axis: PlotAxis, text: Callable[[float], str]) -> list[dict[str, Any]]:
    """The labels of an axis: each choice, or both ends and the middle."""
    if axis.choices:
        return [{"y": axis.place(choice), "text": choice} for choice in axis.choices]
    middle = math.sqrt(axis.low * axis.high) if axis.logarithmic else (axis.low + axis.high) / 2
    return [{"y": axis.place(value), "text": text(value)} for value in (axis.low, middle, axis.high)]


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _axis_lines(count: int, x: Spec, y: Spec) -> Spec:
    rows = [{"x": place, "from": 0, "to": 1} for place in range(count)]
    encoding = {"x": x, "y": y | {"field": "from"}, "y2": {"field": "to"}}
    return {"data": values(rows), **layer("rule", encoding, color=FAINT)}


def _texts(rows: Sequence[dict[str, Any]], x: Spec, y: Spec, size: int) -> Spec:
    """Texts beside their axis, with an outline in the colour of the page so that they can be read on top of lines."""
    last = max(row["x"] for row in rows)
    ring = {"stroke": "var(--paper)", "strokeWidth": 4, "strokeJoin": "round"}
    sides = ((f"datum.x < {last}", "left", 4), (f"datum.x == {last}", "right", -4))
    layers = [
        {"transform": [{"filter": test}], **layer("text", {}, align=align, dx=dx, fontSize=size, limit=110, **look)}
        for look in (ring, {})
        for test, align, dx in sides
    ]
    return {
        "data": values(rows),
        "encoding": {"x": x, "y": y | {"field": "y"}, "text": {"field": "text"}},
        "layer": layers,
    }


def _brushes(count: int, x: Spec, y: Spec) -> Spec:
    """A bar on each axis on which a range is selected."""
    transform = [
        {"calculate": "ranges[datum.x][0]", "as": "from"},
        {"calculate": "ranges[datum.x][1]", "as": "to"},
        {"filter": "datum.to - datum.from < 2.5"},
    ]
    encoding = {"x": x, "y": y | {"field": "from", "stack": None}, "y2": {"field": "to"}}
    bars = layer("bar", encoding, size=12, color=COLOURS[0], opacity=0.25, clip=True)
    return {"data": values([{"x": place} for place in range(count)]), "transform": transform, **bars}
