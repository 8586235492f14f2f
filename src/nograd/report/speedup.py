"""The page of a speedup: its tables, and time, speedup, efficiency and where the time goes as pictures."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from nograd.formats import percent, time_unit
from nograd.page.charts import COLOURS, FAINT, Chart, category, figures, quantity, tip, values
from nograd.page.document import badge, document, note
from nograd.page.html import Child, Markup, section
from nograd.page.tables import Cell, cards, facts, table
from nograd.speedup.scaling import Amdahl, band
from nograd.speedup.table import PARTS, Grid, parts

_KINDS = (("strong", "same work"), ("weak", "work grows with the workers"))


def speedup_page(figures_of: dict[str, Any], name: str) -> str:
    """The HTML page of the figures in speedup.json.

    Args:
        figures_of: the figures.
        name: the heading.
    """
    strong = figures_of["strong"]["rows"]
    what = ("task", "model", "perturbation")
    words = ", ".join(str(figures_of[name]) for name in what) + f", population {figures_of['population']:,}"
    crowded = any(row["oversubscribed"] for row in strong)
    tables = [_shown(part) for part in parts(figures_of)]
    pictures = [panel(figures_of, *words) for words in _PANELS]
    return document(
        name,
        [f"speedup of {words} ", badge("oversubscribed counts marked *", "busy") if crowded else None],
        cards(_key_figures(figures_of)),
        section("Scaling", figures(*pictures, where(strong))),
        section("Tables", tables),
        section("Machine", facts({"cores": figures_of["cores"], **figures_of["versions"]})),
    )


def _shown(part: Grid | str) -> Markup:
    """A table or a sentence of `nograd speedup`; a projection is marked as one."""
    if isinstance(part, str):
        return note(part)
    return table(part.columns, [[Cell(text, number=True) for text in row] for row in part.rows], caption=part.title)


def _key_figures(figures_of: dict[str, Any]) -> Iterator[tuple[str, Child, Child]]:
    fair = [row for row in figures_of["strong"]["rows"] if not row["oversubscribed"]]
    row = fair[-1] if len(fair) > 1 else figures_of["strong"]["rows"][-1]
    said = f"median of {figures_of['rounds']} rounds" + (", oversubscribed" if row["oversubscribed"] else "")
    ratio, effective = row["speedup"], row["efficiency"]
    yield f"speedup on {row['workers']} workers", f"{ratio['median']:.2f}×", f"{ratio['low']:.2f} to {ratio['high']:.2f}, {said}"  # fmt: skip
    yield "efficiency", f"{effective['median']:.1%}", f"{effective['low']:.1%} to {effective['high']:.1%}"
    if fit := figures_of["strong"]["amdahl"]:
        error = "?" if fit["standard_error"] is None else f"{fit['standard_error']:.4f}"
        yield "serial fraction", f"{fit['serial_fraction']:.4f}", f"± {error}, Amdahl's law"
    if projected := figures_of["strong"]["projection"]:
        last, ratio = projected[-1], projected[-1]["speedup"]
        ends = " to ".join("?" if ratio[end] is None else f"{ratio[end]:,.1f}" for end in ("low", "high"))
        yield f"projection to {last['cores']:,} cores", f"{ratio['value']:,.1f}×", f"NOT measured; {ends}"


_PANELS: tuple[tuple[str, str, str, Callable[[Any, Any, float], Any], str], ...] = (
    # field of the rows, title, axis, from the law's speedup at p workers (and the time of one) to it, format
    ("seconds", "Time of a generation", "time of a generation", lambda ratio, workers, alone: alone / ratio, ".3~g"),
    ("speedup", "Speedup", "speedup", lambda ratio, workers, alone: ratio, ".3~g"),
    ("efficiency", "Efficiency", "efficiency", lambda ratio, workers, alone: ratio / workers, ".0%"),
)


def panel(figures_of: dict[str, Any], field: str, title: str, label: str, turn: Callable[[Any, Any, float], Any], form: str) -> Chart:  # fmt: skip
    """Medians with their intervals over the workers, the ideal, and Amdahl's law with its 95% band."""
    known = [(kind, words) for kind, words in _KINDS if figures_of[kind]]
    rows = [_point(row, field, words) for kind, words in known for row in figures_of[kind]["rows"]]
    span = max(row["x"] for row in rows)
    # Side by side, as both kinds have a point at each count.
    rows = [row | {"at": row["x"] + 0.02 * span * (row["series"] != _KINDS[0][1])} for row in rows]
    scale, unit = time_unit(max(row["y"] for row in rows)) if field == "seconds" else (1.0, "")
    label = f"{label} [{unit}]" if unit else label
    rows = [row | {name: row[name] * scale for name in ("y", "low", "high")} for row in rows]
    lines = [line | {k: line[k] * scale for k in ("y", "low", "high")} for line in _lines(figures_of, turn)]
    names = [words for _, words in known]
    laws = ["ideal", *(["Amdahl's law"] if any(line["law"] == "Amdahl's law" for line in lines) else [])]
    colour = category(
        "series", [*names, *laws], [COLOURS[0], COLOURS[1]][: len(names)] + [FAINT, COLOURS[2]], legend={"columns": 2}
    )
    x = quantity("at", "workers", axis={"values": sorted({row["x"] for row in rows}), "format": "d"}, scale={"nice": False, "padding": 14})  # fmt: skip
    y = quantity("y", label, axis={"format": form}, scale={"zero": True})
    tips = [tip("series", "of"), tip("x", "workers", "d"), tip("y", label, ".4~g"), tip("low", "from", ".4~g"), tip("high", "to", ".4~g"), tip("crowded", "cores")]  # fmt: skip
    drawn = [line | {"series": line["law"]} for line in lines]
    filled = {"condition": {"test": "datum.crowded == 'oversubscribed'", "value": "var(--paper)"}, **colour}
    spec = {
        "data": values(rows),
        "encoding": {"x": x, "color": colour},
        "layer": [
            {"data": values(drawn), "mark": {"type": "area", "opacity": 0.14}, "encoding": {"y": quantity("low", label), "y2": {"field": "high"}}},
            {"data": values(drawn), "mark": {"type": "line"}, "encoding": {"y": y}},
            {"mark": {"type": "rule", "strokeWidth": 1.5}, "encoding": {"y": quantity("low", label), "y2": {"field": "high"}}},
            {"mark": {"type": "point", "filled": False, "size": 70, "strokeWidth": 2, "opacity": 1}, "encoding": {"y": y, "fill": filled, "tooltip": tips}},
        ],
    }  # fmt: skip
    hollow = " Hollow: oversubscribed, more workers than cores." if any(row["crowded"] == "oversubscribed" for row in rows) else ""  # fmt: skip
    return Chart(title, spec, f"Bars: intervals of the medians; band: 95% of the fit.{hollow}", height=260)


