"""From a network's outputs to actions, in two steps: `chosen` is part of a program, `fitted` is done on the host.

What is chosen is one array: numbers from 0 for choices, real numbers for a box, all in one line for nested spaces. It
marks what follows from a NaN by a NaN, or by a negative choice. What is fitted is inside of its space, in its type.
Outputs are arrays of JAX or of NumPy, and so is what is chosen by them.
"""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from nograd.envs.spaces import Action, Leaf

_FAR = 1.7e38  # half of what float32 holds: a bound beyond it is none


def output_count(action: Action, bins: int | None) -> int:
    """Outputs that a policy needs: one a choice, or one a component of a box (one a bin where it is cut into bins)."""
    return sum(_width(leaf, bins) for leaf in action.parts)


def chosen(action: Action, bins: int | None, outputs: Float[Array, "*batch outputs"]) -> Array:
    """What is chosen, [*batch, *shape]: the largest output's choice; of a box the outputs, −1..1 scaled to its bounds.

    A component without both bounds is s + output, clipped to the bound that it has, with s the number nearest to 0
    inside of it. With bins, each component of a box is one of so many evenly spaced values between its bounds.
    """
    parts, batch, xp = action.parts, outputs.shape[:-1], _namespace(outputs)
    if action.kind != "nested":
        return _chosen(parts[0], bins, outputs).reshape(*batch, *action.shape)
    ends = np.cumsum([_width(leaf, bins) for leaf in parts])[:-1]
    pieces = zip(parts, xp.split(outputs, ends, axis=-1), strict=True)
    flat = [_chosen(leaf, bins, piece).astype(xp.float32) for leaf, piece in pieces]
    whole = xp.concatenate(flat, axis=-1)
    return xp.where((whole < 0) & _are_choices(action), xp.float32(xp.nan), whole)


def usable(chosen: np.ndarray) -> np.ndarray:
    """Which rows were chosen from outputs without NaN and infinity, bool [rows]."""
    rows = chosen.reshape(len(chosen), -1)
    sound: np.ndarray = np.isfinite(rows) if chosen.dtype.kind == "f" else rows >= 0
    return np.all(sound, axis=1)


def fitted(leaf: Leaf, chosen: np.ndarray) -> np.ndarray:
    """The chosen numbers as values of the space, in its type and inside its bounds, [*batch, *shape]."""
    batch = chosen.shape[: chosen.ndim - len(leaf.shape)]
    flat = chosen.reshape(*batch, leaf.size)
    if leaf.kind == "box":
        return _in_box(leaf, flat).reshape(chosen.shape)
    numbers = np.clip(np.nan_to_num(flat), 0, np.array(leaf.choices) - 1).astype(np.int64)
    return (numbers + np.array(leaf.starts, np.int64)).astype(leaf.dtype).reshape(chosen.shape)


def given(action: Action, chosen: np.ndarray) -> list[Any]:
    """Gymnasium's action for each row of the chosen numbers."""
    if action.kind == "nested":
        ends = np.cumsum([leaf.size for leaf in action.leaves])[:-1]
        flat = zip(action.leaves, np.split(chosen, ends, axis=-1), strict=True)
        columns = [_rows(leaf, part.reshape(-1, *leaf.shape)) for leaf, part in flat]
        paths = [leaf.path for leaf in action.leaves]
        return [_nested(paths, values) for values in zip(*columns, strict=True)]
    return _rows(action.parts[0], chosen)


def decoded(action: Action, bins: int | None, outputs: Float[Array, "*batch outputs"]) -> Any:
    """Actions of a network's outputs: an array [*batch, *shape], or a list of them where they are nested."""
    what = np.asarray(chosen(action, bins, outputs))
    return given(action, what) if action.kind == "nested" else fitted(action.parts[0], what)


def is_bounded(action: Action) -> np.ndarray:
    """Which components of its boxes have both bounds, [components]."""
    return np.concatenate([_range(leaf)[2] for leaf in action.parts if leaf.kind == "box"] or [np.zeros(0, bool)])


def is_continuous(action: Action) -> np.ndarray:
    """Which outputs are real numbers rather than choices, [outputs], where no box is cut into bins."""
    return np.concatenate([np.full(_width(leaf, None), leaf.kind == "box") for leaf in action.parts])


def _width(leaf: Leaf, bins: int | None) -> int:
    return leaf.size * (bins or 1) if leaf.kind == "box" else sum(leaf.choices)


def _are_choices(action: Action) -> np.ndarray:
    return np.concatenate([np.full(leaf.size, leaf.kind != "box") for leaf in action.parts])


