"""The part of a run's page that needs the network and the data: mistakes, and weights of the first layer."""

from collections.abc import Sequence

import numpy as np

from nograd.core.text import percent, short
from nograd.core.types import NogradError
from nograd.reports.document import note
from nograd.reports.html import Markup, join, section, tag
from nograd.reports.pictures import first_layer, gallery, is_image, picture_of, picture_of_weights
from nograd.reports.predictions import Mistake, Predictions, predictions
from nograd.reports.tables import Cell, Row, table
from nograd.runs.run import Run
from nograd.tasks.examples import Split

_CLASSES = 26  # largest number of classes for which the whole confusion matrix is shown
_COLUMNS = 12  # shown columns of a row
_LISTED = 100  # largest number of classes in the table of precision and recall

_NAMES = {"train": "training", "val": "validation", "test": "test"}


def mistakes_of(run: Run, split: Split) -> Markup:
    """The mistakes of the network on a split, and its weights; if data or model are missing, a line that says why."""
    try:
        found, params = predictions(run, split), run.params
    except NogradError as error:
        return section("Mistakes", note(f"Not shown: {error}"))
    shape, columns = run.config["data"]["input_shape"], run.config["data"]["columns"]
    wrong = int(found.confusion.sum() - np.trace(found.confusion))
    said = f"{wrong:,} of {found.confusion.sum():,} {_NAMES[split]} examples are classified wrongly."
    weights = first_layer(params, shape)
    return join(
        [
            section(
                "Mistakes",
                note(said),
                confusion_table(found),
                by_class(found),
                most_confident(found, shape, columns),
            ),
            section("Weights of the first layer", _weights(weights)) if weights is not None else None,
        ]
    )


def confusion_table(found: Predictions) -> Markup:
    """The confusion matrix with shaded cells; for many classes a list of the most frequent confusions."""
    if len(found.confusion) > _CLASSES:
        return _frequent(found)
    heads = [tag("th", found.name(label), scope="col") for label in range(len(found.confusion))]
    rows = [_row(label, found.name(label), counts) for label, counts in enumerate(found.confusion)]
    head = tag("tr", tag("th", "true ╲ predicted", scope="col"), heads, tag("th", "right", scope="col"))
    drawn = tag("table", tag("thead", head), tag("tbody", rows), class_="confusion")
    return join([tag("h3", "Confusion matrix"), tag("div", drawn, class_="scroll", tabindex=0)])


def by_class(found: Predictions) -> Markup:
    """Precision (share of right predictions of a class), recall (share of its examples found) and F1 of each class."""
    right, taken, there = np.diag(found.confusion), found.confusion.sum(axis=0), found.confusion.sum(axis=1)
    rows: list[Row] = [
        [
            found.name(label),
            Cell(f"{there[label]:,}", number=True),
            *(
                Cell(f"{part / whole:.1%}" if whole else "–", number=True)
                for part, whole in (
                    (right[label], taken[label]),
                    (right[label], there[label]),
                    (2 * right[label], taken[label] + there[label]),
                )
            ),
        ]
        for label in range(min(len(right), _LISTED))
    ]
    more = len(right) - _LISTED
    return join(
        [
            tag("h3", "Precision and recall"),
            table(("class", "examples", "precision", "recall", "F1"), rows),
            note(f"{more:,} more classes are not shown.") if more > 0 else None,
        ]
    )


def _row(label: int, name: str, counts: np.ndarray) -> Markup:
    """A row of the confusion matrix: what the examples of one class were predicted as, and the share that is right."""
    total = max(int(counts.sum()), 1)
    cells = [_counted(counts, total, label, predicted) for predicted in range(len(counts))]
    return tag("tr", tag("th", name, scope="row"), cells, tag("td", f"{counts[label] / total:.1%}"))


