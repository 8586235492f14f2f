"""A generation as pure functions over its chunks: key → members → fitness → update → info.

`evaluate`, `estimate` and `both` do a span of chunks, anywhere; `shape` and `update` take what all of them gave.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from nograd.perturb import chunks
from nograd.perturb.dense import Dense, Distribution, evaluator, weighted_score
from nograd.perturb.local import Local, by_pairs, by_tiles, population_both, population_estimate, population_fitness
from nograd.shaping import Fused, fused, valid_members, weights
from nograd.strategies.strategy import Info, State, Strategy
from nograd.tasks.supervised import Arrays, Picks, Supervised
from nograd.trees import Span, all_finite, scaled
from nograd.types import Key, PyTree


class Keys(NamedTuple):
    """The run's three unrelated sources of draws, each an address space of its own."""

    init: Key
    noise: Key
    batch: Key


def run_keys(seed: int) -> Keys:
    """The keys of a run, from its seed alone."""
    return Keys(*jax.random.split(jax.random.key(seed), 3))


class Fixed(NamedTuple):
    """What every generation of a run reads and none writes."""

    arrays: Arrays
    shared: PyTree  # of the noise, such as its table
    noise: Array  # the words of keys.noise and keys.batch: plain arrays can go anywhere
    batch: Array


class Outcome(NamedTuple):
    """What one generation reports beside its new state."""

    info: Info
    finite: Bool[Array, ""]  # whether every parameter of the new state is finite


class Generation(NamedTuple):
    """The functions of one training's generations."""

    task: Supervised
    strategy: Strategy
    local: Local | None  # None for a dense perturbation

    @property
    def plan(self) -> chunks.Plan:
        """How the population is cut into chunks."""
        return self.local.plan if self.local else self.strategy.plan()

    @property
    def members(self) -> int:
        """Members of the population."""
        return self.local.members if self.local else self.strategy.size

    @property
    def evaluations(self) -> int:
        """Forward passes of one example a generation."""
        return self.local.evaluations if self.local else self.strategy.size * self.task.batch

    @property
    def fitness_shape(self) -> tuple[int, int, int]:
        """Chunks, units (tiles of a local perturbation) of a chunk, members of a unit."""
        width = self.local.tile * self.local.unit_members if self.local else self.strategy.dense.members
        return self.plan.chunks, self.plan.size, width

    @property
    def halves(self) -> Fused | None:
        """The shaping in two halves, where fitness and estimate take one pass."""
        return fused(self.strategy.shaping, self.local.perturbation.signs) if self.local else None

    def fixed(self, keys: Keys) -> Fixed:
        """What the functions below read, on the default device."""
        perturbation = self.strategy.perturbation
        shared = perturbation.noise.prepare() if isinstance(perturbation, Dense) else ()
        return Fixed(self.task.arrays(), shared, *map(jax.random.key_data, (keys.noise, keys.batch)))

    def evaluate(
        self, fixed: Fixed, around: Distribution, generation: Int[Array, ""], span: Span
    ) -> Float[Array, "chunks size width"]:
        """The fitness of the members of a span of chunks, zeros elsewhere."""
        if self.local:
            batch, key = self._batch(fixed, generation), _at(fixed.noise, generation)
            return population_fitness(self.local, around.mean, batch, key, span, self._read(fixed))
        return self._dense_fitness(fixed, around, generation, span)

    def both(
        self, fixed: Fixed, around: Distribution, generation: Int[Array, ""], span: Span
    ) -> tuple[Float[Array, "chunks size width"], Distribution]:
        """Fitness and Σ w · ε of one subtree of chunks in one pass, up to `halves.scale`."""
        halves, local = self.halves, self.local
        assert halves is not None, "asked for where the shaping allows it"
        assert local is not None
        batch, key = self._batch(fixed, generation), _at(fixed.noise, generation)
        of_pairs = lambda pairs: weights(halves.of_pair, pairs)[0]  # noqa: E731
        fitness, total = population_both(local, around.mean, batch, key, of_pairs, span, self._read(fixed))
        return fitness, Distribution(total)

    def estimate(
        self,
        fixed: Fixed,
        around: Distribution,
        generation: Int[Array, ""],
        span: Span,
        weights: Float[Array, "chunks size width"],
    ) -> Distribution:
        """Σ w · ε (and Σ w · (ε² − 1) with a scale) of one subtree of chunks, the noise made again."""
        if self.local:
            batch, key = self._batch(fixed, generation), _at(fixed.noise, generation)
            total = population_estimate(self.local, around.mean, batch, key, weights, span, self._read(fixed))
            return Distribution(total)
        dense, keys = self.strategy.dense, self._unit_keys(fixed, generation)

        def term(unit: Array, own: Array) -> Distribution:
            return weighted_score(dense, fixed.shared, keys[unit], own, around)

        return chunks.estimate_chunks(self.plan, term, weights, span)

    def shape(self, fitness: Float[Array, "chunks size width"]) -> Float[Array, "chunks size width"]:
        """The weights of all members, from the fitness of all."""
        shaped = weights(self.strategy.shaping, self._rows(fitness))[0]
        return by_tiles(self.local, shaped) if self.local else chunks.by_chunks(self.plan, shaped)

    def update(
        self, state: State, total: Distribution, fitness: Float[Array, "chunks size width"]
    ) -> tuple[State, Outcome]:
        """The next state, from the whole population's estimate and the fitness of all."""
        rows = self._rows(fitness)
        valid = valid_members(rows)
        if self.halves:
            total = scaled(self.halves.scale(jnp.where(valid, rows, 0.0), valid), total)
        state, info = self.strategy.step(state, total, rows, valid)
        return state, Outcome(info, all_finite(state.params))

    def _rows(self, fitness: Array) -> Float[Array, "pairs members"]:
        return by_pairs(self.local, fitness) if self.local else chunks.by_units(self.plan, fitness)

    def _batch(self, fixed: Fixed, generation: Array) -> Picks:
        return self.task.pick(fixed.arrays, _at(fixed.batch, generation))

    def _read(self, fixed: Fixed) -> Callable[[Picks], tuple[Array, Array]]:
        """Each chunk reads its own examples: to read them all costs a worker as much as a chunk does."""
        return lambda picks: self.task.read(fixed.arrays, picks)

    def _unit_keys(self, fixed: Fixed, generation: Array) -> Key:
        return self.strategy.unit_keys(jax.random.wrap_key_data(fixed.noise), generation)

    def _dense_fitness(self, fixed: Fixed, around: Distribution, generation: Array, span: Span) -> Array:
        task, dense, keys = self.task, self.strategy.dense, self._unit_keys(fixed, generation)

        def on(key: Key) -> Callable[[PyTree, Key], Array]:
            batch = task.draw(fixed.arrays, key)
            return evaluator(dense, task.objective, around.mean, *batch, alone=task.private, scale=around.scale)

        batch_key = _at(fixed.batch, generation)
        # Made outside of the loop over units, so that what the population shares is computed once.
        common = None if task.private else on(batch_key)

        def unit(unit: Array) -> Array:
            evaluate_unit = common or on(jax.random.fold_in(batch_key, unit))
            return evaluate_unit(fixed.shared, keys[unit])

        return chunks.evaluate_chunks(self.plan, unit, span)


def _at(words: Array, generation: Array) -> Key:
    return jax.random.fold_in(jax.random.wrap_key_data(words), generation)


def shapes_of(tree: PyTree) -> Any:
    """The shapes and types of a tree of arrays."""
    return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), tree)
