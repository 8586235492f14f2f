"""What turns a member into a fitness, and what is learnt into a score."""

from typing import Any, Protocol

from nograd.core.metrics import Measure
from nograd.models import Model


class Task(Protocol):
    """What a training asks of its task, beside the functions of a generation."""

    @property
    def model(self) -> Model:
        """The network."""

    @property
    def measure(self) -> Measure:
        """What a run is judged by."""

    @property
    def note(self) -> str:
        """One line for a person."""

    @property
    def checksum(self) -> str:
        """Of what a run is bound to: the data, or the environment."""

    def record(self) -> dict[str, Any]:
        """What config.json says of it."""

    def scores(self, params: Any) -> dict[str, Any]:
        """What the metrics say of what is learnt, `measure.val` among it."""

    def tested(self, params: Any) -> dict[str, Any]:
        """`measure.test` of what is learnt, for the end."""
