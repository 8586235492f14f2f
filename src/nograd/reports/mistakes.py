"""The part of a run's page that needs its network and data: mistakes, and the weights of the first layer."""

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

_CLASSES = 26  # up to which the confusion matrix is shown whole
_COLUMNS = 12  # of a table's row
_LISTED = 100  # classes of the table of precision and recall

_NAMES = {"train": "training", "val": "validation", "test": "test"}


def mistakes_of(run: Run, split: Split) -> Markup:
    """What the network gets wrong on a split, and its weights; where that cannot be had, one line that says why."""
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
    """The confusion matrix, shaded; the most frequent confusions alone where there are many classes."""
    if len(found.confusion) > _CLASSES:
        return _frequent(found)
    heads = [tag("th", found.name(label), scope="col") for label in range(len(found.confusion))]
    rows = [_row(label, found.name(label), counts) for label, counts in enumerate(found.confusion)]
    head = tag("tr", tag("th", "true ╲ predicted", scope="col"), heads, tag("th", "right", scope="col"))
    drawn = tag("table", tag("thead", head), tag("tbody", rows), class_="confusion")
    return join([tag("h3", "Confusion matrix"), tag("div", drawn, class_="scroll", tabindex=0)])


def by_class(found: Predictions) -> Markup:
    """Precision (of those taken for a class), recall (of those that are it) and F1 of each class."""
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
    """What the examples of one class were taken for, and the share that is right."""
    total = max(int(counts.sum()), 1)
    cells = [_counted(counts, total, label, predicted) for predicted in range(len(counts))]
    return tag("tr", tag("th", name, scope="row"), cells, tag("td", f"{counts[label] / total:.1%}"))


def _counted(counts: np.ndarray, total: int, label: int, predicted: int) -> Markup:
    """A count on its share of the row as colour; mistakes, which are few, on the square root of theirs."""
    share = counts[predicted] / total
    shade = share if label == predicted else np.sqrt(share)
    kind = "right" if label == predicted else ("none" if not counts[predicted] else None)
    return tag("td", f"{counts[predicted]:,}", class_=kind, style=f"--share:{shade:.3f}")


def _frequent(found: Predictions) -> Markup:
    """The confusions that are most frequent, for many classes."""
    counted = found.confusion
    wrong = counted - np.diag(np.diag(counted))
    order = np.argsort(-wrong, axis=None, kind="stable")[:20]
    pairs = [divmod(int(place), len(wrong)) for place in order if wrong.flat[place]]
    rows: list[Row] = [
        [found.name(label), found.name(taken), Cell(f"{wrong[label, taken]:,}", number=True)] for label, taken in pairs
    ]
    return table(("true class", "predicted", "examples"), rows, caption="The most frequent confusions")


def most_confident(found: Predictions, shape: Sequence[int], columns: Sequence[str]) -> Markup:
    """The most confident mistakes: as pictures, as rows of a table, or by number."""
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
    """Table data: the first columns of each row, of the user's file where it is there."""
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
    said = f"The {len(weights)} units with the largest weights; red is positive, blue negative, white 0."
    return join([gallery(pictures, small=True), note(said)])
