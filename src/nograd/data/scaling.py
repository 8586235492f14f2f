"""Scaling of arrays: the offset and the scale with which a network sees them."""

import numpy as np

from nograd.core.types import DataError
from nograd.data.arrays import Array

STANDARDIZE = ("auto", "none", "center", "standard")
_CHUNK = 8192  # examples turned to float64 at a time: a copy of all of MNIST would take 345 MB


def standardization(x_train: Array) -> tuple[Array, Array]:
    """offset = mean and scale = 1/standard deviation of each feature over the training examples.

    Returns:
        Two float32 arrays [*features]. A constant feature gets scale 1: it becomes 0, not infinity.
    """
    mean = x_train.mean(axis=0, dtype=np.float64)
    chunks = (x_train[start : start + _CHUNK] for start in range(0, len(x_train), _CHUNK))
    squares = sum(np.square(chunk - mean).sum(axis=0) for chunk in chunks)
    deviation = np.sqrt(np.asarray(squares) / len(x_train))
    # Compared, not subtracted: the rounded mean of a constant column leaves a deviation of 1e-17, not 0.
    # A deviation below the smallest normal float32 is constant as well: its inverse would be infinite.
    constant = (x_train.min(axis=0) == x_train.max(axis=0)) | (deviation < np.finfo(np.float32).tiny)
    scale = 1.0 / np.where(constant, 1.0, deviation)
    return mean.astype(np.float32), scale.astype(np.float32)


def scaling(x_train: Array, standardize: str, unit: float = 1.0) -> tuple[Array, Array]:
    """The (offset, scale) that `standardize` asks for.

    Args:
        x_train: training inputs [examples, *features].
        standardize: "auto" divides by `unit`, "none" leaves inputs as they are, "center" divides by `unit` and
            brings every feature to mean 0, "standard" to mean 0 and standard deviation 1.
        unit: the largest value an input can take, in its own units: 255 for 8-bit pixels.
    Raises:
        DataError: `standardize` is none of these.
    """
    check_standardize(standardize)
    if standardize == "standard":
        return standardization(x_train)
    factor = 1.0 if standardize == "none" else 1.0 / unit
    offset = x_train.mean(axis=0, dtype=np.float64) if standardize == "center" else 0.0
    return np.asarray(offset, np.float32), np.asarray(factor, np.float32)


def check_standardize(standardize: str) -> None:
    """Raises DataError unless `standardize` is one of `STANDARDIZE`."""
    if standardize not in STANDARDIZE:
        raise DataError(f"standardize must be one of {', '.join(STANDARDIZE)}, got {standardize!r}; use auto")
