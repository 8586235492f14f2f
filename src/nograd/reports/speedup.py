"""The page of a speedup: tables, and charts of time, speedup, efficiency and what the time is spent on."""

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from nograd.core.grid import Grid
from nograd.core.text import percent, time_unit
from nograd.reports.charts import COLOURS, FAINT, Chart, category, figures, layer, quantity, tip, values
from nograd.reports.document import badge, document, note
from nograd.reports.html import Child, Markup, section
from nograd.reports.tables import Cell, cards, facts, table
from nograd.scaling.laws import Amdahl, band
from nograd.scaling.table import PARTS, parts

_KINDS = (("strong", "same work"), ("weak", "work grows with the workers"))
_WIDEST = 2.0  # times its lower end: the upper end of a projection that is shown as a key figure


def speedup_page(figures_of: dict[str, Any], name: str) -> str:
    """The HTML page for the content of speedup.json.

    Args:
        figures_of: the content of the file.
        name: the heading of the page.
    """
    strong = figures_of["strong"]["rows"]
    what = ("task", "model", "perturbation")
    words = ", ".join(Path(str(figures_of[name])).name for name in what) + f", population {figures_of['population']:,}"
    crowded = any(row["oversubscribed"] for row in strong)
    tables = [_shown(part) for part in parts(figures_of)]
    pictures = [chart(figures_of, panel) for panel in _PANELS]
    return document(
        name,
        [f"speedup of {words} ", badge("oversubscribed counts marked *", "busy") if crowded else None],
        cards(_key_figures(figures_of)),
        section("Scaling", figures(*pictures, where(strong))),
        section("Tables", tables),
        section("Machine", facts({"cores": figures_of["cores"], **figures_of["versions"]})),
    )


def _shown(part: Grid | str) -> Markup:
    """A table or a sentence of `nograd speedup`, as HTML."""
    if isinstance(part, str):
        return note(part)
    return table(part.columns, [[Cell(text, number=True) for text in row] for row in part.rows], caption=part.title)


def _key_figures(figures_of: dict[str, Any]) -> Iterator[tuple[str, Child, Child]]:
    fair = [row for row in figures_of["strong"]["rows"] if not row["oversubscribed"]]
    row = fair[-1] if len(fair) > 1 else figures_of["strong"]["rows"][-1]
    said = f"median of {figures_of['rounds']} rounds" + (", oversubscribed" if row["oversubscribed"] else "")
    ratio, effective = row["speedup"], row["efficiency"]
    ends = f"{ratio['low']:.2f} to {ratio['high']:.2f}"
    yield f"speedup on {row['workers']} workers", f"{ratio['median']:.2f}×", f"{ends}, {said}"
    yield "efficiency", f"{effective['median']:.1%}", f"{effective['low']:.1%} to {effective['high']:.1%}"
    if fit := figures_of["strong"]["amdahl"]:
        error = "?" if fit["standard_error"] is None else f"{fit['standard_error']:.4f}"
        yield "serial fraction", f"{fit['serial_fraction']:.4f}", f"± {error}, Amdahl's law"
    for projected in reversed(figures_of["strong"]["projection"]):
        if _tells(ratio := projected["speedup"]):
            ends = f"{ratio['low']:,.1f} to {ratio['high']:,.1f}"
            yield f"projection to {projected['cores']:,} cores", f"{ratio['value']:,.1f}×", f"NOT measured; {ends}"
            return


def _tells(ratio: dict[str, Any]) -> bool:
    """Whether the interval of a projected speedup is known, and narrow enough for a headline."""
    low, high = ratio["low"], ratio["high"]
    return low is not None and high is not None and 0 < high <= _WIDEST * low


class Panel(NamedTuple):
    """What one chart shows."""

    field: str  # name of the value in a row
    title: str
    form: str  # format of its numbers
    turn: Callable[[Any, Any, float], Any]  # (speedup by the law, workers p, time of one worker) -> value


_PANELS = (
    Panel("seconds", "Time of a generation", ".3~g", lambda ratio, workers, alone: alone / ratio),
    Panel("speedup", "Speedup", ".3~g", lambda ratio, workers, alone: ratio),
    Panel("efficiency", "Efficiency", ".0%", lambda ratio, workers, alone: ratio / workers),
)


