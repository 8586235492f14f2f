"""The display of a running search: a line per event, and a progress bar on a terminal."""

from collections.abc import Sequence

from rich.console import Console

from nograd.core.console import ProgressDisplay
from nograd.core.metrics import Measure
from nograd.core.text import duration
from nograd.tuning.study.records import Trial

_NAMED = 6  # settings of a trial in its line


class SearchDisplay(ProgressDisplay):
    """Lines above, and a bar of the budget or the trials below. Without a console it is silent."""

    def __init__(self, console: Console | None) -> None:
        super().__init__(console, total=1.0)

    def state(self, share: float, parts: Sequence[str], curve: list[float]) -> None:
        """Shows how a search stands.

        Args:
            share: of the budget, or of the trials, that is done, from 0 to 1.
            parts: what to say of it, the most important first.
            curve: the scores of the trials that have ended.
        """
        self.move(share, f"{share:.0%}", parts, curve)
        if self.due:
            self.line(", ".join(parts), state=True)


def trial_line(trial: Trial, measure: Measure) -> str:
    """One ended trial."""
    value = f"no validation {measure.what}" if trial.value is None else f"val {measure.text(trial.value)}"
    how = "" if trial.state == "complete" else f" {trial.state} ({trial.reason})"
    return f"trial {trial.number}:{how} {value}, {duration(trial.seconds or 0.0)}  {settings_text(trial.settings)}"


def settings_text(settings: dict[str, object], most: int | None = _NAMED) -> str:
    """The drawn settings in one line, `most` of them."""
    words = [f"{name}={value:g}" if isinstance(value, float) else f"{name}={value}" for name, value in settings.items()]
    return " ".join(words[:most]) + (" …" if most is not None and len(words) > most else "")
