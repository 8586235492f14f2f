"""Generations on examples: every member sees a minibatch, in one compiled program."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from nograd.core import chunks
from nograd.core.trees import Span, parameter_count
from nograd.core.types import Key, PyTree
from nograd.generation.base import Fixed, Generation, Named, Outcome, at, flattened
from nograd.perturbations.batch_limits import at_once
from nograd.perturbations.dense import Distribution, evaluator
from nograd.perturbations.population import population_both, population_fitness
from nograd.strategies.base import State
from nograd.strategies.shaping import Fused, fused, weights


class Sampled(Protocol):
    """The protocol of a task on examples, as a generation uses it."""

    @property
    def batch(self) -> int:
        """The number of examples in a minibatch."""

    @property
    def private(self) -> bool:
        """Whether each unit of the population draws a minibatch of its own."""

    def arrays(self) -> PyTree:
        """The training examples on the default device."""

    def pick(self, arrays: PyTree, key: Key) -> PyTree:
        """The examples of the minibatch at an address, by number [batch]."""

    def read(self, arrays: PyTree, picks: PyTree) -> tuple[Array, Array]:
        """The examples picked: inputs and targets with the leading axes of `picks`."""

    def draw(self, arrays: PyTree, key: Key) -> tuple[Array, Array]:
        """The minibatch at an address."""

    def objective(self, params: PyTree, x: Array, y: Array) -> Float[Array, ""]:
        """The fitness of a member on a minibatch."""


@dataclass(frozen=True)
class Batches(Generation):
    """Generations of a task on examples."""

    task: Sampled

    @property
    def evaluations(self) -> int:
        """Forward passes of one example a generation."""
        return self.local.evaluations if self.local else self.strategy.size * self.task.batch

    @property
    def halves(self) -> Fused | None:
        """Local perturbations take fitness and estimate in one pass, where the shaping allows it."""
        return fused(self.strategy.shaping, self.local.perturbation.signs) if self.local else None

    def published(self, state: State) -> Distribution:
        """The distribution from which members are drawn."""
        return self.strategy.distribution(state)

    def around(self, published: Distribution) -> Distribution:
        """The distribution from which members are drawn: the published one."""
        return published

    def inputs(self, fixed: Fixed, generation: Int[Array, ""]) -> tuple[PyTree, Callable[[PyTree], PyTree]]:
        """The numbers of the minibatch's examples. Each chunk reads its own: all take as long as a chunk."""
        picks = self.task.pick(fixed.arrays, at(fixed.batch, generation))
        return picks, lambda part: self.task.read(fixed.arrays, part)

    def host(self) -> None:
        """None: all of it is compiled."""
        return None

    def evaluate(
        self, fixed: Fixed, around: Distribution, generation: Int[Array, ""], span: Span
    ) -> Float[Array, "chunks size width"]:
        """The fitness of the members of a span of chunks, zeros elsewhere."""
        if self.local:
            batch, read = self.inputs(fixed, generation)
            return population_fitness(self.local, around.mean, batch, at(fixed.noise, generation), span, read)
        return self._dense_fitness(fixed, around, generation, span)

    def both(
        self, fixed: Fixed, around: Distribution, generation: Int[Array, ""], span: Span
    ) -> tuple[Float[Array, "chunks size width"], Distribution]:
        """Fitness and Σ w · ε of one subtree of chunks in one pass, up to `halves.scale`."""
        halves, local = self.halves, self.local
        assert halves is not None, "asked for where the shaping allows it"
        assert local is not None
        batch, read = self.inputs(fixed, generation)
        of_pairs = lambda pairs: weights(halves.of_pair, pairs)[0]  # noqa: E731
        key = at(fixed.noise, generation)
        fitness, total = population_both(local, around.mean, batch, key, of_pairs, span, read)
        return fitness, Distribution(total)

    def evaluating(self, fixed: Fixed, published: Distribution, flat: Sequence[Any]) -> Named:
        """`both` where it can be, else `evaluate`."""
        back, number = flattened(fixed, published), jax.ShapeDtypeStruct((), jnp.int32)

        def evaluate(fixed: Any, around: Any, generation: Any, start: Any, count: Any) -> Any:
            return [self.evaluate(*back(fixed, around), generation, (start, count))]

        def both(fixed: Any, around: Any, generation: Any, start: Any, count: Any) -> Any:
            values, total = self.both(*back(fixed, around), generation, (start, count))
            return [values], jax.tree.leaves(total)

        shapes = [*flat, number, number]
        return {"both": (both, shapes)} if self.halves else {"evaluate": (evaluate, shapes)}

    def update(self, state: State, total: Distribution, found: Sequence[Array]) -> tuple[Any, Outcome]:
        """The next state of the strategy."""
        state, info, finite = self.stepped(state, total, found[0])
        return state, Outcome(info, finite, jnp.int32(self.evaluations))

    def _dense_fitness(self, fixed: Fixed, around: Distribution, generation: Array, span: Span) -> Array:
        task, dense, keys = self.task, self.strategy.dense, self.unit_keys(fixed, generation)

        def on(key: Key) -> Callable[[PyTree, Key], Array]:
            batch = task.draw(fixed.arrays, key)
            return evaluator(dense, task.objective, around.mean, *batch, alone=task.private, scale=around.scale)

        batch_key = at(fixed.batch, generation)
        # Made outside of the loop over units, so that what the population shares is computed once.
        common = None if task.private else on(batch_key)

        def unit(unit: Array) -> Array:
            evaluate_unit = common or on(jax.random.fold_in(batch_key, unit))
            return evaluate_unit(fixed.shared, keys[unit])

        return chunks.evaluate_chunks(self.plan, unit, span, at_once(dense.members * parameter_count(around.mean)))
