"""The charts of a study, each a function from its trials to a `Chart`."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from nograd.formats import percent, short
from nograd.page.charts import COLOURS, FAINT, Chart, category, quantity, share, tip, values
from nograd.report.trials import ABSENT, GROUPS, Axis
from nograd.search.records import Trial, TrialState

_GROUP_COLOURS = (COLOURS[1], COLOURS[0], FAINT)
_STATES: tuple[TrialState, ...] = ("complete", "pruned", "stopped", "failed", "running")
_STATE_COLOURS = (COLOURS[0], FAINT, COLOURS[5], COLOURS[1], COLOURS[2])
_VALUE = "validation accuracy"


def progress(trials: Sequence[Trial]) -> Chart:
    """Each trial when it ended, and the best so far as steps."""
    done = sorted((trial.start or 0.0) + (trial.seconds or 0.0) for trial in trials)
    scale, unit = time_unit(done[-1] if done else 0.0)
    rows: list[dict[str, Any]] = []
    best = 0.0
    for trial in sorted(trials, key=lambda trial: (trial.start or 0.0) + (trial.seconds or 0.0)):
        best = max(best, trial.value or 0.0)
        at = ((trial.start or 0.0) + (trial.seconds or 0.0)) / scale
        rows.append({"x": round(at, 3), "value": trial.value, "best": best, "trial": trial.number})
    x, tips = quantity("x", f"time of the study [{unit}]"), [tip("trial", "trial"), tip("value", _VALUE, ".2%")]
    points = {"type": "point", "filled": True, "size": 22, "color": FAINT}
    line = {"type": "line", "interpolate": "step-after", "color": COLOURS[1], "strokeWidth": 2}
    spec = {
        "data": values(rows),
        "encoding": {"x": x},
        "layer": [
            {"mark": points, "encoding": {"y": share("value", _VALUE), "tooltip": tips}},
            {"mark": line, "encoding": {"y": share("best", _VALUE)}},
        ],
    }
    return Chart("The best so far", spec, "Points: trials at their end; line: the best of them until then.")


def efficiency(curve: Sequence[tuple[int, Sequence[float]]]) -> Chart:
    """Box plots of the best of s trials over s (Bergstra & Bengio 2012, Figure 2)."""
    rows = [{"size": size, **_box(list(best))} for size, best in curve if best]
    x = {"field": "size", "type": "ordinal", "title": "trials in an experiment", "axis": {"labelAngle": 0}}
    ends = {"low": "lowest", "q1": "lower quartile", "median": "median", "q3": "upper quartile", "high": "highest"}
    tips = [tip("size", "trials"), tip("count", "experiments"), *(tip(n, words, ".2%") for n, words in ends.items())]
    spec = {
        "data": values(rows),
        "encoding": {"x": x, "tooltip": tips},
        "layer": [
            {"mark": {"type": "rule", "color": "var(--quiet)"}, "encoding": _ends("low", "high")},
            {"mark": {"type": "bar", "size": 20, "color": COLOURS[0]}, "encoding": _ends("q1", "q3")},
            {"mark": {"type": "tick", "size": 20, "thickness": 2, "color": "var(--ink)"}, "encoding": _ends("median")},
        ],
    }
    note = "The trials, cut into experiments of this size: the best of each as box (quartiles, median) and range."
    return Chart("Efficiency: what more trials bring", spec, note)


def importance(found: Mapping[str, tuple[float, float, float]]) -> Chart:
    """A bar a setting, the most important above, with its interval."""
    ordered = sorted(found.items(), key=lambda pair: -pair[1][0])
    rows = [{"name": name, "mean": mean, "low": low, "high": high} for name, (mean, low, high) in ordered]
    y = {"field": "name", "type": "nominal", "sort": [row["name"] for row in rows], "title": None}
    tips = [tip("name", "setting"), *(tip(field, field, ".3f") for field in ("mean", "low", "high"))]
    spec = {
        "data": values(rows),
        "encoding": {"y": y, "tooltip": tips},
        "layer": [
            {"mark": {"type": "bar", "height": 12, "color": COLOURS[0]}, "encoding": {"x": quantity("mean", "importance")}},
            {"mark": {"type": "rule", "strokeWidth": 2, "color": "var(--ink)"}, "encoding": {"x": quantity("low", "importance"), "x2": {"field": "high"}}},
        ],
    }  # fmt: skip
    return Chart("Importance of the settings", spec, "Line: its interval.", height=60 + 24 * len(rows))


def slices(axes: Sequence[Axis], ranked: Sequence[Trial], group: Mapping[int, str]) -> list[Chart]:
    """The value over each setting alone."""
    return [_slice(axis, ranked, group) for axis in axes]


def _slice(axis: Axis, ranked: Sequence[Trial], group: Mapping[int, str]) -> Chart:
    rows = [
        {"x": short(value) if axis.choices else value, "y": trial.value, "group": group[trial.number], "trial": trial.number}
        for trial in reversed(ranked)  # the best on top
        if (value := trial.settings.get(axis.name)) is not None
    ]  # fmt: skip
    encoding: dict[str, Any] = {
        "y": share("y", _VALUE),
        "color": category("group", GROUPS, _GROUP_COLOURS, legend=None),
        "tooltip": [tip("trial", "trial"), tip("x", axis.name), tip("y", _VALUE, ".2%")],
    }
    mark: dict[str, Any] = {"type": "point", "filled": True, "size": 24, "opacity": 0.85}
    if axis.choices:
        encoding["x"] = {"field": "x", "type": "nominal", "sort": list(axis.choices), "title": axis.name, "axis": {"labelAngle": 0}}  # fmt: skip
        # Spread by the number of the trial, not at random: the same page each time.
        encoding["xOffset"] = {"field": "spread", "type": "quantitative", "scale": {"domain": [-0.7, 1.7]}}
        rows = [row | {"spread": row["trial"] * 0.6180339887 % 1} for row in rows]
    else:
        scale = {"type": "log"} if axis.logarithmic else {"zero": False}
        form = {"format": ".0~e"} if axis.logarithmic and axis.low < 1e-4 else {}
        encoding["x"] = quantity("x", axis.name, axis=form, scale=scale | {"nice": False})
    return Chart(axis.name, {"data": values(rows), "mark": mark, "encoding": encoding}, height=190)


def parallel(axes: Sequence[Axis], ranked: Sequence[Trial], group: Mapping[int, str]) -> Chart:
    """A line a trial through all its settings to its value. A drag along an axis sets the signal `ranges`."""
    value_axis = Axis("accuracy", False, *_reach(ranked), ())
    every = [*axes, value_axis]
    rows = [_line(trial, axes, value_axis, group[trial.number]) for trial in reversed(ranked)]
    fields = [f"p{place}" for place in range(len(every))]
    inside = " && ".join(
        f"datum.{field} >= ranges[{place}][0] && datum.{field} <= ranges[{place}][1]"
        for place, field in enumerate(fields)
    )
    x = {"field": "x", "type": "quantitative", "axis": None, "scale": {"domain": [0, len(every) - 1], "nice": False}}
    y = {"field": "y", "type": "quantitative", "axis": None, "scale": {"domain": [ABSENT - 0.03, 1.22], "nice": False}}
    tips = [tip("trial", "trial"), *(tip(f"t{place}", axis.name) for place, axis in enumerate(every))]
    lines = {
        "data": values(rows),
        "transform": [{"fold": fields}, {"calculate": "toNumber(slice(datum.key, 1))", "as": "x"}],
        "mark": {"type": "line", "strokeJoin": "round", "strokeWidth": 1.2},
        "encoding": {
            "x": x,
            "y": y | {"field": "value"},
            "detail": {"field": "trial"},
            "color": category("group", GROUPS, _GROUP_COLOURS),
            "opacity": {"condition": {"test": inside, "value": 0.75}, "value": 0.04},
            "tooltip": tips,
        },
    }
    labels = [label | {"x": place} for place, axis in enumerate(every) for label in _labels(axis)]
    # In two rows where they are many: a name may be longer than the room between two axes.
    names = [
        {"x": place, "y": 1.1 + 0.09 * (place % 2) * (len(every) > 5), "text": axis.name}
        for place, axis in enumerate(every)
    ]
    spec = {
        # Free at first: wider than any place on an axis.
        "params": [{"name": "ranges", "value": [[-1, 2]] * len(every)}],
        "layer": [_axis_lines(len(every), x, y), lines, _texts(labels, x, y, 11), _texts(names, x, y, 12), _brushes(len(every), x, y)],
    }  # fmt: skip
    note = "A line a trial. Drag along an axis to choose, double-click to free all." + (
        " Below an axis: not drawn for this trial." if any(row[f] == ABSENT for row in rows for f in fields) else ""
    )
    return Chart("All settings at once", spec, note, height=340, wide=True, brush=True)


def workers(trials: Sequence[Trial]) -> Chart:
    """Which worker trained which trial when: a bar a trial."""
    timed = [trial for trial in trials if trial.start is not None and trial.seconds is not None]
    scale, unit = time_unit(max(((t.start or 0.0) + (t.seconds or 0.0) for t in timed), default=0.0))
    rows = [
        {
            "worker": trial.worker,
            "start": round((trial.start or 0.0) / scale, 4),
            "end": round(((trial.start or 0.0) + (trial.seconds or 0.0)) / scale, 4),
            "state": trial.state,
            "trial": trial.number,
            "value": percent(trial.value),
        }
        for trial in timed
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
            "color": category("state", names, colours),
            "tooltip": [tip("trial", "trial"), tip("state", "state"), tip("value", _VALUE)],
        },
    }
    return Chart("What each worker did", spec, "", height=70 + 30 * count, wide=True)


def time_unit(seconds: float) -> tuple[float, str]:
    """What a chart's seconds are divided by, and the unit."""
    return (3600.0, "h") if seconds > 7200 else (60.0, "min") if seconds > 120 else (1.0, "s")


