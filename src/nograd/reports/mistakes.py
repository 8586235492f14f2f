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
            section("Mistakes", note(said), confusion_table(found), most_confident(found, shape, columns)),
            section("Weights of the first layer", _weights(weights)) if weights is not None else None,
        ]
    )


def confusion_table(found: Predictions) -> Markup:
    """The confusion matrix, shaded; the most frequent confusions alone where there are many classes."""
    if len(found.confusion) > _CLASSES:
        return _frequent(found.confusion)
    heads = [tag("th", str(label), scope="col") for label in range(len(found.confusion))]
    rows = [_row(label, counts) for label, counts in enumerate(found.confusion)]
    head = tag("tr", tag("th", "true ╲ predicted", scope="col"), heads, tag("th", "right", scope="col"))
    drawn = tag("table", tag("thead", head), tag("tbody", rows), class_="confusion")
    return join([tag("h3", "Confusion matrix"), tag("div", drawn, class_="scroll", tabindex=0)])


def _row(label: int, counts: np.ndarray) -> Markup:
    """What the examples of one class were taken for, and the share that is right."""
    total = max(int(counts.sum()), 1)
    cells = [_counted(counts, total, label, predicted) for predicted in range(len(counts))]
    return tag("tr", tag("th", label, scope="row"), cells, tag("td", f"{counts[label] / total:.1%}"))


def _counted(counts: np.ndarray, total: int, label: int, predicted: int) -> Markup:
    """A count on its share of the row as colour; mistakes, which are few, on the square root of theirs."""
    share = counts[predicted] / total
    shade = share if label == predicted else np.sqrt(share)
    kind = "right" if label == predicted else ("none" if not counts[predicted] else None)
    return tag("td", f"{counts[predicted]:,}", class_=kind, style=f"--share:{shade:.3f}")


def _frequent(counted: np.ndarray) -> Markup:
    """The confusions that are most frequent, for many classes."""
    wrong = counted - np.diag(np.diag(counted))
    order = np.argsort(-wrong, axis=None, kind="stable")[:20]
    pairs = [divmod(int(place), len(wrong)) for place in order if wrong.flat[place]]
    rows: list[Row] = [
        [str(label), str(taken), Cell(f"{wrong[label, taken]:,}", number=True)] for label, taken in pairs
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
        return join([head, gallery((picture_of(m.example, low, high), _said(m), _taken(m)) for m in found.mistakes)])
    return join([head, _as_rows(found.mistakes, columns) if len(shape) == 1 else _as_list(found.mistakes)])


def _taken(mistake: Mistake) -> Markup:
    certainty = tag("span", percent(mistake.probability), class_="note")
    return join([tag("b", mistake.label), " taken for ", tag("b", mistake.predicted), tag("br"), certainty])


def _said(mistake: Mistake) -> str:
    return f"example {mistake.number}: {mistake.label} taken for {mistake.predicted}"


def _as_list(mistakes: Sequence[Mistake]) -> Markup:
    rows = [_facts(mistake) for mistake in mistakes]
    return table(("example", "class", "predicted", "probability"), rows)


def _as_rows(mistakes: Sequence[Mistake], columns: Sequence[str]) -> Markup:
    """Table data: the first columns of each row."""
    names = list(columns or map(str, range(len(mistakes[0].example))))
    rows = [
        [*_facts(mistake), *(Cell(short(float(value)), number=True) for value in mistake.example[:_COLUMNS])]
        for mistake in mistakes
    ]
    drawn = table(("example", "class", "predicted", "probability", *names[:_COLUMNS]), rows)
    more = len(names) - _COLUMNS
    return join([drawn, note(f"{more:,} more columns are not shown.") if more > 0 else None])


def _facts(mistake: Mistake) -> list[Cell | str]:
    return [
        Cell(f"{mistake.number:,}", number=True),
        str(mistake.label),
        str(mistake.predicted),
        Cell(percent(mistake.probability), number=True),
    ]


def _weights(weights: np.ndarray) -> Markup:
    pictures = [(picture_of_weights(unit), f"weights into unit {place}", None) for place, unit in enumerate(weights)]
    said = f"The {len(weights)} units with the largest weights; red is positive, blue negative, white 0."
    return join([gallery(pictures, small=True), note(said)])
