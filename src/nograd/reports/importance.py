"""Permutation importance (Breiman 2001): how much the score drops when a column is shuffled among the examples."""

import hashlib
from typing import NamedTuple

import numpy as np

from nograd.core.types import NogradError
from nograd.data import ArrayEncoding, encoding_from_json
from nograd.reports.document import note
from nograd.reports.html import Markup, section
from nograd.reports.predictions import examples_of
from nograd.reports.tables import Cell, Row, table
from nograd.runs.run import Run
from nograd.tasks.examples import Split

_REPEATS = 5
_EXAMPLES = 2000  # the first examples of the split, which are used
_COLUMNS = 200  # tables with more columns would take minutes, and get no section
_SHOWN = 30


class Importance(NamedTuple):
    """The importance of one column."""

    column: str
    loss: float  # drop of the score, mean over the repeats; positive if the model needs the column
    deviation: float  # standard deviation over the repeats


def importance_of(run: Run, split: Split) -> Markup:
    """The section with the columns of a table by importance; empty if the run was not trained on a table."""
    recorded = run.config["data"].get("encoding")
    encoding = encoding_from_json(recorded) if recorded else None
    if encoding is None or isinstance(encoding, ArrayEncoding) or len(encoding.columns) > _COLUMNS:
        return Markup()
    try:
        _, x, y = examples_of(run, split)
        found = permutation_importance(run, x[:_EXAMPLES], y[:_EXAMPLES])
    except NogradError as error:
        return section("Importance of the columns", note(f"Not shown: {error}"))
    word = {"train": "training", "val": "validation", "test": "test"}[split]
    said = (
        f"How much worse the {run.measure.what} of {min(len(x), _EXAMPLES):,} {word} examples becomes when the values "
        f"of one column are shuffled among them: the mean of {_REPEATS} shuffles, with its standard deviation. If "
        "several columns carry the same information, each of them shows only a small loss."
    )
    rows: list[Row] = [
        [one.column, Cell(f"{one.loss:+.4f}", number=True), Cell(f"{one.deviation:.4f}", number=True)]
        for one in found[:_SHOWN]
    ]
    return section("Importance of the columns", note(said), table(("column", "loss", "deviation"), rows))


def permutation_importance(run: Run, x: np.ndarray, y: np.ndarray) -> list[Importance]:
    """The importance of each column of a table, the largest first.

    The shuffles follow from the names of the columns, so the result does not depend on their order.

    Args:
        run: a run that was trained on a table.
        x: encoded examples, [examples, features].
        y: their labels.
    """
    encoding = encoding_from_json(run.config["data"]["encoding"])
    assert not isinstance(encoding, ArrayEncoding), "a table has columns"
    whole, found, at = _score(run, x, y), [], 0
    for column in encoding.columns:
        width = len(column.features())
        losses = []
        for key in range(_REPEATS):
            mixed = x.copy()
            mixed[:, at : at + width] = x[_order(column.name, key, len(x)), at : at + width]
            losses.append(whole - _score(run, mixed, y))
        found.append(Importance(column.name, float(np.mean(losses)), float(np.std(losses))))
        at += width
    return sorted(found, key=lambda one: -one.loss)


def _score(run: Run, x: np.ndarray, y: np.ndarray) -> float:
    """The score, with a sign such that higher is better; 0 if it is not defined."""
    value = run.task.evaluate(run.params, "test", lambda: (x, y), None)[run.measure.name]
    return 0.0 if value is None else run.measure.goodness(value)


def _order(column: str, key: int, examples: int) -> np.ndarray:
    """A permutation of the examples that follows from the column's name and the repeat."""
    seed = int.from_bytes(hashlib.sha256(f"{key} {column}".encode()).digest()[:8], "little")
    return np.random.default_rng(seed).permutation(examples)
