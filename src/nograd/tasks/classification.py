"""Targets that are one class of several: accuracy, the most likely class, and the probabilities of each."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from nograd.core.metrics import ACCURACY, Measure
from nograd.data import Dataset
from nograd.tasks.csv_text import as_shares, csv_text
from nograd.tasks.fitness import fitnesses_of
from nograd.tasks.targets import Fitness

if TYPE_CHECKING:
    from nograd.data.targets import Target


@dataclass(frozen=True)
class Classes:
    """Labels 0..classes−1, int [examples]; one network output per class."""

    target: "Target | None" = None  # the names of the classes; None where they are their numbers

    word: ClassVar[str] = "classes"
    measure: ClassVar[Measure] = ACCURACY
    sections: ClassVar[tuple[str, ...]] = ("mistakes",)

    @property
    def fitnesses(self) -> Mapping[str, Fitness]:
        """The fitness functions for classes; the default, cross-entropy, is the first."""
        return fitnesses_of(self.word)

    def fits(self, dataset: Dataset) -> bool:
        """Whether the targets of the data set are classes."""
        return dataset.problem == "classification"

    def width(self, dataset: Dataset) -> int:
        """The number of classes."""
        return dataset.classes

    def figures(self, outputs: np.ndarray, targets: np.ndarray) -> dict[str, float | None]:
        """The share of examples whose largest output is the label's."""
        return {self.measure.name: float(np.mean(outputs.argmax(-1) == targets))}

    def predictions(self, outputs: np.ndarray) -> np.ndarray:
        """The most likely class of each example, [examples], by its name in the data; whole numbers as int."""
        return self.truth(outputs.argmax(-1))

    def truth(self, targets: np.ndarray) -> np.ndarray:
        """Targets in the form of `predictions`: the classes by name."""
        return targets if self.target is None else _labels(self.target.classes)[targets]

    def answers(self, outputs: Array) -> dict[str, Array]:
        """The number of the most likely class, and the probability of each."""
        return {"class": jnp.argmax(outputs, -1).astype(jnp.int32), "probabilities": jax.nn.softmax(outputs)}

    def probabilities(self, outputs: np.ndarray) -> np.ndarray:
        """The softmax of the outputs, [examples, classes]."""
        return softmax(outputs)

    def table(self, outputs: np.ndarray, details: bool = False) -> str:
        """A CSV text with one row per example: its class and, with `details`, the softmax of its outputs."""
        names = self.target.classes if self.target else tuple(map(str, range(outputs.shape[-1])))
        found = self.predictions(outputs).tolist()
        if not details:
            return csv_text(["class"], ([label] for label in found))
        header = ["class", *(f"p{name}" if name.isdecimal() else f"p_{name}" for name in names)]
        shares = softmax(outputs)
        return csv_text(header, ([label, *as_shares(share)] for label, share in zip(found, shares, strict=True)))


CLASSES = Classes()


def softmax(outputs: np.ndarray) -> np.ndarray:
    """exp(oₖ)/Σⱼ exp(oⱼ): a probability of each class from outputs [examples, classes]."""
    exponentials = np.exp(outputs - outputs.max(-1, keepdims=True))
    return exponentials / exponentials.sum(-1, keepdims=True)


def _labels(names: tuple[str, ...]) -> np.ndarray:
    """The names of classes as an array: of numbers where all of them are whole numbers."""
    try:
        numbers = [int(name) for name in names]
    except ValueError:
        return np.array(names)
    return np.array(numbers) if tuple(map(str, numbers)) == names else np.array(names)
