"""The search space of `minimize` from its arguments: the start `x0`, and bounds as in SciPy or as a tree."""

from typing import Any

import jax
import numpy as np

from nograd.core.trees import ROOT, leaf_names
from nograd.core.types import ConfigError, PyTree
from nograd.tasks.search_leaves import STEP, Choice, Integers, Reals, ranged
from nograd.tasks.search_space import Space


def space_of(x0: PyTree, bounds: Any, sigma: float | None) -> tuple[Space, float]:
    """The space around a start, and the standard deviation to begin with, in its coordinates.

    Where no sigma is given, it is a quarter of the range between two bounds, and 0.3 for elements without both.

    Args:
        x0: numbers, arrays, `integers` and `choice` in any tree; a list of numbers is an array, as in SciPy.
        bounds: None; a tuple (low, high), each a number, None or a tree like x0; for an array of shape [n] also a list
            of n pairs, or `scipy.optimize.Bounds`.

    Raises:
        ConfigError: the start is empty, not of real numbers, or outside of its bounds.
    """
    if isinstance(x0, list | tuple) and x0 and all(isinstance(one, int | float | np.number) for one in x0):
        x0 = np.asarray(x0, np.float64)
    leaves, structure = jax.tree.flatten(x0, is_leaf=lambda leaf: isinstance(leaf, Integers | Choice))
    if not leaves:
        raise ConfigError(f"x0 is empty: {x0!r}; give a number, an array, or a tree of them")
    names = tuple(leaf_names(jax.tree.unflatten(structure, [0.0] * len(leaves))))
    step = STEP if sigma is None else float(sigma)
    if not 0 < step < float("inf"):
        raise ConfigError(f"sigma must be a positive number, got {sigma}; try a quarter of the range of x")
    low, high = _pairs(bounds, leaves, structure)
    made = [
        leaf if isinstance(leaf, Integers | Choice) else _reals(leaf, name, low[place], high[place], sigma)
        for place, (leaf, name) in enumerate(zip(leaves, names, strict=True))
    ]
    return Space(tuple(made), structure, names), step


def _reals(leaf: Any, name: str, low: Any, high: Any, sigma: float | None) -> Reals:
    where = "x0" if name == ROOT else f"x0 {name}"
    try:
        start = np.asarray(leaf)
    except Exception:
        start = np.asarray(None)
    if start.dtype.kind not in "iuf" or start.size == 0:
        raise ConfigError(
            f"{where} must be real numbers, got {_shown(leaf)}; give floats; for others ng.integers, ng.choice"
        )
    if start.dtype.kind in "iu" and start.shape == () and not isinstance(leaf, np.ndarray):
        leaf = float(leaf)
    start = start.astype(np.float64)
    if not np.isfinite(start).all():
        raise ConfigError(f"{where} must be finite, got {_shown(leaf)}")
    try:
        low, high = (np.broadcast_to(np.asarray(side, np.float64), start.shape) for side in (low, high))
    except ValueError:
        raise ConfigError(f"bounds of {where} do not fit its shape {start.shape}") from None
    if not (low < high).all():
        at = np.argwhere(~(low < high))[0].tolist()
        raise ConfigError(f"bounds of {where}{at or ''} must have low below high, got {low[*at]} and {high[*at]}")
    if not ((low <= start) & (start <= high)).all():
        at = np.argwhere(~((low <= start) & (start <= high)))[0].tolist()
        raise ConfigError(
            f"{where}{at or ''} is {start[*at]}, outside of its bounds {low[*at]} to {high[*at]}; start inside"
        )
    between = np.isfinite(low) & np.isfinite(high)
    scale = (
        np.where(between, ranged(np.where(between, high - low, 1.0)), 1.0) if sigma is None else np.ones(start.shape)
    )
    return Reals(start, low, high, scale, isinstance(leaf, float | np.floating))


def _pairs(bounds: Any, leaves: list[Any], structure: Any) -> tuple[list[Any], list[Any]]:
    """Low and high of each leaf."""
    if bounds is None:
        return [-np.inf] * len(leaves), [np.inf] * len(leaves)
    if hasattr(bounds, "lb") and hasattr(bounds, "ub"):  # scipy.optimize.Bounds
        bounds = bounds.lb, bounds.ub
    elif _are_pairs(bounds, leaves):
        pairs = [(None, None) if pair is None else tuple(pair) for pair in bounds]
        bounds = tuple(np.array([_end(pair[side], sign) for pair in pairs]) for side, sign in ((0, -1), (1, 1)))
    try:
        low, high = bounds
    except (TypeError, ValueError):
        raise ConfigError(
            f"bounds must be (low, high), or a pair for each element of x0, got {_shown(bounds)}"
        ) from None
    return _side(low, -1, leaves, structure), _side(high, 1, leaves, structure)


def _are_pairs(bounds: Any, leaves: list[Any]) -> bool:
    """Whether these are SciPy's pairs for the elements of an array. Raises ConfigError where they could be both."""
    if len(leaves) != 1 or np.ndim(leaves[0]) != 1 or not isinstance(bounds, list | tuple | np.ndarray):
        return False
    n = len(leaves[0])
    paired = len(bounds) == n and all(pair is None or (np.ndim(pair) == 1 and len(pair) == 2) for pair in bounds)
    if not paired or n != 2 or not isinstance(bounds, tuple):
        return paired
    if all(isinstance(side, np.ndarray) for side in bounds):
        return False
    raise ConfigError(
        f"bounds {_shown(bounds)} of two elements can be read in two ways; give a list of pairs [(low, high), (low, "
        "high)], or two arrays (low, high)"
    )


def _side(side: Any, sign: int, leaves: list[Any], structure: Any) -> list[Any]:
    """The bound of each leaf, from one number for all or a tree like x0."""
    if side is None or np.isscalar(side):
        return [_end(side, sign)] * len(leaves)
    try:
        found = structure.flatten_up_to(side)
    except (ValueError, TypeError):
        raise ConfigError(f"bounds must be a number or a tree like x0, got {_shown(side)}") from None
    return [_end(each, sign) for each in found]


def _end(value: Any, sign: int) -> Any:
    """A bound; None stands for none."""
    if value is None:
        return sign * np.inf
    try:
        found = np.asarray(value, np.float64)
    except (TypeError, ValueError):
        raise ConfigError(f"bounds must be numbers or None, got {_shown(value)}") from None
    return np.where(np.isnan(found), sign * np.inf, found)


def _shown(value: Any) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) < 60 else f"{text[:57]}…"
