"""Examples and weights as small pictures, inside of the page."""

import base64
from collections.abc import Iterable, Sequence
from typing import Any

import jax
import numpy as np

from nograd.core.plotting import image_png
from nograd.core.types import Params
from nograd.reports.html import Child, Markup, tag

_UNITS = 32  # pictures of weights


def is_image(shape: Sequence[int]) -> bool:
    """Whether examples of this shape are pictures: [height, width] or [height, width, 1 or 3], not a single row."""
    return len(shape) in (2, 3) and min(shape[:2]) > 2 and (len(shape) == 2 or shape[2] in (1, 3))


def gallery(pictures: Iterable[tuple[str, str, Child]], small: bool = False) -> Markup:
    """Pictures in a grid: (data address, text in its place, caption)."""
    drawn = [
        tag("figure", tag("img", src=source, alt=alt), caption and tag("figcaption", caption))
        for source, alt, caption in pictures
    ]
    return tag("div", drawn, class_="pictures small" if small else "pictures")


def picture_of(example: np.ndarray, low: float, high: float) -> str:
    """The data address of a PNG of an example, [height, width] or [height, width, channels]; low..high is the range."""
    unit = (np.asarray(example, np.float32) - low) / max(high - low, 1e-12)
    return _png(np.clip(unit, 0, 1), "gray")


def picture_of_weights(weights: np.ndarray) -> str:
    """The data address of a PNG of the weights into one unit: white is 0, red positive, blue negative."""
    unit = 0.5 + 0.5 * weights / max(float(np.abs(weights).max()), 1e-12)
    return _png(unit, "RdBu_r")


def first_layer(params: Params, shape: Sequence[int], most: int = _UNITS) -> np.ndarray | None:
    """The weights into the first units that see pixels, [units, height, width, …], the largest norms first.

    They are the first parameter of the shape [pixels, units] or [units, pixels], or [height, width, channels, units]
    of a convolution. None where there is none.
    """
    if not is_image(shape):
        return None
    for leaf in map(np.asarray, jax.tree.leaves(params)):
        if (units := _units(leaf, tuple(shape))) is not None:
            norms = np.linalg.norm(units.reshape(len(units), -1), axis=1)
            return units[np.argsort(-norms, kind="stable")[:most]]
    return None


def _units(leaf: np.ndarray, shape: tuple[int, ...]) -> np.ndarray | None:
    pixels, channels = int(np.prod(shape)), (*shape, 1)[2]
    if leaf.ndim == 2 and leaf.shape[0] == pixels:
        return leaf.T.reshape(-1, *shape)
    if leaf.ndim == 2 and leaf.shape[1] == pixels:
        return leaf.reshape(-1, *shape)
    if leaf.ndim == 4 and leaf.shape[2] == channels in (1, 3) and 2 < min(leaf.shape[:2]) <= max(leaf.shape[:2]) <= 15:
        return np.moveaxis(leaf, 3, 0)
    return None


def _png(unit: np.ndarray, colours: str) -> str:
    """A PNG of values 0..1 as a data address; of a single channel in a colour map."""
    image: Any = unit[..., 0] if unit.ndim == 3 and unit.shape[2] == 1 else unit
    return f"data:image/png;base64,{base64.b64encode(image_png(image, colours)).decode()}"
