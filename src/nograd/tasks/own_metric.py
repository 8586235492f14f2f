"""A metric of the user's own: a function (y_true, y_pred) -> a number, as in scikit-learn."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from nograd.config.scores import METRICS
from nograd.core.imports import import_object
from nograd.core.metrics import Measure
from nograd.core.types import ConfigError
from nograd.tasks.metrics import Metric, Scorer, metrics_of, named_metric
from nograd.tasks.targets import Targets

Takes = Literal["predict", "predict_proba", "outputs"]
_TAKES = ("predict", "predict_proba", "outputs")
_RESAMPLES, _MOST = 200, 2_000_000  # of the examples, and examples in all of them: a second or so


@dataclass(frozen=True)
class OwnMetric:
    """A function (y_true, y_pred) -> float; see `make_metric`."""

    function: Callable[[Any, Any], Any]
    response_method: Takes = "predict"
    greater_is_better: bool = True

    @property
    def name(self) -> str:
        """The function's name."""
        return getattr(self.function, "__name__", type(self.function).__name__).strip("<>") or "metric"

    def __call__(self, y_true: Any, y_pred: Any) -> Any:
        return self.function(y_true, y_pred)

    def metric(self) -> Metric:
        """The metric that a training uses."""
        measure = Measure(self.name, ".5g", self.name.replace("_", " "), "examples", None, self.greater_is_better)
        return Metric(measure, Scorer(self._value, self._error, cheap=False))

    def _value(self, targets: Targets, outputs: np.ndarray, y: np.ndarray) -> float | None:
        return self._of(_truth(targets, y), self._taken(targets, outputs))

    def _error(self, targets: Targets, outputs: np.ndarray, y: np.ndarray) -> float | None:
        """The standard deviation over resamples of the examples (Efron 1979), always the same ones."""
        true, taken, count = _truth(targets, y), self._taken(targets, outputs), len(y)
        times = min(_RESAMPLES, _MOST // max(count, 1))
        if count < 2 or times < 20:
            return None
        rows = np.random.default_rng(0).integers(0, count, (times, count))
        values = [value for row in rows if (value := self._of(true[row], taken[row])) is not None]
        return float(np.std(values, ddof=1)) if 2 * len(values) > times else None

    def _taken(self, targets: Targets, outputs: np.ndarray) -> np.ndarray:
        if self.response_method == "outputs":
            return outputs
        if self.response_method == "predict":
            return np.asarray(targets.predictions(outputs))
        probabilities = getattr(targets, "probabilities", None)
        if probabilities is None:
            raise ConfigError(
                f"the metric {self.name} takes probabilities, and targets that are {targets.word} have none; "
                'use response_method="predict"'
            )
        return np.asarray(probabilities(outputs))

    def _of(self, true: np.ndarray, taken: np.ndarray) -> float | None:
        try:
            value = self.function(true, taken)
            number = float(value)
        except Exception as error:
            told = str(error).strip().partition("\n")[0] or type(error).__name__
            raise ConfigError(f"the metric {self.name} fails on (y_true, y_pred): {told}") from error
        return number if np.isfinite(number) else None


def make_metric(
    function: Callable[[Any, Any], Any], *, response_method: Takes = "predict", greater_is_better: bool = True
) -> OwnMetric:
    """A metric from a function (y_true, y_pred) -> float, such as those of `sklearn.metrics`.

    Args:
        function: y_true [examples] are classes by their names, numbers in their unit, or labels of 0 and 1; both as
            `run.predict` gives them. With several targets or labels they are [examples, targets].
        response_method: what it takes as y_pred: "predict" (predictions), "predict_proba" (probabilities
            [examples, classes]) or "outputs" (of the network, as they are).
        greater_is_better: False for a loss or an error.

    Raises:
        ConfigError: `function` cannot be called, or there is no such `response_method`.
    """
    if not callable(function):
        raise ConfigError(f"a metric is a function (y_true, y_pred), got {type(function).__name__}")
    if response_method not in _TAKES:
        raise ConfigError(f"response_method cannot be {response_method!r}; choose one of {', '.join(_TAKES)}")
    return OwnMetric(function, response_method, greater_is_better)


def resolve_metric(word: str | None, own: Any, targets: Targets) -> Metric:
    """The metric that a network is chosen by.

    Args:
        word: of the registry, or module:function; None for that of the kind of target.
        own: a Python caller's function in its place, or None.
    """
    if own is not None:
        return _own(own)
    if word is None:
        return metrics_of(targets).get(targets.measure.name) or Metric(targets.measure, _figure(targets))
    if word.startswith("("):
        return _missing(word.strip("()"))
    if ":" in word:
        return _own(import_object(word, "metric", METRICS.words))
    return named_metric(word, targets)


def _own(found: Any) -> Metric:
    return (found if isinstance(found, OwnMetric) else make_metric(found)).metric()


def _missing(name: str) -> Metric:
    """A stand-in for a run's own metric where its function is not given; it raises an error when a value is needed."""

    def value(targets: Targets, outputs: np.ndarray, y: np.ndarray) -> float | None:
        raise ConfigError(
            f"the run was chosen by the metric {name}, a Python function; give it: nograd.load(path, metric=…), or "
            "nograd.train(resume=path, metric=…)"
        )

    return Metric(Measure(name, ".5g", name, "examples", None), Scorer(value, value, cheap=False))


def _figure(targets: Targets) -> Scorer:
    """Of a kind of target of one's own: its measure as `figures` has it."""
    name = targets.measure.name

    def value(kind: Targets, outputs: np.ndarray, y: np.ndarray) -> float | None:
        return kind.figures(outputs, y)[name]

    def error(kind: Targets, outputs: np.ndarray, y: np.ndarray) -> float | None:
        return kind.figures(outputs, y).get(f"{name}_error")

    return Scorer(value, error, cheap=False)


def _truth(targets: Targets, y: np.ndarray) -> np.ndarray:
    """Targets in the form of predictions; unchanged for a user's kind of target without `truth`."""
    truth = getattr(targets, "truth", None)
    return np.asarray(truth(y) if truth else y)
