"""The protocol of a kind of target: the width of the network, scores of its outputs, and predictions.

A new kind of target is a file with a class of this protocol and a line in `config.axes.PROBLEMS`.
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
    """A kind of target: the width of the network, scores of its outputs, and predictions."""

    @property
    def word(self) -> str:
        """The name of this kind in config.json."""

    @property
    def measure(self) -> Measure:
        """The score that a run is judged by unless the user chooses another: one of the names of `figures`."""

    @property
    def fitnesses(self) -> Mapping[str, Fitness]:
        """The functions that members can be ranked by, the default first."""

    @property
    def sections(self) -> tuple[str, ...]:
        """The sections of a run's page for this kind: words of `config.axes.REPORT_SECTIONS`."""

    def fits(self, dataset: Dataset) -> bool:
        """Whether the labels of a data set are of this kind."""

    def width(self, dataset: Dataset) -> int:
        """The number of outputs that a network needs."""

    def figures(self, outputs: np.ndarray, targets: np.ndarray) -> dict[str, float | None]:
        """Scores of outputs [examples, outputs] by name, the measure's among them.

        The standard error of a score over the examples, where it does not follow from its value, is NAME_error.
        """

    def predictions(self, outputs: np.ndarray) -> np.ndarray:
        """The prediction for each row of outputs."""

    def table(self, outputs: np.ndarray, details: bool) -> str:
        """The predictions as the text of a CSV file; with `details` also the probabilities."""
