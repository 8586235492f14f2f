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
from nograd.generation.policy import Playing, Published


class _Seats(NamedTuple):
    """Members of a chunk that play round after round."""

    playing: Bool[Array, " seats"]
    returns: Float[Array, " seats"]
    lengths: Int[Array, " seats"]
    rounds: Int[Array, " seats"]
    moments: Moments | tuple[()]
    turn: Int[Array, ""]


@dataclass(frozen=True)
class Traced(Playing):
    """Generations of an `Environment` task whose world is traced."""

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
        """Fitness and length of each seat of a chunk, and the moments of what all of them saw."""
        task, per = self.task, self.seats
        held = self.chunk_members(fixed, published, generation, chunk)
        seats = chunk * per + jnp.arange(per)

        def played(at: _Seats) -> _Seats:
            seeds = episode_seeds(fixed.batch, generation, seats, at.turn * task.episodes + jnp.arange(task.episodes))
            returns, lengths, moments = self._round(held, seeds, at.playing)
            at = at._replace(
                returns=at.returns + returns,
                lengths=at.lengths + lengths,
                rounds=at.rounds + at.playing,
                moments=merged(at.moments, moments) if at.moments and moments else (),
                turn=at.turn + 1,
            )
            more = (at.lengths < task.member_steps) & jnp.isfinite(at.returns)
            return at._replace(playing=at.playing & more)

        zeros, none = jnp.zeros(per, jnp.float32), jnp.zeros(per, jnp.int32)
        moments = no_moments(task.world.observation.shape) if task.normalise else ()
        first = _Seats(seats < self.members, zeros, none, none, moments, jnp.int32(0))
        last = jax.lax.while_loop(lambda at: jnp.any(at.playing), played, first)
        fitness = (last.returns - task.bonus * last.lengths) / jnp.maximum(last.rounds * task.episodes, 1)
        return [fitness, last.lengths.astype(jnp.float32), *last.moments]

    def _round(
        self, held: PyTree, seeds: Int[Array, "seats episodes"], playing: Bool[Array, " seats"]
    ) -> tuple[Array, Array, Moments | tuple[()]]:
        """Returns and lengths, [seats], of the episodes of the seats that play."""
        task, lanes = self.task, seeds.shape

        def act(observations: Array, step: Array) -> Array:
            actions = self.actions(held, observations.reshape(*lanes, *observations.shape[1:]), seeds, step)
            return actions.reshape(-1, *actions.shape[2:])

        every = jnp.repeat(playing, lanes[1])
        done = rollout(traced(task.world), act, seeds.reshape(-1), every, held[0], task.skip, task.normalise)
        return done.returns.reshape(lanes).sum(1), done.lengths.reshape(lanes).sum(1), done.moments
