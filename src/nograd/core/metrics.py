"""What a run is judged by: the word that its metrics and result carry, and how a value is written."""

from collections.abc import Mapping
from typing import Any, NamedTuple


class Measure(NamedTuple):
    """A number for each split, higher is better; `train_accuracy`, `val_accuracy`, … in metrics and result."""

    name: str
    form: str  # of a value in text, as in format()
    what: str  # for a person
    units: str  # that it is the mean over
    floor: float | None  # that no value is below; None: there is none

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


ACCURACY = Measure("accuracy", ".2%", "accuracy", "examples", 0.0)
RETURN = Measure("return", ",.2f", "return", "episodes", None)
_KNOWN = {measure.name: measure for measure in (ACCURACY, RETURN)}


def measure_of(recorded: Mapping[str, Any]) -> Measure:
    """The measure that a run's config.json names."""
    return _KNOWN[recorded.get("measure", ACCURACY.name)]
