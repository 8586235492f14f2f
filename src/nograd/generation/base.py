"""A generation as pure functions over its chunks: key → members → fitness → update → info.

How members are evaluated depends on the task: see `minibatch`, `policy` and `calls`. The rest is here.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from nograd.core import chunks
from nograd.core.trees import Span, all_finite, scaled
from nograd.core.types import Key, PyTree
from nograd.perturbations.dense import Distribution, weighted_score
from nograd.perturbations.population import Local, by_pairs, by_tiles, population_estimate
from nograd.strategies.base import Info, State, Strategy
from nograd.strategies.shaping import Fused, valid_members, weights

# Functions by name over flat lists of arrays, with the shapes that they are called with.
Named: TypeAlias = dict[str, tuple[Callable[..., Any], list[Any]]]


class Keys(NamedTuple):
    """The run's three unrelated sources of draws, each an address space of its own."""

    init: Key
    noise: Key
    batch: Key


def run_keys(seed: int) -> Keys:
    """The keys of a run, from its seed alone."""
    return Keys(*jax.random.split(jax.random.key(seed), 3))


class Fixed(NamedTuple):
    """The constants of a run, which every generation reads."""

    arrays: PyTree  # the task's data
    shared: PyTree  # the noise's data, such as its table
    noise: Array  # the words of keys.noise and keys.batch: plain arrays can go anywhere
    batch: Array
    units: Key | None = None  # the keys of all units of one generation, where they are made ahead


class Outcome(NamedTuple):
    """The report of one generation, apart from its new state."""

    info: Info
    finite: Bool[Array, ""]  # whether every parameter of the new state is finite
    evaluations: Int[Array, ""]  # forward passes of one example, or steps of the environment
    watched: tuple[Array, ...] = ()  # further values of the task, named by `Generation.watched`


@dataclass(frozen=True)
class Generation(ABC):
    """The functions of one training's generations.

    The part of a state that evaluation reads, such as the distribution of the members, is *published* to the workers: a
    tree whose leaves are the first leaves of the state. The results of evaluation are called *found*: arrays with a
    leading axis of chunks, the fitness first.
    """

    task: Any
    strategy: Strategy
    local: Local | None  # None for a dense perturbation

    precision: ClassVar[Any] = jnp.float32  # of fitness
    ahead: ClassVar[bool] = False  # whether one process may compute some generations ahead, in one program

    @property
    def watched(self) -> tuple[str, ...]:
        """Names of what `Outcome.watched` holds."""
        return ()

    @property
    def plan(self) -> chunks.Plan:
        """How the population is cut into chunks."""
        return self.local.plan if self.local else self.strategy.plan()

    @property
    def members(self) -> int:
        """The number of members of the population."""
        return self.local.members if self.local else self.strategy.size

    @property
    def fitness_shape(self) -> tuple[int, int, int]:
        """Chunks, units (tiles of a local perturbation) of a chunk, members of a unit."""
        width = self.local.tile * self.local.unit_members if self.local else self.strategy.dense.members
        return self.plan.chunks, self.plan.size, width

    @property
    def evaluations(self) -> int | None:
        """Forward passes of one example a generation; None where it is known only afterwards."""
        return None

    @property
    def given(self) -> Any:
        """A Python object that evaluation on the host uses in this process alone; None where its JSON is enough."""
        return None

    @property
    def found(self) -> list[Any]:
        """The shapes and types of what evaluation finds."""
        return [jax.ShapeDtypeStruct(self.fitness_shape, self.precision)]

    @property
    def drawn(self) -> list[Any] | None:
        """The shapes and types of all members, where one call of the program `members` makes all, else None."""
        return None

    @property
    @abstractmethod
    def halves(self) -> Fused | None:
        """The shaping in two halves, where fitness and estimate take one pass."""

    @abstractmethod
    def around(self, published: PyTree) -> Distribution:
        """The distribution from which members are drawn."""

    @abstractmethod
    def published(self, state: Any) -> PyTree:
        """The part of a state that workers read."""

    @abstractmethod
    def inputs(self, fixed: Fixed, generation: Int[Array, ""]) -> tuple[PyTree, Callable[[PyTree], PyTree]]:
        """The examples whose noise a local perturbation draws, and a function that reads some of them."""

    @abstractmethod
    def evaluating(self, fixed: Fixed, published: PyTree, flat: Sequence[Any]) -> Named:
        """The functions that evaluate members; `flat` are the shapes of (fixed, published, generation)."""

    @abstractmethod
    def update(self, state: Any, total: Distribution, found: Sequence[Array]) -> tuple[Any, Outcome]:
        """The next state, from the whole population's estimate and the results of all members."""

    @abstractmethod
    def host(self) -> dict[str, Any] | None:
        """The part of evaluation that is no program, as JSON; None where all of it is."""

    def leaves(self, state: Any) -> list[Any]:
        """What workers read of a state as flat arrays: the first ones of the state's own."""
        return jax.tree.leaves(self.published(state))

    def fixed(self, keys: Keys) -> Fixed:
        """The constants of a run on the default device."""
        shared = self.strategy.perturbation.shared()
        return Fixed(self.task.arrays(), shared, *map(jax.random.key_data, (keys.noise, keys.batch)))

    def estimate(
        self,
        fixed: Fixed,
        published: PyTree,
        generation: Int[Array, ""],
        span: Span,
        fitness: Float[Array, "chunks size width"],
        at_once: bool = False,
    ) -> Distribution:
        """Σ w · ε (and Σ w · (ε² − 1) with a scale) of one subtree of chunks, from the fitness of all of them.

        The noise is drawn again. Each worker computes the weights itself, which takes no longer than to receive them.

        Args:
            at_once: for a dense population and all of its chunks, with the same bits; see `chunks.estimate_at_once`.
        """
        around, weights = self.around(published), self._shaped(fitness)
        if self.local:
            batch, read = self.inputs(fixed, generation)
            key = at(fixed.noise, generation)
            return Distribution(population_estimate(self.local, around.mean, batch, key, weights, span, read))
        dense, keys = self.strategy.dense, self.unit_keys(fixed, generation)

        def term(unit: Array, own: Array) -> Distribution:
            return weighted_score(dense, fixed.shared, keys[unit], own, around)

        if at_once and self.plan.size == 1:  # the sum over several units of a chunk is rounded by how it is compiled
            return chunks.estimate_at_once(self.plan, term, weights, jnp.asarray(span[1]))
        return chunks.estimate_chunks(self.plan, term, weights, span)

    def stepped(
        self, state: State, total: Distribution, fitness: Float[Array, "chunks size width"]
    ) -> tuple[Any, Info, Bool[Array, ""]]:
        """The strategy's next state, its info, and whether the parameters are finite."""
        rows = self._rows(fitness)
        valid = valid_members(rows)
        if self.halves:
            total = scaled(self.halves.scale(jnp.where(valid, rows, 0.0), valid), total)
        state, info = self.strategy.step(state, total, rows, valid)
        return state, info, all_finite(state.params)

    def unit_keys(self, fixed: Fixed, generation: Array) -> Key:
        """The key of every unit of a dense population."""
        if fixed.units is not None:
            return fixed.units
        return self.strategy.unit_keys(jax.random.wrap_key_data(fixed.noise), generation)

    def _shaped(self, fitness: Float[Array, "chunks size width"]) -> Float[Array, "chunks size width"]:
        """The weights of all members, from the fitness of all."""
        shaped = weights(self.strategy.shaping, self._rows(fitness))[0]
        return by_tiles(self.local, shaped) if self.local else chunks.by_chunks(self.plan, shaped)

    def _rows(self, fitness: Array) -> Float[Array, "pairs members"]:
        return by_pairs(self.local, fitness) if self.local else chunks.by_units(self.plan, fitness)


