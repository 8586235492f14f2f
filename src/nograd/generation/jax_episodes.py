"""Generations on episodes of an environment of JAX: a chunk's whole episodes are part of one program."""

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from nograd.core.types import PyTree
from nograd.envs.jax_env import traced
from nograd.envs.jax_rollout import rollout
from nograd.envs.normalization import Moments, merged, no_moments
from nograd.envs.rollout import episode_seeds
from nograd.generation.base import Fixed, OneProgram
from nograd.generation.policy import EpisodeGeneration, Published


class _Slots(NamedTuple):
    """The members of a chunk while they play one round of episodes after another."""

    active: Bool[Array, " slots"]
    returns: Float[Array, " slots"]
    lengths: Int[Array, " slots"]
    rounds: Int[Array, " slots"]
    moments: Moments | tuple[()]
    turn: Int[Array, ""]


@dataclass(frozen=True)
class Traced(EpisodeGeneration, OneProgram):
    """Generations of an `Environment` task whose environment is written in JAX."""

    def chunk(self, fixed: Fixed, published: Published, generation: Array, chunk: Array) -> list[Array]:
        """Fitness and length of each slot of a chunk, and the moments of all observations."""
        task, per = self.task, self.slots
        held = self.chunk_members(fixed, published, generation, chunk)
        slots = chunk * per + jnp.arange(per)

        def results(at: _Slots) -> _Slots:
            seeds = episode_seeds(fixed.batch, generation, slots, at.turn * task.episodes + jnp.arange(task.episodes))
            returns, lengths, moments = self._round(held, seeds, at.active)
            at = at._replace(
                returns=at.returns + returns,
                lengths=at.lengths + lengths,
                rounds=at.rounds + at.active,
                moments=merged(at.moments, moments) if at.moments and moments else (),
                turn=at.turn + 1,
            )
            more = (at.lengths < task.member_steps) & jnp.isfinite(at.returns)
            return at._replace(active=at.active & more)

        zeros, none = jnp.zeros(per, jnp.float32), jnp.zeros(per, jnp.int32)
        moments = no_moments(task.env_spec.observation.shape) if task.normalise else ()
        first = _Slots(slots < self.members, zeros, none, none, moments, jnp.int32(0))
        last = jax.lax.while_loop(lambda at: jnp.any(at.active), results, first)
        fitness = (last.returns - task.bonus * last.lengths) / jnp.maximum(last.rounds * task.episodes, 1)
        return [fitness, last.lengths.astype(jnp.float32), *last.moments]

    def _round(
        self, held: PyTree, seeds: Int[Array, "slots episodes"], active: Bool[Array, " slots"]
    ) -> tuple[Array, Array, Moments | tuple[()]]:
        """Returns and lengths, [slots], of the episodes of the slots that play."""
        task, shape = self.task, seeds.shape

        def by_slots(leaf: Array) -> Array:
            return leaf.reshape(*shape, *leaf.shape[1:])

        def by_episodes(leaf: Array) -> Array:
            return leaf.reshape(-1, *leaf.shape[2:])

        def act(observations: Array, step: Array, carry: PyTree) -> tuple[Array, PyTree]:
            found = self.actions(held, by_slots(observations), seeds, step, jax.tree.map(by_slots, carry))
            actions, after = jax.tree.map(by_episodes, found)
            return actions, after

        every, carry = jnp.repeat(active, shape[1]), jax.tree.map(by_episodes, self.carry())
        env = traced(task.env_spec)
        done = rollout(env, act, seeds.reshape(-1), every, held[0], task.skip, task.normalise, carry)
        return done.returns.reshape(shape).sum(1), done.lengths.reshape(shape).sum(1), done.moments
