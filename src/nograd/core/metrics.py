"""The score of a run: its name in metrics and results, whether higher is better, and its interval."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from nograd.core.intervals import student_interval, wilson_interval

LOSS = "val_loss"  # lower is better: decides between equal scores on validation, where a task measures it


class Measure(NamedTuple):
    """A score. In metrics.jsonl and result.json its values are `train_NAME`, `val_NAME` and `test_NAME`."""

    name: str
    form: str  # of a value in text, as in format()
    what: str  # for a person
    units: str  # that it is the mean over
    floor: float | None  # that no value is below; None: there is none
    higher: bool = True  # whether more is better
    proportion: bool = False  # whether it is the share of units that are right: its error follows from its value
    ceiling: float | None = None  # that no value is above; None: there is none

    @property
    def train(self) -> str:
        return f"train_{self.name}"

    @property
    def val(self) -> str:
        return f"val_{self.name}"

    @property
    def test(self) -> str:
        return f"test_{self.name}"

    @property
    def error(self) -> str:
        """The standard error of the validation score over its units, where the task measures it."""
        return f"{self.val}_error"

    def text(self, value: float | None) -> str:
        """A value for a person; a dash for none."""
        return "–" if value is None else format(value, self.form)

    def better(self, value: float, than: float | None) -> bool:
        """Whether a value is better than another, or than none."""
        return than is None or (value > than if self.higher else value < than)

    def reached(self, value: float, target: float) -> bool:
        """Whether a value is as good as a target."""
        return value == target or self.better(value, target)

    def goodness(self, value: float) -> float:
        """The value with the sign that makes higher better: what `max` and a search go by."""
        return value if self.higher else -value

    def best(self, values: Iterable[float]) -> float | None:
        """The best of some values; None of none."""
        return max(values, key=self.goodness, default=None)

    def worst(self, values: Iterable[float]) -> float | None:
        """The worst of some values; None of none."""
        return min(values, key=self.goodness, default=None)

    @property
    def least(self) -> float | None:
        """The worst possible value; None if there is no bound."""
        return self.floor if self.higher else self.ceiling

    def standard_error(self, value: float, count: int, error: float | None = None) -> float | None:
        """Of a value over `count` units: √(v(1 − v)/n) of a proportion, else the one that was measured."""
        return (max(value * (1 - value), 0.0) / count) ** 0.5 if self.proportion else error

    def interval(self, value: float, count: int, error: float | None = None) -> tuple[float, float] | None:
        """The 95% interval of a value over `count` units: Wilson's of a proportion, else Student's of its error.

        None where there is no error: a single unit has no scatter.
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
_KNOWN = {measure.name: measure for measure in (ACCURACY, RETURN, R2, F1)}  # that older records name by their word


def measure_of(recorded: Mapping[str, Any]) -> Measure:
    """The measure that a run's config.json or a study records: all its fields, or the name of a built-in one."""
    if "metric" in recorded:
        return Measure(**recorded["metric"])
    return _KNOWN[recorded.get("measure", ACCURACY.name)]