def chart(figures_of: dict[str, Any], panel: Panel) -> Chart:
    """A chart of medians with their intervals, with the ideal line and Amdahl's law with its 95% band."""
    kinds = [(kind, series) for kind, series in _KINDS if figures_of[kind]]
    points = [_point(row, panel, series) for kind, series in kinds for row in figures_of[kind]["rows"]]
    lines, label = _lines(figures_of, panel), panel.title.lower()
    if panel.field == "seconds":
        scale, unit = time_unit(max(point["y"] for point in points))
        points, lines, label = _scaled(points, scale), _scaled(lines, scale), f"{label} [{unit}]"
    # The ends of the band may be very far away or infinite, so they are cut at the top of the chart.
    top = 1.05 * max(*(point["high"] for point in points), *(line["y"] for line in lines if line["series"] == "ideal"))
    lines = [line | {name: min(line[name], top) for name in ("y", "low", "high")} for line in lines]
    counts = sorted({point["workers"] for point in points})
    x = quantity("x", "workers", axis={"values": counts, "format": "d"}, scale={"nice": False, "padding": 14})
    y = quantity("y", label, axis={"format": panel.form}, scale={"zero": True})
    ends = {"y": quantity("low", label), "y2": {"field": "high"}}
    laws = list(dict.fromkeys(line["series"] for line in lines))
    colours = [*COLOURS[: len(kinds)], FAINT, COLOURS[2]]
    colour = category("series", [*(series for _, series in kinds), *laws], colours, legend={"columns": 2})
    hollow = {"condition": {"test": "datum.crowded", "value": "var(--paper)"}, **colour}
    tips = [tip("series", "of"), tip("workers", "workers", "d"), tip("y", label, ".4~g")]
    tips += [tip("low", "from", ".4~g"), tip("high", "to", ".4~g")]
    spec = {
        "data": values(points),
        "encoding": {"x": x, "color": colour},
        "layer": [
            {"data": values(lines), **layer("area", ends, opacity=0.14)},
            {"data": values(lines), **layer("line", {"y": y})},
            layer("rule", ends, strokeWidth=1.5),
            layer("point", {"y": y, "fill": hollow, "tooltip": tips}, size=70, strokeWidth=2, opacity=1),
        ],
    }
    note = "Bars: intervals of the medians." + (" Band: 95% of the fit." if len(laws) > 1 else "")
    if any(point["crowded"] for point in points):
        note += " Hollow: oversubscribed, more workers than cores."
    return Chart(panel.title, spec, note, height=260)


def _point(row: dict[str, Any], panel: Panel, series: str) -> dict[str, Any]:
    # Slightly to the right for weak scaling: both kinds have a point at each worker count.
    x = row["workers"] * (1.03 if series == _KINDS[1][1] else 1.0)
    found = row[panel.field]
    ends = {"y": found["median"], "low": found["low"], "high": found["high"]}
    return {"series": series, "workers": row["workers"], "x": x, "crowded": row["oversubscribed"], **ends}


def _lines(figures_of: dict[str, Any], panel: Panel) -> list[dict[str, Any]]:
    """Points on the ideal line and on the fitted law with its band, at many worker counts."""
    rows, fit = figures_of["strong"]["rows"], figures_of["strong"]["amdahl"]
    workers = np.linspace(1, max(2, *(row["workers"] for row in rows)), 40)
    laws = {"ideal": (workers, workers, workers)}
    if fit:
        known: dict[str, Any] = {name: math.nan if value is None else value for name, value in fit.items()}
        laws["Amdahl's law"] = band(Amdahl(**known), workers)
    lines = []
    for series, ratios in laws.items():
        with np.errstate(over="ignore"):  # a band of unknown width has an infinite end
            turned = np.array([panel.turn(ratio, workers, rows[0]["seconds"]["median"]) for ratio in ratios])
        columns = zip(workers, turned[0], turned.min(0), turned.max(0), strict=True)
        lines += [
            {"series": series, **dict(zip(("x", "y", "low", "high"), map(float, c), strict=True))} for c in columns
        ]
    return lines


def _scaled(rows: list[dict[str, Any]], scale: float) -> list[dict[str, Any]]:
    return [row | {name: row[name] * scale for name in ("y", "low", "high")} for row in rows]


def where(rows: list[dict[str, Any]]) -> Chart:
    """A chart of what the time of a generation is spent on: one bar per worker count."""
    cells = [
        {"workers": f"{row['workers']}{'*' if row['oversubscribed'] else ''}", "part": part, "order": place,
         "share": row["where"][part] / sum(row["where"].values())}
        for row in rows for place, part in enumerate(PARTS)
    ]  # fmt: skip
    order = [cell["workers"] for cell in cells[:: len(PARTS)]]
    spec = {
        "data": values([cell | {"said": percent(cell["share"])} for cell in cells]),
        "mark": {"type": "bar", "height": {"band": 0.7}},
        "encoding": {
            "x": quantity(
                "share", "share of the time of a generation", axis={"format": "~%"}, scale={"domain": [0, 1]}
            ),
            "y": {"field": "workers", "type": "nominal", "sort": order, "title": "workers"},
            "color": category("part", PARTS, (COLOURS[0], COLOURS[1], COLOURS[4], COLOURS[2], COLOURS[7])),
            "order": {"field": "order"},
            "tooltip": [tip("workers", "workers"), tip("part", "part"), tip("said", "share")],
        },
    }
    return Chart("Where the time goes", spec, "As the first worker sees it.", height=260)
