"""What all generations on episodes have in common: members, their actions, and the update, of any environment."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int

from nograd.core.chunks import chunk_units
from nograd.core.trees import all_finite, parameter_count
from nograd.core.types import Params, PyTree
from nograd.envs.normalization import Moments, merged
from nograd.generation.base import Fixed, Generation, Outcome, at
from nograd.generation.context import Context, EpisodeTask, Policy
from nograd.models import Model
from nograd.models.memory import advanced, carry_of
from nograd.perturbations.base import MemberPerturbation
from nograd.perturbations.batch_limits import at_once
from nograd.perturbations.dense import Distribution, member_params
from nograd.perturbations.population import Local
from nograd.strategies.shaping import Fused


class PolicyState(NamedTuple):
    """The state of a training on an environment: that of the strategy, and the context of the policies."""

    context: Context  # first, as the published leaves are the first of the state
    search: Any

    @property
    def params(self) -> Policy:
        """The mean parameters of the policy."""
        return Policy(self.search.params, self.context)

    @property
    def generation(self) -> Int[Array, ""]:
        """The number of generations done so far."""
        return self.search.generation


class Published(NamedTuple):
    """The part of the state that workers read."""

    context: Context
    around: Distribution


@dataclass(frozen=True)
class EpisodeGeneration(Generation):
    """Generations of a task on episodes, wherever the environment is stepped.

    A member's slot in its chunk is its place in the flattened row of the fitness. Every slot plays `task.episodes`
    episodes side by side.
    """

    task: EpisodeTask

    @property
    def watched(self) -> tuple[str, ...]:
        """The mean length of the episodes."""
        return ("episode_length",)

    @property
    def slots(self) -> int:
        """Members of a chunk, those that only fill it among them."""
        return self.fitness_shape[1] * self.fitness_shape[2]

    @property
    def halves(self) -> Fused | None:
        """An episode takes many passes through the network, so the estimate is a pass of its own."""
        return None

    @property
    def found(self) -> list[Any]:
        """Fitness, lengths, and the moments of each chunk where observations are normalised."""
        lengths = jax.ShapeDtypeStruct(self.fitness_shape, jnp.float32)
        return [*super().found, lengths, *(self._moment_shapes() if self.task.normalise else [])]

    def published(self, state: PolicyState) -> Published:
        """The context and what members are drawn from."""
        return Published(state.context, self.strategy.distribution(state.search))

    def around(self, published: Published) -> Distribution:
        """The distribution from which members are drawn."""
        return published.around

    def inputs(self, fixed: Fixed, generation: Int[Array, ""]) -> tuple[PyTree, Callable[[PyTree], PyTree]]:
        """One observation in place of all: the noise of a low-rank member does not depend on observations."""
        return (jnp.zeros((1, *self.task.env_spec.observation.input_shape), jnp.float32),), lambda part: part

    def chunk_members(self, fixed: Fixed, published: Published, generation: Array, chunk: Array) -> PyTree:
        """The policies of a chunk's members: (the limit of their episodes, the context, their parameters).

        Of a dense perturbation the parameters of each, [slots, …]; of a low-rank one the mean and the factors, so that
        the product with the mean is shared by all.
        """
        around, plan = published.around, self.plan
        context = published.context
        limit = context.limit if self.task.adaptive else jnp.int32(self.task.limit)
        units = chunk_units(plan, chunk)
        if self.local:
            draw = lambda tile: _drawn(self.local, around.mean, at(fixed.noise, generation), tile)  # noqa: E731
            noise = jax.vmap(draw)(units)
            prepared = _lowrank_prepared(self.local, self.task, context, around.mean, noise)
            return limit, context._replace(reference=()), (around.mean, noise, prepared)
        dense, keys = self.strategy.dense, self.unit_keys(fixed, generation)

        def one(unit: Array, member: Array) -> PyTree:
            return member_params(dense, fixed.shared, keys[unit], around.mean, member, around.scale)

        each = jax.vmap(jax.vmap(one, (None, 0)), (0, None))(units, jnp.arange(dense.members))
        members = jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:]), each)
        if self.task.model.prepare:  # one after the other: each goes through the whole reference batch
            members = jax.lax.map(lambda params: self.task.whole(params, context), members)
        return limit, context._replace(reference=()), members

    def actions(
        self,
        held: PyTree,
        observations: Array,
        seeds: Int[Array, "slots episodes"],
        step: Int[Array, ""],
        carry: PyTree = (),
    ) -> tuple[Array, PyTree]:
        """The actions of a chunk's members, and what they carry to the next step.

        Args:
            held: what `chunk_members` made.
            observations: [slots, episodes, *shape].
            seeds: of the episodes.
            step: of all of them.
            carry: of the step before, leaves [slots, episodes, …]; () for a network without memory.

        Returns:
            Actions [slots, episodes, …], and the carry after the step.
        """
        _, context, members = held
        seen = self.task.see(context, observations)
        if self.local:
            outputs, carry = _lowrank_outputs(self.local, self.task.model, members, carry, seen)
        else:
            outputs, carry = _dense_outputs(self.task.model, members, carry, seen)
        noisy = jax.vmap(jax.vmap(self.task.noisy, (0, 0, None)), (0, 0, None))
        return self.task.act(noisy(outputs, seeds, step)), carry

    def carry(self) -> PyTree:
        """What the policies of a chunk carry before the first step, leaves [slots, episodes, …]."""
        return carry_of(self.task.model, self.slots, self.task.episodes)

    def update(self, state: PolicyState, total: Distribution, found: Sequence[Array]) -> tuple[PolicyState, Outcome]:
        """The strategy's own step, the chunks' moments merged in their order, and the next limit of an episode."""
        search, info, finite = self.stepped(state.search, total, found[0])
        steps = jnp.sum(found[1])
        length = steps / (self.members * self.task.episodes)
        context = state.context
        if isinstance(context.moments, Moments):
            context = context._replace(moments=_merged_chunks(context.moments, Moments(*found[2:])))
        if self.task.adaptive:
            twice = jnp.minimum(jnp.ceil(2 * length), self.task.limit).astype(jnp.int32)
            context = context._replace(limit=jnp.maximum(twice, 1))
        return PolicyState(context, search), Outcome(info, finite, steps.astype(jnp.int32), (length,))

    def _moment_shapes(self) -> list[Any]:
        chunks, shape = self.plan.chunks, self.task.env_spec.observation.input_shape
        return [jax.ShapeDtypeStruct((chunks, *rest), jnp.float32) for rest in ((), shape, shape)]


def _merged_chunks(moments: Moments, of_chunks: Moments) -> Moments:
    """All merged in the order of the chunks, but those that float32 cannot hold."""

    def step(total: Moments, own: Moments) -> tuple[Moments, None]:
        both = merged(total, own)
        return jax.tree.map(partial(jnp.where, all_finite((own, both))), both, total), None

    return jax.lax.scan(step, moments, of_chunks)[0]


def _drawn(local: Local, mean: PyTree, key: Any, tile: Array) -> PyTree:
    """The noise of a tile's units."""
    return local.perturbation.draw(local.prepared, mean, key, tile * local.tile, local.tile)


