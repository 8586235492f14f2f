"""Turns an environment's observation into the one array that a policy reads, on the host.

Box and MultiBinary spaces become float32. (Bytes stay bytes if the observation is a single space of bytes; beside other
spaces they are divided by 255.) Choices of Discrete and MultiDiscrete spaces, counted from `start`, become one-hot.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from nograd.core.types import EngineError
from nograd.envs.spaces import Leaf, Observation


def encoded(shown: Observation, rows: Sequence[Any], name: str) -> np.ndarray:
    """Observations, one for each row, as a policy gets them: [rows, *shown.shape] of `shown.dtype`.

    Raises:
        EngineError: an observation does not have the shape or the values of its space.
    """
    columns = []
    for leaf in shown.parts:
        arrays = [_array(leaf, _picked(row, leaf, name), name) for row in rows]
        columns.append(np.stack([_shaped(leaf, array, array.shape, name) for array in arrays]))
    return _joined(shown, columns, name)


def encoded_batch(shown: Observation, batch: Any, name: str) -> np.ndarray:
    """As `encoded`, for observations that are batched already: arrays with a leading axis, nested or not."""
    columns = []
    for leaf in shown.parts:
        column = _array(leaf, _picked(batch, leaf, name), name)
        if column[:1].size == leaf.size:  # EnvPool gives a scalar as [1]
            column = column.reshape(len(column), *leaf.shape)
        columns.append(_shaped(leaf, column, column.shape[1:], name))
    return _joined(shown, columns, name)


def are_several(shown: Observation, observation: Any, name: str) -> bool:
    """Whether these are observations of several environments, with a leading axis, by the first space of them."""
    leaf = shown.parts[0]
    return np.ndim(_array(leaf, _picked(observation, leaf, name), name)) > len(leaf.shape)


def finite(observations: np.ndarray) -> np.ndarray:
    """Which rows are finite, bool [rows]."""
    if observations.dtype == np.uint8:
        return np.ones(len(observations), bool)
    return np.isfinite(observations.reshape(len(observations), -1)).all(1)


def _joined(shown: Observation, columns: list[np.ndarray], name: str) -> np.ndarray:
    checked = [_checked(leaf, column, name) for leaf, column in zip(shown.parts, columns, strict=True)]
    with np.errstate(over="ignore", invalid="ignore"):  # too large for float32: infinite, which `finite` finds
        if not shown.leaves or shown.states:
            return checked[0].astype(shown.dtype, copy=False)
        parts = [_numbers(leaf, column) for leaf, column in zip(shown.parts, checked, strict=True)]
        return np.concatenate(parts, axis=1).reshape(-1, *shown.shape)


def _numbers(leaf: Leaf, column: np.ndarray) -> np.ndarray:
    """The numbers that a policy sees of a space, float32 [rows, width]."""
    flat = column.reshape(len(column), -1)
    if leaf.kind in ("box", "binary"):
        numbers = flat.astype(np.float32)
        return numbers / np.float32(255) if leaf.dtype == "uint8" and leaf.kind == "box" else numbers
    ones = [flat[:, at, None] == np.arange(count) for at, count in enumerate(leaf.choices)]
    return np.concatenate(ones, axis=1).astype(np.float32)


def _checked(leaf: Leaf, column: np.ndarray, name: str) -> np.ndarray:
    """The values of one space, choices counted from 0. Raises EngineError for values outside of the space."""
    if leaf.kind == "box":
        if leaf.dtype == "uint8" and column.dtype != np.uint8:
            _check_integers(leaf, column, np.zeros(leaf.shape), np.full(leaf.shape, 255), name)
        return column
    starts = np.array(leaf.starts, np.int64).reshape(leaf.shape)
    last = starts + np.array(leaf.choices, np.int64).reshape(leaf.shape) - 1
    _check_integers(leaf, column, starts, last, name)
    return column.astype(np.int64) - starts


def _check_integers(leaf: Leaf, column: np.ndarray, low: np.ndarray, high: np.ndarray, name: str) -> None:
    wrong = ~((column >= low) & (column <= high) & (column == np.floor(column)))
    if wrong.any():
        place = tuple(np.argwhere(wrong)[0])
        raise EngineError(
            f"{_which(leaf, name)} holds {column[place]}, and its observation_space says whole numbers from "
            f"{int(low[place[1:]])} to {int(high[place[1:]])}"
        )


def _picked(tree: Any, leaf: Leaf, name: str) -> Any:
    """The part of an observation that belongs to a leaf."""
    for key in leaf.path:
        try:
            tree = tree[key]
        except (KeyError, IndexError, TypeError):
            raise EngineError(
                f"an observation of {name} has no {leaf.label}, which its observation_space has"
            ) from None
    return tree


def _array(leaf: Leaf, value: Any, name: str) -> np.ndarray:
    """A value as an array of numbers. Raises EngineError if it is none."""
    try:
        array = np.asarray(value)
    except ValueError:  # rows of different lengths
        raise EngineError(f"{_which(leaf, name)} is no array: {str(value)[:40]}") from None
    if array.dtype.kind not in "fiub":
        raise EngineError(f"{_which(leaf, name)} is {str(value)[:40]!r}, and must be of numbers")
    return array


def _shaped(leaf: Leaf, array: np.ndarray, shape: tuple[int, ...], name: str) -> np.ndarray:
    """The array itself. Raises EngineError if its shape is not the one of the space."""
    if shape != leaf.shape:
        raise EngineError(
            f"{_which(leaf, name)} has the shape {list(shape)}, and its observation_space says {list(leaf.shape)}"
        )
    return array


def _which(leaf: Leaf, name: str) -> str:
    return f"an observation of {name}" + (f" at {leaf.label}" if leaf.path else "")
