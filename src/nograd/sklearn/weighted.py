"""Targets with weights: the fitness of each example is multiplied by its weight."""

from collections.abc import Mapping
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from nograd.core.metrics import Measure
from nograd.data import Dataset
from nograd.tasks.targets import Fitness, Targets


@dataclass(frozen=True)
class Weighted:
    """Another kind of target with a last column of weights: float32 [examples, targets + 1]."""

    kind: Targets
    outputs: int

    @property
    def word(self) -> str:
        """The name of the kind inside."""
        return self.kind.word

    @property
    def measure(self) -> Measure:
        """The measure of the kind inside."""
        return self.kind.measure

    @property
    def fitnesses(self) -> Mapping[str, Fitness]:
        """The fitness functions of the kind inside."""
        return self.kind.fitnesses

    @property
    def sections(self) -> tuple[str, ...]:
        """Empty: no report shows these targets."""
        return ()

    def fits(self, dataset: Dataset) -> bool:
        """Always False: this kind is never chosen by the data."""
        return False

    def width(self, dataset: Dataset) -> int:
        """The number of outputs of the network."""
        return self.outputs

    def figures(self, outputs: np.ndarray, targets: np.ndarray) -> dict[str, float | None]:
        """The scores of the kind inside, without weights."""
        return self.kind.figures(outputs, self.plain(targets))

    def predictions(self, outputs: np.ndarray) -> np.ndarray:
        """The predictions of the kind inside."""
        return self.kind.predictions(outputs)

    def table(self, outputs: np.ndarray, details: bool) -> str:
        """The table of predictions of the kind inside."""
        return self.kind.table(outputs, details)

    def plain(self, targets: np.ndarray) -> np.ndarray:
        """The targets without their weights."""
        return targets[:, 0].astype(np.int32) if self.word == "classes" else targets[:, :-1]

    def fitness(self, unweighted: Fitness) -> Fitness:
        """The fitness w · f of each example, from a fitness f without weights."""

        def weighted(
            outputs: Float[Array, "batch outputs"], y: Float[Array, "batch columns"]
        ) -> Float[Array, "*batch"]:
            labels = y[:, 0].astype(jnp.int32) if self.word == "classes" else y[:, :-1]
            values = unweighted(outputs, labels)
            if values.shape != y.shape[:1]:
                raise ValueError("it gives one number for the whole batch, which sample_weight cannot weigh")
            return values * y[:, -1]

        return weighted
