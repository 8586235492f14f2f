"""The score of a run: its name in metrics and results, whether higher is better, and its interval."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from nograd.core.intervals import student_interval, wilson_interval

LOSS = "val_loss"  # lower is better: decides between equal validation scores, if the task measures a loss


class Measure(NamedTuple):
    """A score. In metrics.jsonl and result.json its values are `train_NAME`, `val_NAME` and `test_NAME`."""

    name: str
    form: str  # the format of a value in text, as in format()
    what: str  # a description for a person
    units: str  # what it is the mean over, such as examples
    floor: float | None  # the lowest possible value; None: unbounded
    higher: bool = True  # whether higher is better
    proportion: bool = False  # whether it is a share of correct units; its standard error then follows from its value
    ceiling: float | None = None  # the highest possible value; None: unbounded

    @property
    def train(self) -> str:
        """The name of the score on the training split in metrics and results."""
        return f"train_{self.name}"

    @property
    def val(self) -> str:
        """The name of the score on the validation split in metrics and results."""
        return f"val_{self.name}"

    @property
    def test(self) -> str:
        """The name of the score on the test split in metrics and results."""
        return f"test_{self.name}"

    @property
    def error(self) -> str:
        """The name of the standard error of the validation score, which some tasks measure."""
        return f"{self.val}_error"

    def text(self, value: float | None) -> str:
        """A value as text for a person; a dash for None."""
        if value is None:
            return "–"
        said = format(value, self.form)
        # A small loss is 0.00, not -0.00.
        return said.removeprefix("-") if said.startswith("-") and not re.search("[1-9infa]", said) else said

    def better(self, value: float, than: float | None) -> bool:
        """Whether a value is better than another. Any value is better than None."""
        return than is None or (value > than if self.higher else value < than)

    def reached(self, value: float, target: float) -> bool:
        """Whether a value is at least as good as a target."""
        return value == target or self.better(value, target)

    def goodness(self, value: float) -> float:
        """The value with the sign that makes higher better, for `max` and for a search."""
        return value if self.higher else -value

    def best(self, values: Iterable[float]) -> float | None:
        """The best of the values; None if there are none."""
        return max(values, key=self.goodness, default=None)

    def worst(self, values: Iterable[float]) -> float | None:
        """The worst of the values; None if there are none."""
        return min(values, key=self.goodness, default=None)

    @property
    def least(self) -> float | None:
        """The worst possible value; None if there is no bound."""
        return self.floor if self.higher else self.ceiling

    def standard_error(self, value: float, count: int, error: float | None = None) -> float | None:
        """The standard error of a value v over n = `count` units: √(v(1 − v)/n) for a proportion, else `error`."""
        return (max(value * (1 - value), 0.0) / count) ** 0.5 if self.proportion else error

    def interval(self, value: float, count: int, error: float | None = None) -> tuple[float, float] | None:
        """The 95% interval of a value over `count` units: Wilson's for a proportion, else Student's with this error.

        None if there is no standard error: it cannot be measured on a single unit.
        """
        if self.proportion:
            return wilson_interval(value, count)
        if error is None:
            return None
        low, high = student_interval(value, error, count)
        low = low if self.floor is None else max(low, self.floor)
        return low, high if self.ceiling is None else min(high, self.ceiling)

    def interval_text(self, value: float, count: int, error: float | None = None) -> str:
        """The interval as text, such as "0.92 to 0.95"; "" if there is none."""
        found = self.interval(value, count, error)
        return "" if found is None else f"{self.text(found[0])} to {self.text(found[1])}"


ACCURACY = Measure("accuracy", ".2%", "accuracy", "examples", 0.0, proportion=True, ceiling=1.0)
RETURN = Measure("return", ",.2f", "return", "episodes", None)
R2 = Measure("r2", ".4f", "R²", "examples", None, ceiling=1.0)
F1 = Measure("f1", ".4f", "F1", "examples", 0.0, ceiling=1.0)
BALANCED_ACCURACY = Measure("balanced_accuracy", ".2%", "balanced accuracy", "examples", 0.0, ceiling=1.0)
AUC = Measure("auc", ".4f", "AUC", "examples", 0.0, ceiling=1.0)
LOG_LOSS = Measure("log_loss", ".4f", "log loss", "examples", 0.0, higher=False)
RMSE = Measure("rmse", ".5g", "RMSE", "examples", 0.0, higher=False)
MAE = Measure("mae", ".5g", "MAE", "examples", 0.0, higher=False)
_KNOWN = {measure.name: measure for measure in (ACCURACY, RETURN, R2, F1)}  # older records hold only the name


def measure_of(recorded: Mapping[str, Any]) -> Measure:
    """The measure that a run's config.json or a study records: all its fields, or the name of a built-in one."""
    if "metric" in recorded:
        return Measure(**recorded["metric"])
    return _KNOWN[recorded.get("measure", ACCURACY.name)]
