"""The common part of perturbations that are drawn tile by tile; a base class for NamedTuples of their settings."""

from typing import Any, TypeVar

from jaxtyping import Array, Float

from nograd.core.types import Key, Params, PyTree
from nograd.perturbations.base import Local, LocalPerturbation, Values, Weights
from nograd.perturbations.members import Loss, signs
from nograd.perturbations.population import local_population, sampled_by_example

T = TypeVar("T", bound="TiledPerturbation")


class TiledPerturbation:
    """The part of a `LocalPerturbation` that does not depend on how its noise is drawn."""

    __slots__ = ()

    @property
    def signs(self: Any) -> int:
        """Members of a direction: two with mirrored sampling."""
        return signs(self.mirrored)

    @property
    def settings(self: Any) -> dict[str, Any]:
        """All fields, by the names of the settings."""
        return dict(self._asdict())

    def along(self: T, directions: int) -> T:
        """The same perturbation with another number of directions a unit."""
        changed: T = self._replace(directions=directions)  # type: ignore[attr-defined]
        return changed

    def shared(self) -> tuple[()]:
        """(): a draw reads only its address."""
        return ()

    def layout(self: LocalPerturbation, loss: Loss, params: Params, *batch: PyTree, count: int | None = None) -> Local:
        """How a population is divided over a batch; see `local_population`."""
        return local_population(self, loss, params, *batch, count=count)

    def sampled(
        self: LocalPerturbation, values: Values, params: Params, inputs: PyTree, key: Key, weights: Weights
    ) -> tuple[Float[Array, "pairs members"], Params]:
        """Fitness and Σ w · ε of a population of its own directions."""
        return sampled_by_example(self, values, params, inputs, key, weights)