def _box(best: list[float]) -> dict[str, float]:
    """Minimum, quartiles and maximum, by linear interpolation."""
    ordered = sorted(best)

    def quantile(share: float) -> float:
        place = share * (len(ordered) - 1)
        low, rest = int(place), place % 1
        return ordered[low] + rest * (ordered[min(low + 1, len(ordered) - 1)] - ordered[low])

    names = ("low", "q1", "median", "q3", "high")
    return {"count": len(best)} | {name: round(quantile(place / 4), 5) for place, name in enumerate(names)}


def _ends(low: str, high: str | None = None) -> dict[str, Any]:
    return {"y": share(low, f"best {_VALUE}")} | ({"y2": {"field": high}} if high else {})


def _reach(ranked: Sequence[Trial]) -> tuple[float, float]:
    found = [trial.value or 0.0 for trial in ranked]
    return min(found), max(found)


def _line(trial: Trial, axes: Sequence[Axis], value_axis: Axis, group: str) -> dict[str, Any]:
    """A trial's places p0, p1, … and the texts t0, t1, … of its settings; the last is its value."""
    row: dict[str, Any] = {"trial": trial.number, "group": group}
    for place, axis in enumerate(axes):
        row |= {
            f"p{place}": axis.place(trial.settings.get(axis.name)),
            f"t{place}": short(trial.settings.get(axis.name)),
        }
    return row | {f"p{len(axes)}": value_axis.place(trial.value), f"t{len(axes)}": percent(trial.value)}


