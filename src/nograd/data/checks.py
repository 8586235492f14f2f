"""Checks of arrays before a training. Every error names the value and the remedy."""

from collections.abc import Callable, Sequence

import numpy as np

from nograd.core.types import DataError
from nograd.data.arrays import Array

_INT32_MAX = 2**31 - 1


def as_features(x: Array, what: str) -> Array:
    """`x` as uint8 (if it is) or float32 [examples, *features], every value finite.

    Args:
        x: an array of numbers. what: its name in messages, as "x_train of FILE".
    Raises:
        DataError: not numbers, no examples, no feature axis, NaN or infinite, or beyond float32.
    """
    if x.dtype.kind not in "buif":
        raise DataError(f"{what} must hold numbers, got type {x.dtype}; encode it as uint8 or float32")
    if x.ndim < 2:
        raise DataError(
            f"{what} must have shape [examples, features, ...], got {x.shape}; "
            "for one feature an example use x.reshape(-1, 1)"
        )
    if x.size == 0:
        raise DataError(f"{what} is empty, shape {x.shape}; give at least one example with one feature")
    if x.dtype == np.uint8:
        return x
    check_finite(x, what)
    with np.errstate(over="ignore"):
        single = x.astype(np.float32, copy=False)
    if x.dtype.itemsize > 4 and not np.isfinite(single).all():
        index = _first(~np.isfinite(single))
        raise DataError(f"{what} holds {x[index]} at index {index}, beyond float32 (3.4e38); rescale it")
    return single


def check_finite(x: Array, what: str) -> None:
    """Raises DataError if any value of `x` is NaN or infinite, with their number and the first index."""
    if x.dtype.kind != "f":
        return
    finite = np.isfinite(x)
    if not finite.all():
        count = int(x.size - finite.sum())
        values = "value" if count == 1 else "values"
        raise DataError(
            f"{what} has {count} NaN or infinite {values}, the first at index {_first(~finite)}; "
            "clean or impute them before training"
        )


def as_labels(y: Array, what: str, place: Callable[[int], str] = "row {}".format) -> Array:
    """`y` as int32 [examples], every label 0 or more.

    Args:
        y: the labels. what: their name in messages, as "labels y_train of FILE".
        place: turns an index into words, "row 17" by default.
    Raises:
        DataError: the labels are not one whole number per example, or one is below 0.
    """
    if y.ndim != 1:
        remedy = "y.reshape(-1)" if y.size == len(y) else "y.argmax(axis=1) if the rows are one-hot"
        raise DataError(f"{what} must have shape [examples], one label each, got {y.shape}; pass {remedy}")
    if y.dtype.kind in "USO":
        raise DataError(f"{what} must be whole numbers, got text (type {y.dtype}); map it to 0..k-1")
    if y.dtype.kind not in "bui":
        raise DataError(f"{what} must be whole numbers, got type {y.dtype}; pass y.astype('int32')")
    wrong = (y < 0) | (y > _INT32_MAX)
    if wrong.any():
        (row,) = _first(wrong)
        raise DataError(
            f"{what} must be 0..k-1, got {y[row]} (first at {place(row)}); "
            "subtract the smallest label or map them to 0..k-1"
        )
    return y.astype(np.int32)


def count_classes(labels: Sequence[Array], source: str) -> int:
    """k, for labels that are exactly 0..k-1 over all parts together.

    Raises:
        DataError: fewer than two classes, or a label between 0 and the largest that no example has.
    """
    present = np.unique(np.concatenate(labels))
    if len(present) == 1:
        raise DataError(f"every label of {source} is {present[0]}; classification needs at least two classes, 0 and 1")
    if present[0] > 0:
        raise DataError(f"labels of {source} must be 0..k-1, but they start at {present[0]}; {_mapped(present)}")
    gaps = np.flatnonzero(present != np.arange(len(present)))
    if gaps.size:
        raise DataError(
            f"labels of {source} must be 0..k-1, but no example has label {gaps[0]} and the largest is "
            f"{present[-1]}; map them to 0..{len(present) - 1}"
        )
    return len(present)


def _mapped(present: Array) -> str:
    """How labels that are not 0..k-1 become so."""
    if present[-1] - present[0] == len(present) - 1:
        return f"subtract {present[0]} from every label"
    return "pass np.unique(y, return_inverse=True)[1]"


def check_pair(x: Array, y: Array, part: str, source: str) -> None:
    """Raises DataError unless `x` and `y` of a part ("train", "val", "test") have equally many examples."""
    if len(x) != len(y):
        raise DataError(
            f"x_{part} of {source} has {len(x)} examples but y_{part} has {len(y)} labels; give one label an example"
        )


def check_alike(x_train: Array, x: Array, part: str, source: str) -> None:
    """Raises DataError unless the inputs of `part` have the example shape and the type of `x_train`."""
    if x.shape[1:] != x_train.shape[1:]:
        raise DataError(
            f"x_{part} of {source} has examples of shape {x.shape[1:]} but x_train has {x_train.shape[1:]}; "
            "give all parts the same features"
        )
    if x.dtype != x_train.dtype:
        # Pixels of 0..255 in one part and 0..1 in another would pass every other check and ruin the result.
        raise DataError(
            f"x_{part} of {source} is {x.dtype} but x_train is {x_train.dtype}; "
            "store all parts in the same type and unit"
        )


def _first(where: Array) -> tuple[int, ...]:
    """The index of the first true element."""
    return tuple(int(i) for i in np.unravel_index(int(where.argmax()), where.shape))