def _namespace(outputs: Any) -> Any:
    return np if isinstance(outputs, np.ndarray) else jnp


def _chosen(leaf: Leaf, bins: int | None, outputs: Any) -> Any:
    """The chosen numbers for one space, [*batch, components]."""
    if leaf.kind == "box":
        return _binned(leaf, bins, outputs) if bins else _scaled(leaf, outputs)
    xp, ends = _namespace(outputs), np.cumsum(leaf.choices)[:-1]
    pieces = xp.split(outputs, ends, axis=-1)
    best = [xp.where(xp.isnan(piece).any(-1), -1, xp.argmax(piece, axis=-1)) for piece in pieces]
    return xp.stack(best, axis=-1).astype(xp.int32)


def _binned(leaf: Leaf, bins: int, outputs: Any) -> Any:
    (low, high, _), xp = _range(leaf), _namespace(outputs)
    each = outputs.reshape(*outputs.shape[:-1], -1, bins)
    value = low + (high - low) * xp.argmax(each, axis=-1) / (bins - 1)
    return xp.where(xp.isnan(each).any(-1), xp.nan, value)


def _scaled(leaf: Leaf, outputs: Any) -> Any:
    (low, high, bounded), xp = _range(leaf), _namespace(outputs)
    with np.errstate(invalid="ignore", over="ignore"):
        middle, half = (np.where(bounded, value, np.float32(0)) for value in ((low + high) / 2, (high - low) / 2))
    free = outputs
    if not (bounded | (np.isinf(low) & np.isinf(high))).all():
        free = xp.clip(np.clip(np.float32(0), low, high) + outputs, low, high)
    return xp.where(bounded, middle + half * xp.clip(outputs, -1.0, 1.0), free)


def _range(leaf: Leaf) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bounds of a box's components in float32, ±∞ where there is none, and which have both."""
    low = np.array([-np.inf if bound is None or abs(bound) > _FAR else bound for bound in leaf.low], np.float32)
    high = np.array([np.inf if bound is None or abs(bound) > _FAR else bound for bound in leaf.high], np.float32)
    return low, high, np.isfinite(low) & np.isfinite(high)


def _in_box(leaf: Leaf, flat: np.ndarray) -> np.ndarray:
    """Real numbers [*batch, components] in a box's own type and bounds; its number nearest to 0 for a NaN."""
    dtype = np.dtype(leaf.dtype)
    if dtype.kind != "f":
        return _in_integer_box(leaf, dtype, flat)
    low = np.array([-np.inf if bound is None else bound for bound in leaf.low], dtype)
    high = np.array([np.inf if bound is None else bound for bound in leaf.high], dtype)
    with np.errstate(over="ignore"):  # an infinity is clipped to the bound
        return np.clip(np.where(np.isnan(flat), 0, flat).astype(dtype), low, high)


def _in_integer_box(leaf: Leaf, dtype: np.dtype[Any], flat: np.ndarray) -> np.ndarray:
    """The nearest whole numbers. A float64 cannot hold all bounds of int64, so they are put in by themselves."""
    least, most = (0, 1) if dtype.kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    low = [least if bound is None else int(bound) for bound in leaf.low]
    high = [most if bound is None else int(bound) for bound in leaf.high]
    lowest, highest = np.array(low, np.float64), np.array(high, np.float64)
    wanted = np.clip(np.where(np.isnan(flat), 0, flat).astype(np.float64), lowest, highest)
    with np.errstate(invalid="ignore"):  # what is at a bound
        inner = np.rint(np.minimum(wanted, np.nextafter(highest, -np.inf))).astype(dtype)
    inner = np.where(wanted <= lowest, np.array(low, dtype), inner)
    return np.where(wanted >= highest, np.array(high, dtype), inner)


def _rows(leaf: Leaf, chosen: np.ndarray) -> list[Any]:
    values = fitted(leaf, chosen)
    return [int(value) for value in values] if leaf.kind == "discrete" else [np.array(value) for value in values]


def _nested(paths: list[tuple[str | int, ...]], values: tuple[Any, ...]) -> Any:
    """The dicts and tuples that hold these values at these paths."""
    if paths[0] == ():
        return values[0]
    inner: dict[str | int, tuple[list[Any], list[Any]]] = {}
    for (key, *rest), value in zip(paths, values, strict=True):
        below = inner.setdefault(key, ([], []))
        below[0].append(tuple(rest))
        below[1].append(value)
    built = {key: _nested(below[0], tuple(below[1])) for key, below in inner.items()}
    return tuple(built.values()) if isinstance(next(iter(built)), int) else built
