"""Matplotlib figures as PNG files, without a screen and whatever backend the environment names."""

import io
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
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
    return figure


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


def image_png(pixels: "np.ndarray", colours: str) -> bytes:
    """A PNG file of values 0..1: [height, width], coloured by a Matplotlib colour map, or RGB [height, width, 3]."""
    _import_matplotlib()
    from matplotlib.image import imsave

    buffer = io.BytesIO()
    imsave(buffer, pixels, format="png", cmap=colours, vmin=0, vmax=1)
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
