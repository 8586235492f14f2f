"""What a run is judged by: the word that its metrics and result carry, its direction, and how sure a value is."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from nograd.core.intervals import student_interval, wilson_interval


class Measure(NamedTuple):
    """A number for each split; `train_accuracy`, `val_accuracy`, … in metrics and result."""

    name: str
    form: str  # of a value in text, as in format()
    what: str  # for a person
    units: str  # that it is the mean over
    floor: float | None  # that no value is below; None: there is none
    higher: bool = True  # whether more is better
    proportion: bool = False  # whether it is the share of units that are right: its error follows from its value

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

    def standard_error(self, value: float, count: int, error: float | None = None) -> float | None:
        """Of a value over `count` units: √(v(1 − v)/n) of a proportion, else the one that was measured."""
        return (max(value * (1 - value), 0.0) / count) ** 0.5 if self.proportion else error

    def interval(self, value: float, count: int, error: float | None = None) -> tuple[float, float] | None:
        """The 95% interval of a value over `count` units: Wilson's of a proportion, else Student's of its error.

        None where there is no error: a single unit has no scatter.
        """
        if self.proportion:
            return wilson_interval(value, count)
        return None if error is None else student_interval(value, error, count)

    def interval_text(self, value: float, count: int, error: float | None = None) -> str:
        """The same for a person; "" where there is none."""
        found = self.interval(value, count, error)
        return "" if found is None else f"{self.text(found[0])} to {self.text(found[1])}"


ACCURACY = Measure("accuracy", ".2%", "accuracy", "examples", 0.0, proportion=True)
RETURN = Measure("return", ",.2f", "return", "episodes", None)
R2 = Measure("r2", ".4f", "R²", "examples", None)
F1 = Measure("f1", ".4f", "F1", "examples", 0.0)
_KNOWN = {measure.name: measure for measure in (ACCURACY, RETURN, R2, F1)}


def measure_of(recorded: Mapping[str, Any]) -> Measure:
    """The measure of a run's config.json or of a study: in full, or one of ours by its name."""
    if "metric" in recorded:
        return Measure(**recorded["metric"])
    return _KNOWN[recorded.get("measure", ACCURACY.name)]
