"""What a run's network gets wrong: the confusion matrix and the most confident mistakes."""

from typing import NamedTuple

import numpy as np

from nograd.core.types import DataError
from nograd.data import find_mnist
from nograd.runs.run import Run
from nograd.tasks.classification import softmax
from nograd.tasks.examples import Split

MISTAKES = 24


class Mistake(NamedTuple):
    """One example that was taken for another class."""

    number: int  # its place in the split, from 0
    label: int
    predicted: int
    probability: float  # softmax, of the predicted class
    example: np.ndarray  # as stored


class Predictions(NamedTuple):
    """The network's classes for a split."""

    split: Split
    confusion: np.ndarray  # int [true class, predicted class]
    mistakes: list[Mistake]  # the most confident first


def predictions(run: Run, split: Split) -> Predictions:
    """The chosen network's predictions of a split.

    Raises:
        NogradError: the model or the data cannot be had; nothing is downloaded for a page.
    """
    given = run.settings
    if given.task == "mnist" and find_mnist(given.data_dir) is None:
        raise DataError("the MNIST files are not on this disk; name their folder in NOGRAD_DATA")
    x, labels = run.examples(split)
    outputs = run.outputs(x)
    counted = confusion(labels, outputs.argmax(-1), run.config["data"]["classes"])
    return Predictions(split, counted, confident_mistakes(x, labels, outputs))


def confusion(labels: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """How often each class was taken for each: int [true class, predicted class]."""
    return np.bincount(labels * classes + predicted, minlength=classes * classes).reshape(classes, classes)


def confident_mistakes(x: np.ndarray, labels: np.ndarray, outputs: np.ndarray, most: int = MISTAKES) -> list[Mistake]:
    """The wrongly classified examples with the highest softmax probability of their class."""
    shares, predicted = softmax(outputs), outputs.argmax(-1)
    certainty = shares[np.arange(len(shares)), predicted]
    wrong = np.flatnonzero(predicted != labels)
    order = wrong[np.argsort(-certainty[wrong], kind="stable")][:most]
    return [Mistake(int(i), int(labels[i]), int(predicted[i]), float(certainty[i]), x[i]) for i in order]
