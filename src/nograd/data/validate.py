"""Checks of a data set that the user made."""

import numpy as np

from nograd.core.types import DataError
from nograd.data.arrays import PARTS, Array
from nograd.data.checks import as_features, as_labels, check_alike, check_finite, check_pair, count_classes
from nograd.data.dataset import Dataset


def validate(dataset: Dataset, source: str | None = None) -> Dataset:
    """The same data set, once all of its checks have passed.

    Args:
        dataset: any data set, from a file or made from arrays.
        source: what messages call it, usually a path; by default its name.
    Raises:
        DataError: the first thing that is wrong, of shapes, types, finiteness and labels.
    """
    name = source or dataset.name
    for part in PARTS:
        x, y = getattr(dataset, f"x_{part}"), getattr(dataset, f"y_{part}")
        if as_features(x, f"x_{part} of {name}").dtype != x.dtype:
            raise DataError(f"x_{part} of {name} is {x.dtype}; convert it with x.astype('float32')")
        _check_labels(dataset, y, f"labels y_{part} of {name}")
        check_pair(x, y, part, name)
        check_alike(dataset.x_train, x, part, name)
    _check_scaling(dataset, name)
    if dataset.target is None:
        classes = count_classes([dataset.y_train, dataset.y_val, dataset.y_test], name)
        if classes != dataset.classes:
            raise DataError(f"{name} holds {classes} classes, not {dataset.classes}; set classes={classes}")
    elif dataset.target.outputs != dataset.classes:
        raise DataError(
            f"{name} has a target of {dataset.target.outputs} outputs, not {dataset.classes}; "
            f"set classes={dataset.target.outputs}"
        )
    return dataset


def _check_labels(dataset: Dataset, y: Array, what: str) -> None:
    """Raises DataError unless labels are as their problem has them."""
    if dataset.problem == "classification":
        labels = as_labels(y, what)
        if dataset.target is not None and labels.size and labels.max() >= dataset.classes:
            raise DataError(
                f"{what} go up to {labels.max()}, but there are {dataset.classes} classes, 0 to {dataset.classes - 1}; "
                "correct them, or name more classes"
            )
        return
    if y.shape != (len(y), dataset.classes):
        raise DataError(
            f"{what} must have shape [examples, {dataset.classes}], got {y.shape}; give one column a target"
        )
    check_finite(y, what)
    if dataset.problem == "multilabel" and not ((y == 0) | (y == 1)).all():
        raise DataError(f"{what} must be 0 and 1, got {y[(y != 0) & (y != 1)][0]}; give 1 where a label applies")


def _check_scaling(dataset: Dataset, name: str) -> None:
    """Raises DataError unless offset and scale are finite and fit the inputs."""
    shape = dataset.x_train.shape[1:]
    for field in ("offset", "scale"):
        value = np.asarray(getattr(dataset, field))
        check_finite(value, f"{field} of {name}")
        if value.shape not in ((), shape):
            raise DataError(
                f"{field} of {name} must have shape () or {shape}, got {value.shape}; give one number a feature"
            )
