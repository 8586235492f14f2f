"""Generations on episodes of an environment of JAX: a chunk's whole episodes are part of one program."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from nograd.core.trees import Span
from nograd.core.types import PyTree
from nograd.envs.jax_env import traced
from nograd.envs.jax_rollout import rollout
from nograd.envs.normalization import Moments, merged, no_moments
from nograd.envs.rollout import episode_seeds
from nograd.generation.base import Fixed, Named, flattened
from nograd.generation.policy import EpisodeGeneration, Published


class _Slots(NamedTuple):
    """Members of a chunk that play round after round."""

    active: Bool[Array, " slots"]
    returns: Float[Array, " slots"]
    lengths: Int[Array, " slots"]
    rounds: Int[Array, " slots"]
    moments: Moments | tuple[()]
    turn: Int[Array, ""]


@dataclass(frozen=True)
class Traced(EpisodeGeneration):
    """Generations of an `Environment` task whose environment is written in JAX."""

    def host(self) -> None:
        """All of it is a program."""
        return None

    def evaluating(self, fixed: Fixed, published: Published, flat: Sequence[Any]) -> Named:
        """`evaluate`."""
        back, number = flattened(fixed, published), jax.ShapeDtypeStruct((), jnp.int32)

        def evaluate(fixed: Any, published: Any, generation: Any, start: Any, count: Any) -> Any:
            return self.evaluate(*back(fixed, published), generation, (start, count))

        return {"evaluate": (evaluate, [*flat, number, number])}

    def evaluate(self, fixed: Fixed, published: Published, generation: Int[Array, ""], span: Span) -> list[Array]:
        """What is found of the members of a span of chunks, zeros elsewhere."""
        start, count = span

        def step(index: Array, found: list[Array]) -> list[Array]:
            chunk = start + index
            parts = self.chunk(fixed, published, generation, chunk)
            pairs = zip(found, parts, strict=True)
            return [whole.at[chunk].set(part.reshape(whole.shape[1:])) for whole, part in pairs]

        zeros = [jnp.zeros(shape.shape, shape.dtype) for shape in self.found]
        return jax.lax.fori_loop(0, count, step, zeros)

    def chunk(self, fixed: Fixed, published: Published, generation: Array, chunk: Array) -> list[Array]:
        """Fitness and length of each slot of a chunk, and the moments of what all of them saw."""
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

        def act(observations: Array, step: Array) -> Array:
            actions = self.actions(held, observations.reshape(*shape, *observations.shape[1:]), seeds, step)
            return actions.reshape(-1, *actions.shape[2:])

        every = jnp.repeat(active, shape[1])
        done = rollout(traced(task.env_spec), act, seeds.reshape(-1), every, held[0], task.skip, task.normalise)
        return done.returns.reshape(shape).sum(1), done.lengths.reshape(shape).sum(1), done.moments
