"""The protocol of a perturbation: how a member of the population differs from the mean θ.

There are two families. With the *dense* perturbation each member is a whole tree of parameters. A `LocalPerturbation`
adds its noise while the network is evaluated, on one tile of examples at a time, and no member ever exists as a tree of
parameters. Strategies, engines and `nograd.grad` use both through the methods here, without asking which one it is.
`nograd.testing.perturbation` tests the properties that every perturbation must have.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, Self, TypeAlias

from jaxtyping import Array, Float

from nograd.core import chunks
from nograd.core.types import Key, Params, PyTree
from nograd.perturbations.batch_limits import BatchLimits
from nograd.perturbations.members import Loss, Weigh

# fitness [pairs, members] -> weights. Those of a pair depend on this pair alone, so other pairs can be unknown yet.
Weights: TypeAlias = Callable[[Float[Array, "pairs members"]], Float[Array, "pairs members"]]
# (params, *inputs [batch, ...]) -> values [batch], where value i depends on example i alone; higher is better.
Values: TypeAlias = Callable[..., Float[Array, " batch"]]


class Perturbation(Protocol):
    """How the members of a population differ from the mean parameters θ."""

    @property
    def word(self) -> str:
        """Its name on the command line."""

    @property
    def sigma(self) -> float:
        """The standard deviation σ of a perturbation."""

    @property
    def mirrored(self) -> bool:
        """Whether each draw is evaluated with both signs."""

    @property
    def signs(self) -> int:
        """Members for each draw: two with mirrored sampling, else one."""

    @property
    def settings(self) -> dict[str, Any]:
        """The settings of `nograd.TrainConfig` that describe this perturbation, for config.json."""

    @property
    def shared_directions(self) -> int | None:
        """The number of directions that all examples are evaluated along.

        None if the population sets it, or if each group of examples has its own directions.
        """

    @property
    def by_example(self) -> bool:
        """Whether each example has its own noise, so that a batch of examples is needed."""

    def whole_batch(self) -> "Perturbation":
        """This perturbation with every member evaluated on the whole batch. A local one is then a `MemberPerturbation`.

        Raises:
            ConfigError: each example has its own noise, so this is impossible.
        """

    def layout(self, loss: Loss, params: Params, *batch: PyTree, count: int | None = None) -> "Local | None":
        """How a population is divided over a batch; None if members are whole networks. See `local_population`."""

    def shared(self) -> PyTree:
        """Arrays that all draws read and that are made once, such as the table of noise; () if there are none."""

    def sampled(
        self, values: Values, params: Params, inputs: PyTree, key: Key, weights: Weights
    ) -> tuple[Float[Array, "pairs members"], Params]:
        """The fitness of a population of `directions` draws, and Σ w · ε over its members, with w = weights(fitness).

        Args:
            values: (params, *inputs) -> one value for each example.
            params: the mean θ.
            inputs: a tuple of arrays [batch, ...].
            key: the address of the draws.
            weights: from the fitness of a pair to its weights.
        """


class LocalPerturbation(Perturbation, Protocol):
    """A perturbation whose noise is drawn and evaluated tile by tile; `population` explains units and tiles."""

    @property
    def directions(self) -> int:
        """The number of directions along which a unit is evaluated."""

    @property
    def group(self) -> int:
        """The number of examples in a unit; 0: the whole batch."""

    def along(self, directions: int) -> Self:
        """This perturbation with another number of directions for each unit."""

    def prepare(self, loss: Loss, params: Params, example: PyTree) -> Any:
        """Finds where noise is added in the function of one example, from shapes alone.

        Raises:
            InterpretError: the function has a primitive without a rule.
        """

    def fallbacks(self, prepared: Any) -> list[str]:
        """The parameters that get dense noise because there is no rule for them."""

    def tile(self, elements: int, units: int, count: int | None, limits: BatchLimits) -> tuple[int, int]:
        """(the units of a tile, the directions that are evaluated at once).

        Args:
            elements: elements of the network's largest value, for one unit and direction.
            units: units of the population.
            count: the number of chunks; None: not fixed.
            limits: how much one call may compute at once.
        """

    def draw(self, prepared: Any, params: Params, key: Key, first: Array | int, units: int) -> PyTree:
        """The noise of units first, first + 1, …; it depends on the key and the unit's number alone."""

    def fitness(
        self, prepared: Any, loss: Loss, params: Params, inputs: PyTree, noise: PyTree, shared: bool, block: int
    ) -> Float[Array, "units directions signs"]:
        """The mean over a unit's examples of the function's value for each member.

        Args:
            inputs: [units, group, ...], or with `shared` [batch, ...] for all units.
            block: directions that are evaluated at once.
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
        """A sum of estimates of `both`, rearranged into the tree and shapes of the parameters."""


class MemberPerturbation(LocalPerturbation, Protocol):
    """A local perturbation whose members can have different inputs, as policies in environments do."""

    def outputs(self, apply: Callable[..., PyTree], params: Params, inputs: PyTree, noise: PyTree) -> PyTree:
        """apply(params, *inputs) for each member and its own inputs: [units, directions, signs, ...]."""

    def of_members(self, function: Callable[..., PyTree], params: Params, inputs: PyTree, noise: PyTree) -> PyTree:
        """function(params, *inputs) for each member on the same inputs, [units, directions, signs, ...]."""


class Local(NamedTuple):
    """How a population of a local perturbation is divided over batches of one size."""

    perturbation: LocalPerturbation  # with the directions of one unit
    loss: Loss  # (params, *one example) -> its value
    prepared: Any  # where noise goes: `lowrank.MatrixSplits`, or the sites of `node`
    units: int
    group: int  # examples of a unit
    shared: bool  # whether all units have the same examples: the batch
    tile: int  # units of a tile
    block: int  # directions that a tile evaluates at once, if the perturbation can evaluate a part of them
    plan: chunks.Plan  # of tiles

    @property
    def members(self) -> int:
        """Members of the population."""
        return self.units * self.unit_members

    @property
    def unit_members(self) -> int:
        """The members that one unit is evaluated for."""
        return self.perturbation.directions * self.perturbation.signs

    @property
    def evaluations(self) -> int:
        """Forward passes of single examples in one generation."""
        return self.members * self.group

    @property
    def fallbacks(self) -> list[str]:
        """The parameters that get dense noise because the perturbation has no rule for them."""
        return self.perturbation.fallbacks(self.prepared)