def _labels(axis: Axis) -> list[dict[str, Any]]:
    """What stands beside an axis: each choice, or both ends and the middle."""
    if axis.choices:
        return [{"y": axis.place(choice), "text": choice} for choice in axis.choices]
    middle = math.sqrt(axis.low * axis.high) if axis.logarithmic else (axis.low + axis.high) / 2
    write = percent if axis.name == "accuracy" else lambda value: f"{value:.3g}"
    return [{"y": axis.place(value), "text": write(value)} for value in (axis.low, middle, axis.high)]


def _axis_lines(count: int, x: dict[str, Any], y: dict[str, Any]) -> dict[str, Any]:
    rows = [{"x": place, "y": 0, "y2": 1} for place in range(count)]
    return {"data": values(rows), "mark": {"type": "rule", "color": FAINT}, "encoding": {"x": x, "y": y, "y2": {"field": "y2"}}}  # fmt: skip


def _texts(rows: Sequence[dict[str, Any]], x: dict[str, Any], y: dict[str, Any], size: int) -> dict[str, Any]:
    """Texts beside their axis, in a ring of the page's colour so that lines do not cross them out."""
    last = max(row["x"] for row in rows)
    ring = {"stroke": "var(--paper)", "strokeWidth": 4, "strokeJoin": "round"}
    layers = []
    for look in (ring, {}):
        for test, align, dx in ((f"datum.x < {last}", "left", 4), (f"datum.x == {last}", "right", -4)):
            mark = {"type": "text", "align": align, "dx": dx, "fontSize": size, "limit": 110, **look}
            layers.append({"transform": [{"filter": test}], "mark": mark})
    return {"data": values(rows), "encoding": {"x": x, "y": y, "text": {"field": "text"}}, "layer": layers}


def _brushes(count: int, x: dict[str, Any], y: dict[str, Any]) -> dict[str, Any]:
    """A bar on each axis whose range is not free."""
    transform = [
        {"calculate": "ranges[datum.x][0]", "as": "y"},
        {"calculate": "ranges[datum.x][1]", "as": "y2"},
        {"filter": "datum.y2 - datum.y < 2.5"},
    ]
    mark = {"type": "bar", "size": 12, "color": COLOURS[0], "opacity": 0.25, "clip": True}
    return {
        "data": values([{"x": place} for place in range(count)]),
        "transform": transform,
        "mark": mark,
        "encoding": {"x": x, "y": y | {"stack": None}, "y2": {"field": "y2"}},
    }
