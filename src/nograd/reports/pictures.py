"""Examples and weights as small pictures in the page."""

import base64
from collections.abc import Iterable, Sequence
from typing import Any

import jax
import numpy as np

from nograd.core.colours import SERIES
from nograd.core.plotting import image_png
from nograd.core.types import Params
from nograd.reports.html import Child, Markup, tag

_UNITS = 32  # largest number of units whose weights are shown


def is_image(shape: Sequence[int]) -> bool:
    """Whether examples of this shape are pictures: [height, width] or [height, width, 1 or 3], not a single row."""
    return len(shape) in (2, 3) and min(shape[:2]) > 2 and (len(shape) == 2 or shape[2] in (1, 3))


def gallery(pictures: Iterable[tuple[str, str, Child]], small: bool = False) -> Markup:
    """Pictures in a grid; each is (data address, text for readers who cannot see it, caption)."""
    drawn = [
        tag("figure", tag("img", src=source, alt=alt), caption and tag("figcaption", caption))
        for source, alt, caption in pictures
    ]
    return tag("div", drawn, class_="pictures small" if small else "pictures")


def picture_of(example: np.ndarray, low: float, high: float) -> str:
    """A PNG of an example as a data address.

    Args:
        example: [height, width] or [height, width, channels].
        low: the value that is drawn black.
        high: the value that is drawn white.
    """
    unit = (np.asarray(example, np.float32) - low) / max(high - low, 1e-12)
    return _png(np.clip(unit, 0, 1), ("black", "white"))


def picture_of_weights(weights: np.ndarray) -> str:
    """A PNG of the weights of one unit as a data address: 0 is white, positive orange, negative blue."""
    unit = 0.5 + 0.5 * weights / max(float(np.abs(weights).max()), 1e-12)
    return _png(unit, (SERIES[0].light, "white", SERIES[1].light))


def first_layer(params: Params, shape: Sequence[int], most: int = _UNITS) -> np.ndarray | None:
    """The weights of the first layer, [units, height, width, …]; the units with the largest norms first.

    They are the first parameter of shape [pixels, units] or [units, pixels], or for a convolution [height, width,
    channels, units]. None if there is no such parameter, or the inputs are not images.
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


def _png(unit: np.ndarray, colours: Sequence[str]) -> str:
    """A PNG of values from 0 to 1 as a data address; a single channel goes from the first colour to the last."""
    image: Any = unit[..., 0] if unit.ndim == 3 and unit.shape[2] == 1 else unit
    return f"data:image/png;base64,{base64.b64encode(image_png(image, colours)).decode()}"