def _of_members(local: Local) -> MemberPerturbation:
    """The perturbation of a population that plays: `Task.population` lets no other through."""
    return cast(MemberPerturbation, local.perturbation)


def _dense_outputs(model: Model, members: PyTree, carry: PyTree, seen: Array) -> tuple[Array, PyTree]:
    """The outputs of dense members, [slots, episodes, outputs], and what they carry.

    All in one call, but pictures as few at a time as one call should take on: with kernels of each member's own, the
    layers of a core's call are no faster, and their values leave the caches.
    """
    if seen.ndim < 4:
        return jax.vmap(partial(advanced, model))(members, carry, seen)
    parameters = parameter_count(members) // len(seen)
    few = min(at_once(parameters), len(seen))
    return jax.lax.map(lambda one: advanced(model, *one), (members, carry, seen), batch_size=few if few > 1 else None)


def _lowrank_prepared(local: Local, task: EpisodeTask, context: Context, mean: PyTree, noise: PyTree) -> PyTree:
    """What the network of each low-rank member makes of the reference batch, [tiles, units, directions, signs, ...]."""
    prepare, perturbation = task.model.prepare, _of_members(local)
    if prepare is None:
        return ()
    reference = task.see(context, jnp.asarray(context.reference))
    return jax.lax.map(lambda tile: perturbation.of_members(prepare, mean, (reference,), tile), noise)


def _lowrank_outputs(local: Local, model: Model, members: PyTree, carry: PyTree, seen: Array) -> tuple[Array, PyTree]:
    """The outputs of low-rank members, [slots, episodes, outputs], the product with the mean made for all at once.

    With them what the members carry, leaves [slots, episodes, …].
    """
    mean, noise, prepared = members
    perturbation, tiles = _of_members(local), jax.tree.leaves(noise)[0].shape[0]
    slots = (tiles, local.tile, perturbation.directions, perturbation.signs)
    x, before = jax.tree.map(lambda leaf: leaf.reshape(*slots, *leaf.shape[1:]), (seen, carry))

    def apply(params: Params, x: Array, prepared: PyTree, carry: PyTree) -> tuple[Array, PyTree]:
        return advanced(model, (params, prepared) if model.prepare else params, carry, x)

    def tile(noise: PyTree, inputs: PyTree) -> PyTree:
        return perturbation.outputs(apply, mean, inputs, noise)

    found = jax.vmap(tile)(noise, (x, prepared, before))
    outputs, after = jax.tree.map(lambda leaf: leaf.reshape(len(seen), *leaf.shape[len(slots) :]), found)
    return outputs, after
