"""Weighted examples. Equal rows are merged and their weights added, so a weight of 2 is the same as a repeated row."""

from typing import NamedTuple

import numpy as np

_LARGEST = float(np.finfo(np.float32).max)


class Rows(NamedTuple):
    """Examples in an order that does not depend on the order in which they were given."""

    x: np.ndarray  # float64 [examples, features]
    y: np.ndarray  # float64 [examples, targets]
    weights: np.ndarray  # float64 [examples], above 0; their mean is 1

    @property
    def weighted(self) -> bool:
        """Whether the weights differ."""
        return bool((self.weights != self.weights[0]).any())


def merged_rows(x: np.ndarray, y: np.ndarray, weights: np.ndarray | None) -> Rows:
    """The distinct examples with the sums of their weights; examples of weight 0 are left out."""
    weights = np.ones(len(x)) if weights is None else weights
    there = weights > 0
    x, y, weights = x[there], y[there], weights[there]
    both = np.concatenate([y.reshape(len(y), -1), x], axis=1) + 0.0  # −0 and 0 are one value
    rows, which = np.unique(both, axis=0, return_inverse=True)
    summed = np.bincount(which.reshape(-1), weights, minlength=len(rows))
    width = both.shape[1] - x.shape[1]
    return Rows(rows[:, width:], rows[:, :width], summed * (len(summed) / summed.sum()))


class Scaling(NamedTuple):
    """(x − mean)/deviation of each column, in float64."""

    mean: np.ndarray
    deviation: np.ndarray

    def apply(self, x: np.ndarray) -> np.ndarray:
        """The scaled columns in float32, for the network."""
        return np.clip((x - self.mean) / self.deviation, -_LARGEST, _LARGEST).astype(np.float32)

    def undo(self, z: np.ndarray) -> np.ndarray:
        """The inverse of `apply`, in float64."""
        return z.astype(np.float64) * self.deviation + self.mean


def learn_scaling(columns: np.ndarray, weights: np.ndarray) -> Scaling:
    """The weighted mean and standard deviation of each column; for a constant column the deviation is 1."""
    mean = np.average(columns, axis=0, weights=weights)
    deviation = np.sqrt(np.average(np.square(columns - mean), axis=0, weights=weights))
    constant = (columns == columns[0]).all(axis=0) | ~(deviation > 0)
    return Scaling(np.where(constant, columns[0], mean), np.where(constant, 1.0, deviation))


def unscaled(columns: np.ndarray) -> Scaling:
    """A scaling that changes nothing."""
    return Scaling(np.zeros(columns.shape[1]), np.ones(columns.shape[1]))
