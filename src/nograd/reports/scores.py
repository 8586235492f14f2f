"""All metrics on the test split, beside those of a baseline that ignores the input."""

from collections.abc import Mapping
from typing import Any

from nograd.core.text import short
from nograd.reports.document import note
from nograd.reports.html import Markup, section
from nograd.reports.tables import Cell, Row, table

_WORDS = {"log_loss": "log loss", "balanced_accuracy": "balanced accuracy", "auc": "AUC", "f1": "F1", "r2": "R²"}
_BESIDE = {
    "metrics": "this run",
    "intervals": "95% interval",
    "baseline": "baseline",
    "linear_baseline": "linear model",
}


def scores_of(result: Mapping[str, Any]) -> Markup | None:
    """The table of the metrics in result.json; None if it has none."""
    measured = result.get("metrics")
    if not isinstance(measured, Mapping) or not measured:
        return None
    columns = [name for name in _BESIDE if isinstance(result.get(name), Mapping) and result[name]]
    rows: list[Row] = [
        [_WORDS.get(metric, str(metric)), *(Cell(_said(result[name].get(metric)), number=True) for name in columns)]
        for metric in measured
    ]
    linear = result.get("linear_baseline_model")
    said = "baseline: the most frequent class or the mean of the training examples, whatever the input"
    return section(
        "Scores on the test split",
        table(("metric", *(_BESIDE[name] for name in columns)), rows),
        note(f"{said}." if not linear else f"{said}. Linear model: {linear}."),
    )


def _said(value: Any) -> str:
    """A number, an interval, or a dash for None."""
    if isinstance(value, list | tuple):
        return " to ".join(_said(part) for part in value)
    return "–" if value is None else short(float(value))
