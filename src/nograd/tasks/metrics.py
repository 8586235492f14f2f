"""The usual metrics of outputs, by scikit-learn, each with its standard error; their names are in `config.scores`.

To add one, write an object of `Scorer` and its line in the registry.
"""

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from nograd.config.registry import load
from nograd.config.scores import METRICS, kinds_said
from nograd.core.metrics import Measure
from nograd.core.text import did_you_mean
from nograd.core.types import ConfigError
from nograd.tasks import influence
from nograd.tasks.classification import softmax
from nograd.tasks.regression import Numbers, determination
from nograd.tasks.targets import Targets

# (targets, outputs float64 [examples, outputs], y [examples, ...]) -> a number, or None where it is not defined.
Score: TypeAlias = Callable[[Any, np.ndarray, np.ndarray], float | None]


class Scorer(NamedTuple):
    """How a metric is computed for one kind of target."""

    value: Score
    error: Score  # the standard error of the value over the examples; None: it follows from the value, or is not known
    cheap: bool = True  # whether the error takes no longer than the value


class Metric(NamedTuple):
    """A metric: its name, direction and format, and how it is computed."""

    measure: Measure
    scorer: Scorer

    def value(self, targets: Targets, outputs: np.ndarray, y: np.ndarray) -> float | None:
        """The value of outputs [examples, outputs]; None where one is not finite, or the metric is not defined."""
        return self._computed(self.scorer.value, targets, outputs, y)

    def error(self, targets: Targets, outputs: np.ndarray, y: np.ndarray) -> float | None:
        """The standard error of the value."""
        return self._computed(self.scorer.error, targets, outputs, y)

    def _computed(self, score: Score, targets: Targets, outputs: np.ndarray, y: np.ndarray) -> float | None:
        if not len(outputs) or not np.isfinite(outputs).all():
            return None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of classes that a small split does not have
            found = score(targets, outputs.astype(np.float64), y)
        return found if found is not None and np.isfinite(found) else None


def metrics_of(targets: Targets) -> dict[str, Metric]:
    """The metrics of a kind of target by their words; {} for a kind of one's own."""
    return {word: _metric(word, path) for word, path in METRICS.for_targets(targets.word).items()}


def _metric(word: str, path: str) -> Metric:
    measure = METRICS.entry(word).measure
    assert measure is not None, f"the metric {word} has no measure in the registry"
    return Metric(measure, load(path))


def named_metric(word: str, targets: Targets) -> Metric:
    """The metric of a word of the registry. Raises ConfigError where it is none of this kind of target."""
    known = metrics_of(targets)
    if word in known:
        return known[word]
    if word in METRICS.entries:
        raise ConfigError(
            f"--metric {word} is for {kinds_said(METRICS, word)}, and the targets are of another kind; "
            f"use {', '.join(known)}"
        )
    raise ConfigError(f"unknown metric {word!r}{did_you_mean(word, known)}; or module:function of your own")


def _of_examples(targets: Any, outputs: np.ndarray, y: np.ndarray) -> None:
    """The error of a share follows from its value."""


def _each(y: np.ndarray, width: int) -> np.ndarray:
    """bool [examples, classes]: where each class is the label's."""
    return y[:, None] == np.arange(width)


def _right(targets: Any, outputs: np.ndarray, y: np.ndarray) -> float:
    from sklearn.metrics import accuracy_score  # here and below: scikit-learn takes a second to import

    return float(accuracy_score(y, outputs.argmax(-1)))


def _recall(targets: Any, outputs: np.ndarray, y: np.ndarray) -> float:
    from sklearn.metrics import balanced_accuracy_score

    return float(balanced_accuracy_score(y, outputs.argmax(-1)))


def _recall_error(targets: Any, outputs: np.ndarray, y: np.ndarray) -> float | None:
    width = outputs.shape[-1]
    return influence.standard_error(influence.of_recalls(_each(y, width), _each(outputs.argmax(-1), width)))


def _f1(targets: Any, outputs: np.ndarray, y: np.ndarray) -> float:
    from sklearn.metrics import f1_score

    return float(f1_score(y, outputs.argmax(-1), average="macro", zero_division=0))


def _f1_error(targets: Any, outputs: np.ndarray, y: np.ndarray) -> float | None:
    true, found = (_each(values, outputs.shape[-1]) for values in (y, outputs.argmax(-1)))
    return influence.standard_error(influence.of_f1(true, found, (true | found).any(axis=0)))


def _log_loss(targets: Any, outputs: np.ndarray, y: np.ndarray) -> float:
    from sklearn.metrics import log_loss

    return float(log_loss(y, softmax(outputs), labels=np.arange(outputs.shape[-1])))


