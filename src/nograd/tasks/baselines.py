"""Baselines that a network should beat: the most frequent class or the mean; and logistic or ridge regression."""

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from nograd.data import Dataset
from nograd.tasks.targets import Targets

# Examples × inputs × outputs of a logistic regression (100 passes over them), and examples × inputs² of a ridge: about
# two seconds each on one core.
_LOGISTIC, _RIDGE = 5_000_000, 1_000_000_000
_FEWEST = 2000  # examples: a fit to fewer of a larger split would say little of it


class Linear(NamedTuple):
    """A linear model by scikit-learn."""

    name: str  # for a person
    outputs: np.ndarray | None  # for the test split, as a network's; None where it was left out
    note: str  # which examples it was fitted to, or why it was left out


def constant_outputs(targets: Targets, y_train: np.ndarray, shape: tuple[int, int]) -> np.ndarray | None:
    """The outputs of a constant predictor: the share of each class or label in training, or the mean of the numbers.

    None for a kind of target of one's own.
    """
    if targets.word not in _KINDS:
        return None
    return np.broadcast_to(_KINDS[targets.word].constant(y_train, shape[1]), shape).astype(np.float64)


def linear_outputs(targets: Targets, dataset: Dataset) -> Linear | None:
    """Logistic regression (classes, labels) or ridge regression (numbers), with scikit-learn's own settings.

    It is fitted to the encoded training inputs, or to as many of them as take two seconds; for still larger data it is
    left out. None for a kind of target of one's own.
    """
    if targets.word not in _KINDS:
        return None
    kind = _KINDS[targets.word]
    rows, inputs = len(dataset.x_train), int(np.prod(dataset.x_train.shape[1:]))
    most = kind.most // max(kind.cost(inputs, targets.width(dataset)), 1)
    if most < min(rows, _FEWEST):
        return Linear(kind.name, None, f"left out: {rows:,} examples of {inputs:,} numbers would take too long")
    # Rows come in no order of their own but in splits by time, whose latest ones are the nearest to the test.
    x, y = _inputs(dataset, dataset.x_train[-most:]), dataset.y_train[-most:]
    # One thread: on products as small as these, two take six times as long, and the sums follow from their number.
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore")  # a fit that has not converged is a baseline, too
        outputs = kind.fitted(x, y, _inputs(dataset, dataset.x_test), targets.width(dataset))
    return Linear(kind.name, outputs, f"fitted to {'all' if most >= rows else 'the last'} {len(x):,} training examples")


def _inputs(dataset: Dataset, x: np.ndarray) -> np.ndarray:
    """The inputs as the network sees them, one row per example."""
    seen = (np.asarray(x, np.float64) - dataset.offset) * dataset.scale
    return seen.reshape(len(x), -1)


def _logistic(x: np.ndarray, y: np.ndarray, seen: np.ndarray, width: int) -> np.ndarray:
    """Log probabilities of the classes [examples, width]; a class without a training example has a very low one."""
    from sklearn.linear_model import LogisticRegression  # here and below: scikit-learn takes a second to import

    outputs = np.full((len(seen), width), -50.0)
    there = np.unique(y)
    if len(there) == 1:
        outputs[:, there] = 0.0
        return outputs
    outputs[:, there] = LogisticRegression(max_iter=200).fit(x, y).predict_log_proba(seen)
    return np.maximum(outputs, -50.0)


def _logistic_each(x: np.ndarray, y: np.ndarray, seen: np.ndarray, width: int) -> np.ndarray:
    """Log odds of each label [examples, labels]."""
    found = [_logistic(x, (label > 0.5).astype(int), seen, 2) for label in y.T]
    return np.stack([outputs[:, 1] - outputs[:, 0] for outputs in found], axis=1)


def _ridge(x: np.ndarray, y: np.ndarray, seen: np.ndarray, width: int) -> np.ndarray:
    from sklearn.linear_model import Ridge

    return np.asarray(Ridge().fit(x, y.reshape(len(y), -1)).predict(seen)).reshape(len(seen), width)


def _log_shares(y: np.ndarray, width: int) -> np.ndarray:
    return np.log(np.maximum(np.bincount(y, minlength=width), 1e-9) / len(y))


def _log_odds(y: np.ndarray, width: int) -> np.ndarray:
    shares = np.clip(y.mean(axis=0, dtype=np.float64), 1e-9, 1 - 1e-9)
    return np.log(shares / (1 - shares))


def _means(y: np.ndarray, width: int) -> np.ndarray:
    return y.reshape(len(y), -1).mean(axis=0, dtype=np.float64)


class _Kind(NamedTuple):
    """The baselines of one kind of target."""

    constant: Callable[[np.ndarray, int], np.ndarray]
    name: str
    fitted: Callable[[Any, Any, Any, int], np.ndarray]
    most: int
    cost: Callable[[int, int], int]  # of an example, from inputs and outputs


_KINDS = {
    "classes": _Kind(
        _log_shares, "logistic regression", _logistic, _LOGISTIC, lambda inputs, outputs: inputs * outputs
    ),
    "labels": _Kind(
        _log_odds, "logistic regression", _logistic_each, _LOGISTIC, lambda inputs, outputs: inputs * outputs
    ),
    "numbers": _Kind(_means, "ridge regression", _ridge, _RIDGE, lambda inputs, outputs: inputs**2),
}