def _counted(counts: np.ndarray, total: int, label: int, predicted: int) -> Markup:
    """A cell of the confusion matrix, shaded by its share of the row.

    Mistakes are shaded by the square root of their share; they would be too pale otherwise.
    """
    share = counts[predicted] / total
    shade = share if label == predicted else np.sqrt(share)
    kind = "right" if label == predicted else ("none" if not counts[predicted] else None)
    return tag("td", f"{counts[predicted]:,}", class_=kind, style=f"--share:{shade:.3f}")


def _frequent(found: Predictions) -> Markup:
    """A table of the most frequent confusions."""
    counted = found.confusion
    wrong = counted - np.diag(np.diag(counted))
    order = np.argsort(-wrong, axis=None, kind="stable")[:20]
    pairs = [divmod(int(place), len(wrong)) for place in order if wrong.flat[place]]
    rows: list[Row] = [
        [found.name(label), found.name(taken), Cell(f"{wrong[label, taken]:,}", number=True)] for label, taken in pairs
    ]
    return table(("true class", "predicted", "examples"), rows, caption="The most frequent confusions")


def most_confident(found: Predictions, shape: Sequence[int], columns: Sequence[str]) -> Markup:
    """The wrong predictions with the highest probability: as pictures, as rows of a table, or as a list."""
    if not found.mistakes:
        return Markup()
    head = tag("h3", "The most confident mistakes")
    if is_image(shape):
        values = np.stack([mistake.example for mistake in found.mistakes])
        low, high = float(values.min()), float(values.max())
        shown = ((picture_of(m.example, low, high), _said(found, m), _taken(found, m)) for m in found.mistakes)
        return join([head, gallery(shown)])
    return join([head, _as_rows(found, columns) if len(shape) == 1 else _as_list(found)])


def _taken(found: Predictions, mistake: Mistake) -> Markup:
    certainty = tag("span", percent(mistake.probability), class_="note")
    label, predicted = found.name(mistake.label), found.name(mistake.predicted)
    return join([tag("b", label), " taken for ", tag("b", predicted), tag("br"), certainty])


def _said(found: Predictions, mistake: Mistake) -> str:
    return f"example {mistake.number}: {found.name(mistake.label)} taken for {found.name(mistake.predicted)}"


def _as_list(found: Predictions) -> Markup:
    rows = [_facts(found, mistake) for mistake in found.mistakes]
    return table(("example", "class", "predicted", "probability"), rows)


def _as_rows(found: Predictions, columns: Sequence[str]) -> Markup:
    """Rows with the first columns of each example, from the user's file if that is still there."""
    if (file := found.rows) is not None:
        head = ("place", "class", "predicted", "probability", *file.columns)
        body: list[Row] = [[file.place(m.number), *_facts(found, m)[1:], *file.cells(m.number)] for m in found.mistakes]
        hidden = note(f"{file.hidden:,} more columns are not shown.") if file.hidden > 0 else None
        return join([table(head, body), hidden])
    width = len(found.mistakes[0].example)
    names = list(columns) if len(columns) == width else [str(place) for place in range(width)]
    rows = [
        [*_facts(found, m), *(Cell(short(float(value)), number=True) for value in m.example[:_COLUMNS])]
        for m in found.mistakes
    ]
    drawn = table(("example", "class", "predicted", "probability", *names[:_COLUMNS]), rows)
    more = len(names) - _COLUMNS
    return join([drawn, note(f"{more:,} more columns are not shown.") if more > 0 else None])


def _facts(found: Predictions, mistake: Mistake) -> list[Cell | str]:
    return [
        Cell(f"{mistake.number:,}", number=True),
        found.name(mistake.label),
        found.name(mistake.predicted),
        Cell(percent(mistake.probability), number=True),
    ]


def _weights(weights: np.ndarray) -> Markup:
    pictures = [(picture_of_weights(unit), f"weights into unit {place}", None) for place, unit in enumerate(weights)]
    said = f"The {len(weights)} units with the largest weights; orange is positive, blue negative, white 0."
    return join([gallery(pictures, small=True), note(said)])