def _log_loss_error(targets: Any, outputs: np.ndarray, y: np.ndarray) -> float | None:
    share = softmax(outputs)[np.arange(len(y)), y]
    return influence.standard_error(-np.log(np.maximum(share, np.finfo(share.dtype).eps)))


def _auc(targets: Any, outputs: np.ndarray, y: np.ndarray) -> float | None:
    """Of several classes the mean of each against the rest; None where one is absent."""
    from sklearn.metrics import roc_auc_score

    shares, names = softmax(outputs), np.arange(outputs.shape[-1])
    if len(np.unique(y)) < len(names):
        return None
    if len(names) == 2:
        return float(roc_auc_score(y, shares[:, 1]))
    return float(roc_auc_score(y, shares, multi_class="ovr", average="macro", labels=names))


def _auc_error(targets: Any, outputs: np.ndarray, y: np.ndarray) -> float | None:
    shares, true = softmax(outputs), _each(y, outputs.shape[-1])
    if not true.any(axis=0).all():
        return None
    kept = slice(1, 2) if true.shape[1] == 2 else slice(None)
    return influence.standard_error(influence.of_auc(shares[:, kept], true[:, kept]))


def _r2(targets: Numbers, outputs: np.ndarray, y: np.ndarray) -> float | None:
    from sklearn.metrics import r2_score

    return float(r2_score(targets.decoded(y), targets.decoded(outputs))) if len(y) > 1 else None


def _r2_error(targets: Numbers, outputs: np.ndarray, y: np.ndarray) -> float | None:
    true = targets.decoded(y)
    return determination((targets.decoded(outputs) - true) ** 2, (true - true.mean(axis=0)) ** 2)[1]


def _rmse(targets: Numbers, outputs: np.ndarray, y: np.ndarray) -> float:
    from sklearn.metrics import root_mean_squared_error

    return float(root_mean_squared_error(targets.decoded(y), targets.decoded(outputs)))


def _rmse_error(targets: Numbers, outputs: np.ndarray, y: np.ndarray) -> float | None:
    return influence.standard_error(influence.of_rmse(targets.decoded(outputs) - targets.decoded(y)))


def _mae(targets: Numbers, outputs: np.ndarray, y: np.ndarray) -> float:
    from sklearn.metrics import mean_absolute_error

    return float(mean_absolute_error(targets.decoded(y), targets.decoded(outputs)))


def _mae_error(targets: Numbers, outputs: np.ndarray, y: np.ndarray) -> float | None:
    return influence.standard_error(np.abs(targets.decoded(outputs) - targets.decoded(y)).mean(axis=1))


def _f1_of_labels(targets: Any, outputs: np.ndarray, y: np.ndarray) -> float:
    from sklearn.metrics import f1_score

    return float(f1_score(y > 0.5, outputs > 0, average="macro", zero_division=0))


def _f1_of_labels_error(targets: Any, outputs: np.ndarray, y: np.ndarray) -> float | None:
    return influence.standard_error(influence.of_f1(y > 0.5, outputs > 0))


def _all_right(targets: Any, outputs: np.ndarray, y: np.ndarray) -> float:
    from sklearn.metrics import accuracy_score

    return float(accuracy_score(y > 0.5, outputs > 0))


def _auc_of_labels(targets: Any, outputs: np.ndarray, y: np.ndarray) -> float | None:
    """None where a label always applies or never."""
    from sklearn.metrics import roc_auc_score

    true = y > 0.5
    return float(roc_auc_score(true, outputs, average="macro")) if _both(true) else None


def _auc_of_labels_error(targets: Any, outputs: np.ndarray, y: np.ndarray) -> float | None:
    true = y > 0.5
    return influence.standard_error(influence.of_auc(outputs, true)) if _both(true) else None


def _both(true: np.ndarray) -> bool:
    return bool(true.any(axis=0).all() and not true.all(axis=0).any())


ACCURACY_OF_CLASSES = Scorer(_right, _of_examples)
BALANCED_ACCURACY = Scorer(_recall, _recall_error)
F1_OF_CLASSES = Scorer(_f1, _f1_error)
LOG_LOSS = Scorer(_log_loss, _log_loss_error)
AUC_OF_CLASSES = Scorer(_auc, _auc_error)
R2 = Scorer(_r2, _r2_error)
RMSE = Scorer(_rmse, _rmse_error)
MAE = Scorer(_mae, _mae_error)
F1_OF_LABELS = Scorer(_f1_of_labels, _f1_of_labels_error)
ACCURACY_OF_LABELS = Scorer(_all_right, _of_examples)
AUC_OF_LABELS = Scorer(_auc_of_labels, _auc_of_labels_error)
