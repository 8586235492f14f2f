"""The usual metrics, by scikit-learn, for the end of a training; beside those of a prediction without a model.

To add one, add a line to the function of its kind of target.
"""

import warnings
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from nograd.tasks.classification import Classes, softmax
from nograd.tasks.multilabel import Labels
from nograd.tasks.regression import Numbers
from nograd.tasks.targets import Targets

Metrics: TypeAlias = dict[str, float | None]


def final_metrics(targets: Targets, outputs: np.ndarray, y: np.ndarray, y_train: np.ndarray) -> dict[str, Metrics]:
    """The metrics of outputs [examples, outputs], and as `baseline` those of what knows the training targets alone.

    That is the share of each class or label, and the mean of numbers. None where a metric is not defined; {} for a
    kind of target of one's own.
    """
    if type(targets) not in _KINDS:
        return {}
    measured, constant = _KINDS[type(targets)]
    flat = np.broadcast_to(constant(y_train, outputs.shape[-1]), outputs.shape).astype(np.float64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of classes that a small split does not have
        return {
            "metrics": measured(targets, outputs.astype(np.float64), y) if np.isfinite(outputs).all() else {},
            "baseline": measured(targets, flat, y),
        }


def _of_classes(targets: Targets, outputs: np.ndarray, y: np.ndarray) -> Metrics:
    # Imported here: scikit-learn takes a second.
    from sklearn import metrics

    found, shares, names = outputs.argmax(-1), softmax(outputs), np.arange(outputs.shape[-1])
    return {
        "accuracy": float(metrics.accuracy_score(y, found)),
        "balanced_accuracy": float(metrics.balanced_accuracy_score(y, found)),
        "f1": float(metrics.f1_score(y, found, average="macro", zero_division=0)),
        "log_loss": float(metrics.log_loss(y, shares, labels=names)),
        "auc": _auc(y, shares, names),
    }


def _auc(y: np.ndarray, shares: np.ndarray, names: np.ndarray) -> float | None:
    """The area under the ROC curve, of several classes the mean of each against the rest; None where one is absent."""
    from sklearn.metrics import roc_auc_score

    if len(np.unique(y)) < len(names):
        return None
    if len(names) == 2:
        return float(roc_auc_score(y, shares[:, 1]))
    return float(roc_auc_score(y, shares, multi_class="ovr", average="macro", labels=names))


def _of_numbers(targets: Numbers, outputs: np.ndarray, y: np.ndarray) -> Metrics:
    from sklearn import metrics

    found, true = targets.decoded(outputs), targets.decoded(y)
    return {
        "r2": float(metrics.r2_score(true, found)) if len(true) > 1 else None,
        "rmse": float(metrics.root_mean_squared_error(true, found)),
        "mae": float(metrics.mean_absolute_error(true, found)),
    }


def _of_labels(targets: Targets, outputs: np.ndarray, y: np.ndarray) -> Metrics:
    from sklearn import metrics

    true, found = y.astype(int), (outputs > 0).astype(int)
    there = true.mean(axis=0).min() > 0 and true.mean(axis=0).max() < 1
    return {
        "f1": float(metrics.f1_score(true, found, average="macro", zero_division=0)),
        "accuracy": float(metrics.accuracy_score(true, found)),
        "auc": float(metrics.roc_auc_score(true, outputs, average="macro")) if there else None,
    }


def _log_shares(y: np.ndarray, width: int) -> np.ndarray:
    return np.log(np.maximum(np.bincount(y, minlength=width), 1e-9) / len(y))


def _log_odds(y: np.ndarray, width: int) -> np.ndarray:
    shares = np.clip(y.mean(axis=0, dtype=np.float64), 1e-9, 1 - 1e-9)
    return np.log(shares / (1 - shares))


def _means(y: np.ndarray, width: int) -> np.ndarray:
    return y.reshape(len(y), -1).mean(axis=0, dtype=np.float64)


_KINDS: dict[type, tuple[Callable[[Any, np.ndarray, np.ndarray], Metrics], Callable[[np.ndarray, int], np.ndarray]]] = {
    Classes: (_of_classes, _log_shares),
    Numbers: (_of_numbers, _means),
    Labels: (_of_labels, _log_odds),
}
