"""Charts: a Vega-Lite specification is drawn as a picture in the page; a script makes it interactive.

Colours are CSS variables of the page, so the same picture works on light and dark screens and on paper.
"""

from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any, NamedTuple, TypeAlias

from nograd.core.cache import user_cache, writable
from nograd.core.colours import SERIES
from nograd.core.metrics import Measure
from nograd.core.types import ConfigError, RunError
from nograd.reports.html import Markup, data_block, tag
from nograd.runs.files import write_atomically

Spec: TypeAlias = dict[str, Any]

COLOURS = tuple(f"var(--series-{place})" for place in range(len(SERIES)))
FAINT, INK = "var(--faint)", "var(--ink)"
WIDTH, WIDE = 480, 980  # width in pixels of a chart beside another, and of one that has a row alone
_GRAMMAR = "https://vega.github.io/schema/vega-lite/v6.json"


class Chart(NamedTuple):
    """A chart with its title, and a note for the reader."""

    title: str
    spec: Spec  # a single view or one with layers; width and height are added
    note: str = ""
    height: int = 240
    wide: bool = False
    brush: bool = False  # whether dragging along an axis selects lines; see page.js
    hover: tuple[Spec, ...] = ()  # layers that react to the pointer; they are not part of the picture


def require_library() -> None:
    """Raises ConfigError with the line that installs the chart library, if it is missing."""
    if find_spec("vl_convert") is None:
        raise ConfigError("a page needs the chart library (84 MB): pip install 'nograd[report]'")


def figure(chart: Chart) -> Markup:
    """The chart as a <figure>: title, picture, note, and the specification for the script."""
    spec = complete(chart)
    live = spec | {"layer": [*spec["layer"], *chart.hover]} if chart.hover else spec
    classes = "chart" + (" wide" if chart.wide else "")
    return tag(
        "figure",
        tag("figcaption", chart.title),
        tag("div", picture(spec, chart.title), class_="plot"),
        tag("p", chart.note, class_="note") if chart.note else None,
        data_block(live),
        class_=classes,
        data_brush="ranges" if chart.brush else None,
    )


def figures(*charts: Chart | None) -> Markup:
    """Charts in rows, as many side by side as fit."""
    return tag("div", [figure(chart) for chart in charts if chart], class_="charts")


def complete(chart: Chart) -> Spec:
    """The specification with the parts that all charts share."""
    size = {"width": WIDE if chart.wide else WIDTH, "height": chart.height}
    # "fit-x": the outer width is the given one, however much of it the labels take.
    fit = {"type": "fit-x", "contains": "padding"}
    return {"$schema": _GRAMMAR, "autosize": fit, **size, **chart.spec}


def picture(spec: Spec, title: str) -> Markup:
    """The chart as an SVG element that can be scaled to any width."""
    require_library()
    import vl_convert

    # No address may be loaded: the data are in the specification.
    svg = vl_convert.vegalite_to_svg(spec, config=configuration(), allowed_base_urls=[])
    start = svg.index(">")
    box = svg[svg.index("viewBox=") :].split('"')[1]
    width = box.split()[2]
    opening = tag("svg", viewBox=box, xmlns="http://www.w3.org/2000/svg", role="img", aria_label=title, width=width)
    return Markup(opening.removesuffix("</svg>") + svg[start + 1 :])


@cache
def library() -> str:
    """The JavaScript of Vega, Vega-Lite and Vega-Embed, bundled by the chart library.

    Bundling takes seconds, so the result is kept in the user's cache.
    """
    require_library()
    folder = user_cache("charts")
    kept = folder / f"vega-{version('vl-convert-python')}.js"
    if kept.is_file():
        return kept.read_text("utf-8")
    import vl_convert

    script = vl_convert.javascript_bundle(snippet="window.vegaEmbed = vegaEmbed;")
    if writable(folder):
        with suppress(RunError):  # on a full disk it is bundled again the next time
            write_atomically(kept, script.encode())
    return script


def configuration() -> Spec:
    """The style of all charts."""
    quiet = {"labelColor": "var(--quiet)", "titleColor": "var(--quiet)"}
    text = {"labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": "normal"}
    return {
        "background": None,
        "font": "system-ui, sans-serif",
        "padding": {"left": 10, "right": 6, "top": 4, "bottom": 4},  # a browser's font may be wider than was measured
        "view": {"stroke": None},
        "mark": {"color": COLOURS[0]},
        "axis": quiet
        | text
        | {"gridColor": "var(--grid)", "domain": False, "ticks": False, "labelPadding": 6, "titlePadding": 8}
        | {"labelOverlap": "greedy", "labelSeparation": 8},
        "axisX": {"grid": False, "domain": True, "domainColor": "var(--faint)", "tickCount": 6},
        "axisY": {"tickCount": 5},
        "legend": quiet
        | text
        | {"orient": "top", "title": None, "symbolStrokeWidth": 2, "columns": 3, "offset": 6}
        | {"symbolOpacity": 1, "labelLimit": 260},
        "text": {"fontSize": 12, "color": INK},
        "line": {"strokeWidth": 1.6},
        "range": {"category": list(COLOURS)},
    }


# Encodings ---------------------------------------------------------------------------------------------------


def values(rows: Sequence[dict[str, Any]]) -> Spec:
    """The data of a view."""
    return {"values": list(rows)}


def layer(mark: str, encoding: Spec, **look: Any) -> Spec:
    """One layer of a view: the kind of mark, its encodings and its style."""
    return {"mark": {"type": mark, **look}, "encoding": encoding}


def quantity(field: str, title: str | None = None, **more: Any) -> Spec:
    """A number along an axis. Keywords `scale` and `axis` go to Vega-Lite."""
    axis = more.pop("axis", {})
    return {"field": field, "type": "quantitative", "title": title, "axis": {"title": title, **axis}, **more}


def share(field: str, title: str, **more: Any) -> Spec:
    """A proportion along an axis in percent; the axis need not start at 0."""
    return quantity(field, title, axis={"format": "~%"}, **({"scale": {"zero": False}} | more))


def score(field: str, title: str, measure: Measure) -> Spec:
    """A score along an axis that need not start at 0; in percent if it is a proportion."""
    return share(field, title) if measure.proportion else quantity(field, title, scale={"zero": False})


def category(field: str, names: Sequence[str], colours: Sequence[str] = COLOURS, **more: Any) -> Spec:
    """A colour for each name, in this order, with a legend."""
    scale = {"domain": list(names), "range": [colours[place % len(colours)] for place in range(len(names))]}
    return {"field": field, "type": "nominal", "scale": scale, **more}


def tip(field: str, title: str, form: str | None = None) -> Spec:
    """A line of the box that is shown at the pointer."""
    kind = "nominal" if form is None else "quantitative"
    return {"field": field, "title": title, "type": kind, **({"format": form} if form else {})}
