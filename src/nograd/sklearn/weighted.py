"""Targets with a weight each: the fitness of an example times its weight."""

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
    """Targets of another kind, float32 [examples, targets + 1], the weight last."""

    kind: Targets
    outputs: int

    @property
    def word(self) -> str:
        """Of the kind."""
        return self.kind.word

    @property
    def measure(self) -> Measure:
        """Of the kind."""
        return self.kind.measure

    @property
    def fitnesses(self) -> Mapping[str, Fitness]:
        """Those of the kind."""
        return self.kind.fitnesses

    @property
    def sections(self) -> tuple[str, ...]:
        """None: these targets are in no report."""
        return ()

    def fits(self, dataset: Dataset) -> bool:
        """Never by itself: it is chosen."""
        return False

    def width(self, dataset: Dataset) -> int:
        """The outputs that a network needs."""
        return self.outputs

    def figures(self, outputs: np.ndarray, targets: np.ndarray) -> dict[str, float | None]:
        """Those of the kind, without weights."""
        return self.kind.figures(outputs, self.plain(targets))

    def predictions(self, outputs: np.ndarray) -> np.ndarray:
        """Those of the kind."""
        return self.kind.predictions(outputs)

    def table(self, outputs: np.ndarray, details: bool) -> str:
        """That of the kind."""
        return self.kind.table(outputs, details)

    def plain(self, targets: np.ndarray) -> np.ndarray:
        """The targets without their weights."""
        return targets[:, 0].astype(np.int32) if self.word == "classes" else targets[:, :-1]

    def fitness(self, unweighted: Fitness) -> Fitness:
        """w · f of each example."""

        def weighted(
            outputs: Float[Array, "batch outputs"], y: Float[Array, "batch columns"]
        ) -> Float[Array, "*batch"]:
            labels = y[:, 0].astype(jnp.int32) if self.word == "classes" else y[:, :-1]
            values = unweighted(outputs, labels)
            if values.shape != y.shape[:1]:
                raise ValueError("it gives one number for the whole batch, which sample_weight cannot weigh")
            return values * y[:, -1]

        return weighted
