"""From a network's outputs to actions, in two steps: `chosen` runs in a JAX program, `fitted` in NumPy on the host.

`chosen` returns one array: the numbers of choices, counted from 0, or real numbers for a box; nested spaces are joined
into one vector. An output that is NaN gives a NaN, or a negative choice. `fitted` returns values inside of the space,
in its dtype. `chosen` takes arrays of JAX or of NumPy, and returns the same kind.
"""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from nograd.envs.spaces import Action, Leaf

_FAR = 1.7e38  # half of the largest float32; a larger bound counts as unbounded


def output_count(action: Action, bins: int | None) -> int:
    """Outputs that a policy needs: one for each choice and each component of a box; with bins, one for each bin."""
    return sum(_width(leaf, bins) for leaf in action.parts)


def chosen(action: Action, bins: int | None, outputs: Float[Array, "*batch outputs"]) -> Array:
    """Actions [*batch, *shape]: of choices the one with the largest output; of a box the outputs, −1..1 scaled to its
    bounds.

    A component of a box that lacks a bound is s + output, clipped to the other bound, where s is the number of the
    box that is nearest to 0. With bins, each component is one of `bins` evenly spaced values between its bounds.
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
    """The actions for a network's outputs: an array [*batch, *shape], or a list of nested actions."""
    what = np.asarray(chosen(action, bins, outputs))
    return given(action, what) if action.kind == "nested" else fitted(action.parts[0], what)


def is_bounded(action: Action) -> np.ndarray:
    """Which components of an action's boxes have both bounds, bool [components]."""
    return np.concatenate([_range(leaf)[2] for leaf in action.parts if leaf.kind == "box"] or [np.zeros(0, bool)])


def is_continuous(action: Action) -> np.ndarray:
    """Which outputs are real numbers rather than choices, bool [outputs], if there are no bins."""
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
    """(low, high, whether both are finite) of a box's components in float32; ±∞ for a missing bound."""
    low = np.array([-np.inf if bound is None or abs(bound) > _FAR else bound for bound in leaf.low], np.float32)
    high = np.array([np.inf if bound is None or abs(bound) > _FAR else bound for bound in leaf.high], np.float32)
    return low, high, np.isfinite(low) & np.isfinite(high)


def _in_box(leaf: Leaf, flat: np.ndarray) -> np.ndarray:
    """Real numbers [*batch, components] in a box's dtype and bounds; a NaN becomes the box's number nearest to 0."""
    dtype = np.dtype(leaf.dtype)
    if dtype.kind != "f":
        return _in_integer_box(leaf, dtype, flat)
    low = np.array([-np.inf if bound is None else bound for bound in leaf.low], dtype)
    high = np.array([np.inf if bound is None else bound for bound in leaf.high], dtype)
    with np.errstate(over="ignore"):  # an infinity, which is clipped to the bound
        return np.clip(np.where(np.isnan(flat), 0, flat).astype(dtype), low, high)


def _in_integer_box(leaf: Leaf, dtype: np.dtype[Any], flat: np.ndarray) -> np.ndarray:
    """The nearest whole numbers. A float64 cannot hold all bounds of int64, so values at a bound are set separately."""
    least, most = (0, 1) if dtype.kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    low = [least if bound is None else int(bound) for bound in leaf.low]
    high = [most if bound is None else int(bound) for bound in leaf.high]
    lowest, highest = np.array(low, np.float64), np.array(high, np.float64)
    wanted = np.clip(np.where(np.isnan(flat), 0, flat).astype(np.float64), lowest, highest)
    with np.errstate(invalid="ignore"):  # values at a bound, which are replaced
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
