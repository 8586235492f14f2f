"""What the targets of a data set are: how wide the network is, how outputs are scored, and what they predict.

A new kind of target (numbers, several labels at once) is a file with one object of this protocol and a line in
`nograd.tasks.target_kinds`.
"""

from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeAlias

import numpy as np
from jaxtyping import Array, Float

from nograd.core.metrics import Measure
from nograd.data import Dataset

# (outputs [batch, outputs], targets [batch, ...]) -> one value an example, higher is better; or one for all.
Fitness: TypeAlias = Callable[[Float[Array, "batch outputs"], Any], Float[Array, "*batch"]]


class Targets(Protocol):
    """One kind of target."""

    @property
    def word(self) -> str:
        """What config.json calls it."""

    @property
    def measure(self) -> Measure:
        """What a run is judged by, unless the user says otherwise: one of the names of `figures`."""

    @property
    def fitnesses(self) -> Mapping[str, Fitness]:
        """What members can be ranked by, the default first."""

    @property
    def sections(self) -> tuple[str, ...]:
        """The sections of a run's page that only this kind has."""

    def fits(self, dataset: Dataset) -> bool:
        """Whether a data set's targets are of this kind."""

    def width(self, dataset: Dataset) -> int:
        """The outputs that a network needs."""

    def figures(self, outputs: np.ndarray, targets: np.ndarray) -> dict[str, float | None]:
        """Scores of outputs [examples, outputs] by name, the measure's among them.

        The standard error of a score over the examples, where it does not follow from its value, is NAME_error.
        """

    def predictions(self, outputs: np.ndarray) -> np.ndarray:
        """What outputs predict, one an example."""

    def table(self, outputs: np.ndarray, details: bool) -> str:
        """The same as the text of a CSV file, with the probabilities where details are asked for."""
