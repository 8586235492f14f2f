"""A data set in memory: its arrays, its fingerprint, its split and its scaling."""

import hashlib
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nograd.core.types import DataError

Array: TypeAlias = NDArray[Any]

_ARRAYS = ("x_train", "y_train", "x_val", "y_val", "x_test", "y_test", "offset", "scale")
STANDARDIZE = ("auto", "none", "center", "standard")
_CHUNK = 8192  # examples turned to float64 at a time: a copy of all of MNIST would take 345 MB


class Dataset(NamedTuple):
    """Labelled examples in three parts. Inputs stay as compact as they came until a batch is drawn."""

    name: str  # "mnist", "digits", or the stem of the file
    x_train: Array  # uint8 or float32 [examples, *features]
    y_train: Array  # int32 [examples], 0..classes-1
    x_val: Array
    y_val: Array
    x_test: Array
    y_test: Array
    classes: int
    offset: Array  # float32, () or [*features]: the model sees (x - offset) * scale
    scale: Array  # float32, () or [*features]
    columns: tuple[str, ...]  # the feature columns of a CSV file, in order; () otherwise
    note: str  # where the data came from and the sizes of its parts, in one line


def checksum(dataset: Dataset) -> str:
    """SHA-256 (64 hex digits) of what a training run sees: every array, the class count and the columns.

    The name and the note are left out, so a file that was moved or renamed keeps its checksum.
    """
    digest = hashlib.sha256(repr((dataset.classes, dataset.columns)).encode())
    for name in _ARRAYS:
        array = np.asarray(getattr(dataset, name))
        # Little-endian on every machine, so that the same data give the same digits everywhere.
        flat = np.ascontiguousarray(array.astype(array.dtype.newbyteorder("<"), copy=False)).reshape(-1)
        digest.update(f"{name} {array.shape} {array.dtype.name};".encode())
        digest.update(flat.view(np.uint8).data)
    return digest.hexdigest()


def split(
    x: Array,
    y: Array,
    seed: int,
    fractions: Sequence[float] = (0.8, 0.1, 0.1),
    source: str = "the data set",
) -> list[tuple[Array, Array]]:
    """Deal the examples at random into one (x, y) pair for each fraction; equal seeds deal equally.

    Args:
        x: inputs [examples, *features]; y: labels [examples].
        seed: 0 or more.
        fractions: shares of the parts, training first. Every part after the first gets its share rounded,
            and at least one example; the first gets all the others.
        source: what messages call the data, usually a path.
    Raises:
        DataError: too few examples for the parts, or a negative seed.
    """
    if seed < 0:
        raise DataError(f"the seed of a split must be 0 or more, got {seed}; use --seed 0, 1, 2 …")
    sizes = [max(1, round(share * len(x))) for share in fractions[1:]]
    if sum(sizes) >= len(x):
        raise DataError(
            f"{source} has {len(x)} examples, too few to split into {len(fractions)} parts; "
            f"give at least {len(sizes) + 1}"
        )
    order = np.random.default_rng(seed).permutation(len(x))
    bounds = np.cumsum([len(x) - sum(sizes), *sizes])[:-1]
    return [(x[part], y[part]) for part in np.split(order, bounds)]


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


def sizes_note(source: str, n_train: int, n_val: int, n_test: int) -> str:
    """The one line of `Dataset.note`: the source, then the numbers of examples."""
    return f"{source}: {n_train:,} training, {n_val:,} validation and {n_test:,} test examples"
