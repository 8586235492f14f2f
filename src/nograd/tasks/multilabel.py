"""Targets that are several labels at once, each of which applies or not: the mean F1 of the labels."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from nograd.core.metrics import F1, Measure
from nograd.core.precision import as_floats
from nograd.data import Dataset
from nograd.tasks.csv_text import as_shares, csv_text
from nograd.tasks.fitness import fitnesses_of
from nograd.tasks.targets import Fitness

if TYPE_CHECKING:
    from nograd.data.targets import Target


def cross_entropy(outputs: Float[Array, "batch labels"], y: Float[Array, "batch labels"]) -> Float[Array, " batch"]:
    """f = 1/k Σₖ log p(yₖ) with p(1) = 1/(1 + exp(−oₖ)), in nats a label: minus the binary cross-entropy."""
    outputs = as_floats(outputs)
    return jnp.mean(jax.nn.log_sigmoid((2 * y - 1) * outputs), axis=-1)


def accuracy(outputs: Float[Array, "batch labels"], y: Float[Array, "batch labels"]) -> Float[Array, " batch"]:
    """f = the share of the labels that are right: oₖ > 0 where yₖ is 1."""
    return jnp.mean(((outputs > 0) == (y > 0.5)).astype(jnp.float32), axis=-1)


@dataclass(frozen=True)
class Labels:
    """Labels 0 and 1, float32 [examples, labels]; an output for each, above 0 where it applies."""

    target: "Target | None" = None  # their names

    word: ClassVar[str] = "labels"
    measure: ClassVar[Measure] = F1
    sections: ClassVar[tuple[str, ...]] = ()

    @property
    def fitnesses(self) -> Mapping[str, Fitness]:
        """The fitness functions for labels; the default, cross-entropy, is the first."""
        return fitnesses_of(self.word)

    def fits(self, dataset: Dataset) -> bool:
        """Whether the data set has several labels per example."""
        return dataset.problem == "multilabel"

    def width(self, dataset: Dataset) -> int:
        """The number of labels."""
        return dataset.classes

    def figures(self, outputs: np.ndarray, targets: np.ndarray) -> dict[str, float | None]:
        """The mean over labels of F1 = 2·tp/(2·tp + fp + fn), 0 for a label that never occurs nor is predicted; and the
        share of examples whose labels are all right.
        """
        found, y = outputs > 0, targets > 0.5
        right = (found & y).sum(axis=0)
        count = found.sum(axis=0) + y.sum(axis=0)
        f1 = np.divide(2 * right, count, out=np.zeros(len(count)), where=count > 0)
        return {"f1": float(f1.mean()), "accuracy": float((found == y).all(axis=1).mean())}

    def truth(self, targets: np.ndarray) -> np.ndarray:
        """Targets in the form of `predictions`, int [examples, labels]."""
        return (targets > 0.5).astype(int)

    def predictions(self, outputs: np.ndarray) -> np.ndarray:
        """1 where a label applies, int [examples, labels]."""
        return (outputs > 0).astype(int)

    def answers(self, outputs: Array) -> dict[str, Array]:
        """1 where a label applies, and its probability."""
        return {"labels": (outputs > 0).astype(jnp.int32), "probabilities": jax.nn.sigmoid(outputs)}

    def probabilities(self, outputs: np.ndarray) -> np.ndarray:
        """1/(1 + exp(−o)) of each label, [examples, labels]."""
        return 1 / (1 + np.exp(-np.clip(outputs.astype(np.float64), -500, 500)))

    def table(self, outputs: np.ndarray, details: bool = False) -> str:
        """A CSV text with one row per example and one column per label."""
        names = self.target.names if self.target else tuple(f"y{i}" for i in range(outputs.shape[1]))
        found = self.predictions(outputs).tolist()
        if not details:
            return csv_text(names, found)
        shares = map(as_shares, self.probabilities(outputs))
        return csv_text([*names, *(f"p_{name}" for name in names)], (a + b for a, b in zip(found, shares, strict=True)))
