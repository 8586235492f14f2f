"""All metrics of a kind of target at the end of a training, with their intervals and beside those of the baselines."""

from typing import Any, TypeAlias

import numpy as np

from nograd.data import Dataset
from nograd.tasks.baselines import constant_outputs, linear_outputs
from nograd.tasks.metrics import Metric, metrics_of
from nograd.tasks.targets import Targets

Values: TypeAlias = dict[str, float | None]


def scored(metric: Metric, targets: Targets, outputs: np.ndarray, y: np.ndarray, sure: bool = True) -> Values:
    """The figures of a kind of target, the metric's value among them, and NAME_error, its standard error.

    Args:
        sure: whether the error is wanted where it costs as much as many values.
    """
    found, measure = dict(targets.figures(outputs, y)), metric.measure
    name, error = measure.name, f"{measure.name}_error"
    if measure != targets.measure:
        found[name] = metric.value(targets, outputs, y)
        found.pop(error, None)
    if not measure.proportion and error not in found and (sure or metric.scorer.cheap):
        found[error] = metric.error(targets, outputs, y)
    return found


def final_metrics(targets: Targets, outputs: np.ndarray, dataset: Dataset, known: Values) -> dict[str, Any]:
    """`metrics` of the test split's outputs by name, their 95% `intervals`, and the same metrics of two baselines.

    `baseline` knows the training targets alone (the share of each class or label, the mean of numbers);
    `linear_baseline` is a logistic or ridge regression, and {} where the data are too large for a few seconds of it.

    Args:
        targets: the kind of the targets.
        outputs: of the network, for the test split.
        dataset: the splits.
        known: metrics of these outputs by name, as `scored` gave them: another sum would differ in its last bits.
    """
    metrics, y = metrics_of(targets), dataset.y_test
    flat = constant_outputs(targets, dataset.y_train, (len(y), outputs.shape[-1]))
    linear = linear_outputs(targets, dataset)
    if flat is None or linear is None:
        return {}

    def values(of: np.ndarray) -> Values:
        return {name: metric.value(targets, of, y) for name, metric in metrics.items()}

    measured = {name: known.get(name, value) for name, value in values(outputs).items()}
    return {
        "metrics": measured,
        "intervals": {
            name: interval(metrics[name], targets, outputs, y) for name, value in measured.items() if value is not None
        },
        "baseline": values(flat),
        "linear_baseline": {} if linear.outputs is None else values(linear.outputs),
        "linear_baseline_model": f"{linear.name}, {linear.note}",
    }


def interval(metric: Metric, targets: Targets, outputs: np.ndarray, y: np.ndarray) -> list[float] | None:
    """The 95% interval of a metric; None where it is not known."""
    value = metric.value(targets, outputs, y)
    if value is None:
        return None
    found = metric.measure.interval(value, len(y), metric.error(targets, outputs, y))
    return None if found is None else list(found)
