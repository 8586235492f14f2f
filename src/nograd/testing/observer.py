"""Laws of an observer: it does not change a training, and can only end it."""

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nograd.runs.run import Run
from nograd.testing.laws import Law, laws_of, require
from nograd.training.from_python import train
from nograd.training.loop import Observer

_QUICK: dict[str, Any] = {
    "model": "mlp:4",
    "population": 8,
    "batch": 16,
    "generations": 4,
    "eval_every": 2,
    "engine": "inline",
}
_TIMES = ("seconds", "bytes_up", "bytes_down")


def observer_laws(make: Callable[[], Observer], stops: bool = False) -> list[Law]:
    """The laws of an observer, to be called one by one.

    Args:
        make: returns a new observer.
        stops: whether the observer ends the small training of the test before its 4 generations are done.
    """
    return laws_of((a_training_is_the_same_with_and_without_it,), make, stops)


def a_training_is_the_same_with_and_without_it(make: Callable[[], Observer], stops: bool) -> None:
    """The metrics are the same line by line until the observer ends the training; the run then has a result."""
    with tempfile.TemporaryDirectory() as folder:
        watched = train("digits", out=Path(folder, "watched"), observer=make(), **_QUICK)
        plain = train("digits", out=Path(folder, "plain"), **_QUICK)
        lines, wanted = _lines(watched), _lines(plain)
        require(bool(lines) and lines == wanted[: len(lines)], "the observer has changed the training")
        require((len(lines) < len(wanted)) == stops, f"the training ended after {len(lines)} of {len(wanted)}")
        reason = watched.result["stop_reason"]
        require((reason != "generations") == stops, f"the run stopped for {reason!r}")
        require(watched.result["generations"] == len(lines), "the result must be of the last generation")


def _lines(run: Run) -> list[str]:
    found = [{name: value for name, value in line.items() if name not in _TIMES} for line in run.metrics]
    return [json.dumps(line, sort_keys=True) for line in found]
