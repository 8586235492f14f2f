"""The part of a page about predicted numbers: predicted against true, residuals, and the largest errors."""

import numpy as np

from nograd.core.text import short
from nograd.core.types import NogradError
from nograd.reports.charts import FAINT, Chart, figures, layer, quantity, tip, values
from nograd.reports.document import note
from nograd.reports.file_rows import FileRows, file_rows
from nograd.reports.html import Markup, join, section, tag
from nograd.reports.predictions import examples_of
from nograd.reports.tables import Cell, Row, table
from nograd.runs.run import Run
from nograd.tasks.examples import Split

_POINTS = 1500  # largest number of points in a chart; of more, an even selection is drawn
_LARGEST = 12  # number of errors that are listed
_TARGETS = 4  # number of targets that get a chart
_NAMES = {"train": "training", "val": "validation", "test": "test"}


def numbers_of(run: Run, split: Split) -> Markup:
    """The predictions for a split, in the unit of the data; if they cannot be computed, a line that says why."""
    try:
        dataset, x, y = examples_of(run, split)
        found, true = (_columns(run.task.predictions(values)) for values in (run.outputs(x), y))
        rows = file_rows(run, split, dataset)
    except NogradError as error:
        return section("Predictions", note(f"Not shown: {error}"))
    names = (run.config["data"].get("target") or {}).get("names") or [f"y{i}" for i in range(found.shape[1])]
    said = f"{len(true):,} {_NAMES[split]} examples, in the unit of the data. A perfect prediction lies on the line."
    drawn = [_charts(name, t, f) for name, t, f in list(zip(names, true.T, found.T, strict=True))[:_TARGETS]]
    more = len(names) - _TARGETS
    return section(
        "Predictions",
        note(said),
        *drawn,
        note(f"{more} more targets are not drawn.") if more > 0 else None,
        largest_errors(names, true, found, rows),
    )


def _columns(array: np.ndarray) -> np.ndarray:
    """[examples, targets], also for an array of shape [examples]."""
    return np.asarray(array, np.float64).reshape(len(array), -1)


def _charts(name: str, true: np.ndarray, found: np.ndarray) -> Markup:
    step = -(-len(true) // _POINTS)
    points = [
        {"true": float(t), "predicted": float(f), "residual": float(t - f)}
        for t, f in zip(true[::step], found[::step], strict=True)
        if np.isfinite(f)
    ]
    shown = np.concatenate([true, found[np.isfinite(found)]])
    low, high = float(shown.min()), float(shown.max())
    tips = [tip("true", "true", ".4~g"), tip("predicted", "predicted", ".4~g"), tip("residual", "residual", ".4~g")]
    flat = {"scale": {"zero": False}}

    def dots(field: str, across: str, up: str, title: str) -> dict[str, object]:
        x, y = quantity(field, across, **flat), quantity(up, title, **flat)
        return layer("point", {"x": x, "y": y, "tooltip": tips}, filled=True, size=22, opacity=0.6)

    # With titles like those of the dots: layers share their axes, and one without a title would remove it.
    ends = {"x": quantity("true", f"true {name}", **flat), "y": quantity("predicted", "predicted", **flat)}
    diagonal = layer("line", ends, color=FAINT)
    diagonal["data"] = values([{"true": low, "predicted": low}, {"true": high, "predicted": high}])
    zero = layer("rule", {"y": {"datum": 0}}, color=FAINT)
    against = {"data": values(points), "layer": [diagonal, dots("true", f"true {name}", "predicted", "predicted")]}
    left = {"data": values(points), "layer": [zero, dots("predicted", f"predicted {name}", "residual", "residual")]}
    return figures(
        Chart(f"{name}: predicted against true", against),
        Chart(f"{name}: residuals, true less predicted", left),
    )


def largest_errors(names: list[str], true: np.ndarray, found: np.ndarray, rows: FileRows | None) -> Markup:
    """A table of the examples with the largest errors, in standard deviations of their target."""
    error = np.nan_to_num(true - found, nan=np.inf)
    spread = true.std(axis=0)
    size = np.abs(error) / np.where(spread > 0, spread, 1.0)
    order = np.argsort(-size.max(axis=1), kind="stable")[:_LARGEST]
    body: list[Row] = []
    for example in order.tolist():
        worst = int(size[example].argmax())
        numbers = (true[example, worst], found[example, worst], error[example, worst])
        where = rows.place(example) if rows else f"{example:,}"
        body.append(
            [
                where,
                *([names[worst]] if len(names) > 1 else []),
                *(Cell(short(float(number)), number=True) for number in numbers),
                *(rows.cells(example) if rows else []),
            ]
        )
    head = ["place" if rows else "example", *(["target"] if len(names) > 1 else []), "true", "predicted", "error"]
    drawn = table([*head, *(rows.columns if rows else [])], body)
    more = note(f"{rows.hidden:,} more columns are not shown.") if rows and rows.hidden > 0 else None
    return join([tag("h3", "The largest errors"), drawn, more])
