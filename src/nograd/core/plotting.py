"""Matplotlib figures as PNG files, without a screen and whatever backend the environment names."""

import io
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from nograd.core.colours import PALETTE, SERIES

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Text


def new_figure(width: float, height: float) -> "Figure":
    """An empty figure of this size in inches, which no window shows."""
    _import_matplotlib()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    # Figure and canvas are made directly: pyplot would look for a screen and keep global state.
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    # A notebook calls this; without it only pyplot's figures are shown as pictures.
    figure._repr_png_ = partial(png, figure)  # type: ignore[attr-defined]
    return figure


def new_axes(figure: "Figure", rows: int, columns: int, **shared: Any) -> "list[Axes]":
    """Axes in rows and columns in the colours of all pages; `shared` goes to `Figure.subplots`."""
    found = list(figure.subplots(rows, columns, squeeze=False, **shared).flat)
    for axes in found:
        axes.set_prop_cycle(color=[colour.light for colour in SERIES])
        axes.set_axisbelow(True)
        axes.grid(color=PALETTE["grid"].light)
        axes.tick_params(color=PALETTE["faint"].light, labelcolor=PALETTE["quiet"].light)
        for label in (axes.xaxis.label, axes.yaxis.label):
            label.set_color(PALETTE["quiet"].light)
        for name, spine in axes.spines.items():
            spine.set_visible(name in ("left", "bottom"))
            spine.set_color(PALETTE["faint"].light)
    return found


def png(figure: "Figure", dots: int = 110) -> bytes:
    """The figure as the bytes of a PNG file with this many dots an inch."""
    buffer = io.BytesIO()
    for text in _words(figure):
        text.set_parse_math(False)  # a user's name between two $ is not a formula, and might not parse as one
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")  # characters that the font lacks are drawn as boxes
        figure.savefig(buffer, format="png", dpi=dots)
    return buffer.getvalue()


def _words(figure: "Figure") -> Iterator["Text"]:
    """All texts of a figure except the tick labels, which Matplotlib writes itself."""
    yield from figure.texts
    for axes in figure.axes:
        yield from (axes.title, axes.xaxis.label, axes.yaxis.label, *axes.texts)
        if (legend := axes.get_legend()) is not None:
            yield from legend.get_texts()


def image_png(pixels: "np.ndarray", colours: Sequence[str]) -> bytes:
    """A PNG file of values 0..1: RGB [height, width, 3], or [height, width] from the first colour to the last."""
    _import_matplotlib()
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.image import imsave

    buffer = io.BytesIO()
    scale = LinearSegmentedColormap.from_list("scale", list(colours))
    imsave(buffer, pixels, format="png", cmap=scale, vmin=0, vmax=1)
    return buffer.getvalue()


def _import_matplotlib() -> None:
    """Imports Matplotlib even if MPLBACKEND names a backend that is not installed, as in a shell under a notebook."""
    if "matplotlib" in sys.modules:
        return
    named = os.environ.pop("MPLBACKEND", None)
    try:
        import matplotlib
    finally:
        if named is not None:
            os.environ["MPLBACKEND"] = named
    if named:
        with suppress(ValueError):  # what the import would have done; it fails for an unknown backend
            matplotlib.rcParams["backend"] = named
