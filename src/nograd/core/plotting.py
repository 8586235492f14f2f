"""Figures of Matplotlib without a screen: whatever backend the environment names, a picture is a PNG."""

import io
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure


def new_figure(width: float, height: float) -> "Figure":
    """An empty figure, of inches, that no window will show."""
    _import_matplotlib()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    # Figure and canvas by hand: pyplot would look for a screen and keep global state.
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def png(figure: "Figure", dots: int = 110) -> bytes:
    """The figure as a PNG file, of so many dots an inch."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dots)
    return buffer.getvalue()


def image_png(pixels: "np.ndarray", colours: str) -> bytes:
    """A PNG file of values 0..1, [height, width] in a colour map of Matplotlib's or [height, width, 3]."""
    _import_matplotlib()
    from matplotlib.image import imsave

    buffer = io.BytesIO()
    imsave(buffer, pixels, format="png", cmap=colours, vmin=0, vmax=1)
    return buffer.getvalue()


def _import_matplotlib() -> None:
    """Imports it although MPLBACKEND may name a backend that is not installed, as a notebook hands on to its shell."""
    if "matplotlib" in sys.modules:
        return
    named = os.environ.pop("MPLBACKEND", None)
    try:
        import matplotlib
    finally:
        if named is not None:
            os.environ["MPLBACKEND"] = named
    if named:
        with suppress(ValueError):  # what the import itself would have done, and failed
            matplotlib.rcParams["backend"] = named
