"""What a run's network predicts wrongly: the confusion matrix and the most confident mistakes."""

from typing import NamedTuple

import numpy as np

from nograd.core.types import DataError
from nograd.data import Dataset, find_mnist
from nograd.reports.file_rows import FileRows, file_rows
from nograd.runs.run import Run
from nograd.tasks.classification import softmax
from nograd.tasks.examples import Split, split_arrays

MISTAKES = 24


class Mistake(NamedTuple):
    """One example whose predicted class is wrong."""

    number: int  # index of the example in its split
    label: int
    predicted: int
    probability: float  # of the predicted class, by softmax
    example: np.ndarray  # as the data set stores it


class Predictions(NamedTuple):
    """The predicted classes of the examples of a split."""

    split: Split
    confusion: np.ndarray  # int [true class, predicted class]
    mistakes: list[Mistake]  # the most confident first
    names: tuple[str, ...] = ()  # names of the classes; () if they are numbers
    rows: FileRows | None = None  # the rows of the examples in the user's file

    def name(self, label: int) -> str:
        """The name of a class."""
        return self.names[label] if self.names else str(label)


def examples_of(run: Run, split: Split) -> tuple[Dataset, np.ndarray, np.ndarray]:
    """The data set of the run, and (x, y) of a split.

    Raises:
        NogradError: the data cannot be found; they are never downloaded for a page.
    """
    given = run.settings
    if given.task == "mnist" and find_mnist(given.data_dir) is None:
        raise DataError("the MNIST files are not on this disk; name their folder in NOGRAD_DATA")
    dataset = run.data()
    return dataset, *split_arrays(dataset, split)


def predictions(run: Run, split: Split) -> Predictions:
    """The predictions for a split, by the best parameters. Raises NogradError if the model or the data are missing."""
    dataset, x, labels = examples_of(run, split)
    outputs = run.outputs(x)
    counted = confusion(labels, outputs.argmax(-1), run.config["data"]["classes"])
    names = tuple((run.config["data"].get("target") or {}).get("classes", ()))
    wrong = confident_mistakes(x, labels, outputs)
    return Predictions(split, counted, wrong, names, file_rows(run, split, dataset) if wrong else None)


def confusion(labels: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """How often each class was predicted as each class: int [true class, predicted class]."""
    return np.bincount(labels * classes + predicted, minlength=classes * classes).reshape(classes, classes)


def confident_mistakes(x: np.ndarray, labels: np.ndarray, outputs: np.ndarray, most: int = MISTAKES) -> list[Mistake]:
    """The wrongly classified examples whose predicted class has the highest softmax probability."""
    shares, predicted = softmax(outputs), outputs.argmax(-1)
    certainty = shares[np.arange(len(shares)), predicted]
    wrong = np.flatnonzero(predicted != labels)
    order = wrong[np.argsort(-certainty[wrong], kind="stable")][:most]
    return [Mistake(int(i), int(labels[i]), int(predicted[i]), float(certainty[i]), x[i]) for i in order]