class OneProgram(Generation):
    """Generations whose whole evaluation is one compiled program, from the results of one chunk (`chunk`)."""

    def host(self) -> None:
        """None: no part is left to the host."""
        return None

    @abstractmethod
    def chunk(self, fixed: Fixed, published: Any, generation: Int[Array, ""], chunk: Int[Array, ""]) -> list[Array]:
        """The results of the members of one chunk: the arrays of `found` without their axis of chunks."""

    def evaluating(self, fixed: Fixed, published: Any, flat: Sequence[Any]) -> Named:
        """`evaluate`."""
        back, number = flattened(fixed, published), jax.ShapeDtypeStruct((), jnp.int32)

        def evaluate(fixed: Any, published: Any, generation: Any, start: Any, count: Any) -> Any:
            return self.evaluate(*back(fixed, published), generation, (start, count))

        return {"evaluate": (evaluate, [*flat, number, number])}

    def evaluate(self, fixed: Fixed, published: Any, generation: Int[Array, ""], span: Span) -> list[Array]:
        """The results of the members of a span of chunks, zeros elsewhere."""
        start, count = span

        def step(index: Array, found: list[Array]) -> list[Array]:
            chunk = start + index
            parts = self.chunk(fixed, published, generation, chunk)
            pairs = zip(found, parts, strict=True)
            return [whole.at[chunk].set(part.reshape(whole.shape[1:])) for whole, part in pairs]

        zeros = [jnp.zeros(shape.shape, shape.dtype) for shape in self.found]
        return jax.lax.fori_loop(0, count, step, zeros)


def at(words: Array, generation: Array) -> Key:
    """The key of a generation, from the words of a key of the run."""
    return jax.random.fold_in(jax.random.wrap_key_data(words), generation)


def shapes_of(tree: PyTree) -> Any:
    """The shapes and types of a tree of arrays."""
    return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), tree)


def flattened(fixed: Fixed, published: PyTree) -> Callable[[Sequence[Any], Sequence[Any]], tuple[Fixed, PyTree]]:
    """A function from flat lists of arrays back to these two trees."""
    trees = jax.tree.structure(fixed), jax.tree.structure(published)

    def back(fixed: Sequence[Any], published: Sequence[Any]) -> tuple[Fixed, PyTree]:
        return jax.tree.unflatten(trees[0], fixed), jax.tree.unflatten(trees[1], published)

    return back