def _point(row: dict[str, Any], field: str, series: str) -> dict[str, Any]:
    found = row[field]
    crowded = "oversubscribed" if row["oversubscribed"] else "one a worker"
    return {"series": series, "x": row["workers"], "y": found["median"], "low": found["low"], "high": found["high"], "crowded": crowded}  # fmt: skip


def _lines(figures_of: dict[str, Any], turn: Callable[[Any, Any, float], Any]) -> list[dict[str, Any]]:
    """The ideal and the fitted law at many worker counts, with the ends of its band."""
    rows, fit = figures_of["strong"]["rows"], figures_of["strong"]["amdahl"]
    alone, workers = rows[0]["seconds"]["median"], np.linspace(1, max(2, *(row["workers"] for row in rows)), 40)
    curves = {"ideal": (workers, workers, workers)}
    if fit:
        known: dict[str, Any] = {name: math.nan if value is None else value for name, value in fit.items()}
        curves["Amdahl's law"] = band(Amdahl(**known), workers)
    lines = []
    for law, ratios in curves.items():
        middle, *ends = (turn(ratio, workers, alone) for ratio in ratios)
        for x, y, one, other in zip(workers, middle, *ends, strict=True):
            lines.append({"law": law, "at": float(x), "y": float(y), "low": float(min(one, other)), "high": float(max(one, other))})  # fmt: skip
    return lines


def where(rows: list[dict[str, Any]]) -> Chart:
    """The shares of a generation's time, a bar a worker count."""
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
