"""Targets that are one class of several: accuracy, the most likely class, and the probabilities of each."""

from collections.abc import Mapping

import numpy as np

from nograd.core.metrics import ACCURACY, Measure
from nograd.data import Dataset
from nograd.tasks.fitness import FITNESSES
from nograd.tasks.targets import Fitness


class Classes:
    """Labels 0..classes−1, int [examples]; an output for each class."""

    word = "classes"
    measure: Measure = ACCURACY
    fitnesses: Mapping[str, Fitness] = FITNESSES
    sections = ("mistakes",)

    def fits(self, dataset: Dataset) -> bool:
        """Where the data say that their targets are classes."""
        return dataset.problem == "classification"

    def width(self, dataset: Dataset) -> int:
        """An output a class."""
        return dataset.classes

    def figures(self, outputs: np.ndarray, targets: np.ndarray) -> dict[str, float | None]:
        """The share of examples whose largest output is the label's."""
        return {self.measure.name: float(np.mean(outputs.argmax(-1) == targets))}

    def predictions(self, outputs: np.ndarray) -> np.ndarray:
        """The most likely class of each example, int [examples]."""
        return outputs.argmax(-1)

    def table(self, outputs: np.ndarray, details: bool = False) -> str:
        """A row an example: its class, and the softmax of its outputs where asked for."""
        header, rows = "class", [str(label) for label in self.predictions(outputs)]
        if details:
            shares = softmax(outputs)
            header += "".join(f",p{label}" for label in range(outputs.shape[-1]))
            rows = [",".join([row, *(f"{p:.6f}" for p in share)]) for row, share in zip(rows, shares, strict=True)]
        return "\n".join([header, *rows]) + "\n"


CLASSES = Classes()


def softmax(outputs: np.ndarray) -> np.ndarray:
    """exp(oₖ)/Σⱼ exp(oⱼ): a probability of each class from outputs [examples, classes]."""
    exponentials = np.exp(outputs - outputs.max(-1, keepdims=True))
    return exponentials / exponentials.sum(-1, keepdims=True)
