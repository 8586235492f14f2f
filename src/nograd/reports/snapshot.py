"""A run at one moment, read from disk once; its page and comparisons are made of this."""

from typing import Any, NamedTuple

from nograd.core.text import duration
from nograd.reports.curves import Trace
from nograd.reports.document import badge
from nograd.reports.html import Markup
from nograd.runs.run import Run


class Snapshot(NamedTuple):
    """What a run's files hold at one moment."""

    run: Run
    name: str
    metrics: list[dict[str, Any]]
    result: dict[str, Any]  # content of result.json; empty while the run is not finished
    best: dict[str, Any]  # metrics of the generation with the best validation score; empty before the first evaluation

    @property
    def last(self) -> dict[str, Any]:
        """The metrics of the last generation; empty before the first."""
        return self.metrics[-1] if self.metrics else {}

    @property
    def generations(self) -> int:
        """Number of generations done."""
        return int(self.last.get("generation", 0))

    @property
    def seconds(self) -> float:
        """Training time so far, in seconds."""
        return float(self.last.get("seconds", 0.0))

    @property
    def evaluations(self) -> int:
        """Evaluations so far."""
        return int(self.last.get("evaluations", 0))

    @property
    def trace(self) -> Trace:
        """The metrics for the charts of curves."""
        return Trace(self.name, self.metrics, self.best.get("generation"), self.run.measure)


def snapshot(run: Run, name: str | None = None) -> Snapshot:
    """Reads a run. A result.json from before a resumption is ignored."""
    metrics, result = run.metrics, run.result
    last = metrics[-1]["generation"] if metrics else 0
    measured = [line for line in metrics if line.get(run.measure.val) is not None]
    best: dict[str, Any] = max(measured, key=lambda line: run.measure.goodness(line[run.measure.val]), default={})
    ended = result if result and result["generations"] >= last else {}
    return Snapshot(run, name or run.path.resolve().name, metrics, ended, best)


def unfinished() -> Markup:
    """The badge of a run that is still running, or was killed."""
    return badge("not finished", "busy")


def interval_said(now: Snapshot, split: str) -> str:
    """The 95% interval of the test score, or of the best validation score, as text; a dash if it is not known."""
    measure = now.run.measure
    if split == "test":
        found = now.result.get("test_interval")
        if found:
            return f"{measure.text(found[0])} to {measure.text(found[1])}"
        value, error = now.result.get(measure.test), None
    else:
        value, error = now.best.get(measure.val), now.best.get(measure.error)
    return "–" if value is None else measure.interval_text(value, now.run.shown.units[split], error) or "–"


def rate(now: Snapshot) -> str:
    """Evaluations per second of training, as text."""
    return f"{now.evaluations / now.seconds:,.0f}" if now.seconds else "–"


def spent(now: Snapshot) -> str:
    """The training time, as text."""
    return duration(now.seconds) if now.seconds >= 60 else f"{now.seconds:.1f} s"
