"""The protocol of a perturbation: how a member of the population differs from the mean θ.

There are two families. The members of a `Perturbation` that is *dense* are whole networks, which can be asked for; a
`LocalPerturbation` is drawn and evaluated where the network's function is, a tile of examples at a time, and no member
ever exists as a tree of parameters. Both are evaluated and estimated through the methods here, so that a strategy, an
engine or `nograd.grad` never asks which one it has. `nograd.testing.perturbation` has the laws that all keep.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, Self, TypeAlias

from jaxtyping import Array, Float

from nograd.core import chunks
from nograd.core.types import Key, Params, PyTree
from nograd.perturbations.batch_limits import BatchLimits
from nograd.perturbations.members import Loss, Weigh

# fitness [pairs, members] -> weights, from each pair alone: what can be known before the other pairs are.
Weights: TypeAlias = Callable[[Float[Array, "pairs members"]], Float[Array, "pairs members"]]
# (params, *inputs [batch, ...]) -> values [batch], where value i depends on example i alone; higher is better.
Values: TypeAlias = Callable[..., Float[Array, " batch"]]


class Perturbation(Protocol):
    """How the members of a population differ from the mean θ."""

    @property
    def word(self) -> str:
        """The word of the command line for it."""

    @property
    def sigma(self) -> float:
        """The standard deviation σ of a perturbation."""

    @property
    def mirrored(self) -> bool:
        """Whether each draw is evaluated with both signs."""

    @property
    def signs(self) -> int:
        """Members a draw: two with mirrored sampling."""

    @property
    def settings(self) -> dict[str, Any]:
        """The settings of `nograd.TrainConfig` that describe this perturbation, for config.json."""

    @property
    def shared_directions(self) -> int | None:
        """The number of directions that all examples are evaluated along.

        None where the population sets it, or where each group of examples has directions of its own.
        """

    @property
    def by_example(self) -> bool:
        """Whether each example has noise of its own, so that a batch of examples is needed."""

    def whole_batch(self) -> "Perturbation":
        """This perturbation with members that all examples see. A local one is then a `MemberPerturbation`.

        Raises:
            ConfigError: each example has noise of its own.
        """

    def layout(self, loss: Loss, params: Params, *batch: PyTree, count: int | None = None) -> "Local | None":
        """How a population is divided over a batch; None where members are whole networks. See `local_population`."""

    def shared(self) -> PyTree:
        """Arrays that all draws read, made once, such as the table of noise; () where there are none."""

    def sampled(
        self, values: Values, params: Params, inputs: PyTree, key: Key, weights: Weights
    ) -> tuple[Float[Array, "pairs members"], Params]:
        """The fitness of a population of its own `directions`, and Σ w · ε with w = weights(fitness)."""


class LocalPerturbation(Perturbation, Protocol):
    """A perturbation whose noise is drawn and evaluated tile by tile; see `population` for units and tiles."""

    @property
    def directions(self) -> int:
        """The number of directions that a unit is evaluated along."""

    @property
    def group(self) -> int:
        """The number of examples in a unit; 0: the whole batch."""

    def along(self, directions: int) -> Self:
        """This perturbation with another number of directions a unit."""

    def prepare(self, loss: Loss, params: Params, example: PyTree) -> Any:
        """The places of noise in the function of one example, from shapes alone.

        Raises:
            InterpretError: the function has a primitive without a rule.
        """

    def fallbacks(self, prepared: Any) -> list[str]:
        """The parameters that get dense noise because there is no rule for them."""

    def tile(self, elements: int, units: int, count: int | None, limits: BatchLimits) -> tuple[int, int]:
        """The units of a tile, and the directions that are evaluated at once.

        Args:
            elements: of the widest value, for one unit and direction.
            units: of the population.
            count: of chunks, where it is given.
            limits: how much one call may compute at once.
        """

    def draw(self, prepared: Any, params: Params, key: Key, first: Array | int, units: int) -> PyTree:
        """The noise of units first, first + 1, …, a function of key and number alone."""

    def fitness(
        self, prepared: Any, loss: Loss, params: Params, inputs: PyTree, noise: PyTree, shared: bool, block: int
    ) -> Float[Array, "units directions signs"]:
        """The mean over a unit's examples of the function's value for each member.

        Args:
            inputs: [units, group, ...], or with `shared` [batch, ...] for all units.
            block: directions at once.
        """

    def both(
        self,
        prepared: Any,
        loss: Loss,
        params: Params,
        inputs: PyTree,
        noise: PyTree,
        weights: Weigh,
        shared: bool,
        block: int,
    ) -> tuple[Float[Array, "units directions signs"], Params]:
        """The result of `fitness`, and Σ w · ε over the members with w = weights(fitness, first direction)."""

    def laid_out(self, total: Params, params: Params) -> Params:
        """A sum of what `both` returns, arranged like the parameters."""


class MemberPerturbation(LocalPerturbation, Protocol):
    """A local perturbation whose members can have inputs of their own, as policies do."""

    def outputs(self, apply: Callable[..., PyTree], params: Params, inputs: PyTree, noise: PyTree) -> PyTree:
        """apply(params, *inputs) for each member and its own inputs: [units, directions, signs, ...]."""

    def of_members(self, function: Callable[..., PyTree], params: Params, inputs: PyTree, noise: PyTree) -> PyTree:
        """The value of a function of (params, *inputs) for each member, [units, directions, signs, ...]."""


class Local(NamedTuple):
    """A population on batches of one size."""

    perturbation: LocalPerturbation  # with the directions of one unit
    loss: Loss  # (params, *one example) -> its value
    prepared: Any  # where noise goes: `lowrank.MatrixSplits`, or the sites of `node`
    units: int
    group: int  # examples of a unit
    shared: bool  # whether all units have the same examples: the batch
    tile: int  # units
    block: int  # directions that a tile is evaluated along at once, where the perturbation can take some of them
    plan: chunks.Plan  # of tiles

    @property
    def members(self) -> int:
        """Members of the population."""
        return self.units * self.unit_members

    @property
    def unit_members(self) -> int:
        return self.perturbation.directions * self.perturbation.signs

    @property
    def evaluations(self) -> int:
        """Forward passes of one example a generation."""
        return self.members * self.group

    @property
    def fallbacks(self) -> list[str]:
        """Parameters that have dense noise of their own where others have none: see the perturbation's module."""
        return self.perturbation.fallbacks(self.prepared)
