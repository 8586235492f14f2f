"""Generations on episodes: programs make the members of a chunk and their actions, the host steps the environment."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from nograd.generation.base import Fixed, Named, flattened
from nograd.generation.policy import EpisodeGeneration, Published


@dataclass(frozen=True)
class Episodes(EpisodeGeneration):
    """Generations of an `Environment` task that the host steps."""

    deadline: float = 60.0  # seconds without a step, after which the environment counts as hung

    def host(self) -> dict[str, Any]:
        """What `nograd.engines.host_evaluator.Rollout` is made from."""
        task, (chunks, size, width) = self.task, self.fitness_shape
        return {
            "make": "nograd.engines.host_evaluator:Rollout",
            "env_spec": task.env_spec.portable,
            "shape": [chunks, size, width],
            "members": self.members,
            "episodes": task.episodes,
            "limit": task.limit,
            "skip": task.skip,
            "member_steps": task.member_steps,
            "bonus": task.bonus,
            "moments": task.normalise,
            "deadline": self.deadline,
            "carry": [[list(leaf.shape), str(leaf.dtype)] for leaf in jax.tree.leaves(jax.eval_shape(self.carry))],
        }

    def evaluating(self, fixed: Fixed, published: Published, flat: Sequence[Any]) -> Named:
        """`members` of a chunk, and `act`: the actions that they take, and the leaves of what they then carry.

        At step 0 what was carried is left out for what an episode begins with.
        """
        back, number = flattened(fixed, published), jax.ShapeDtypeStruct((), jnp.int32)

        def members(fixed: Any, published: Any, generation: Any, chunk: Any) -> Any:
            return jax.tree.leaves(self.chunk_members(*back(fixed, published), generation, chunk))

        held = jax.eval_shape(self.chunk_members, fixed, published, number, number)
        carried = jax.eval_shape(self.carry)

        def act(flat: Any, observations: Any, seeds: Any, step: Any, *before: Any) -> Any:
            carry = jax.tree.unflatten(jax.tree.structure(carried), before)
            carry = jax.tree.map(lambda first, later: jnp.where(step == 0, first, later), self.carry(), carry)
            members = jax.tree.unflatten(jax.tree.structure(held), flat)
            actions, after = self.actions(members, observations, seeds, step, carry)
            return [actions, *jax.tree.leaves(after)]

        slots = (self.slots, self.task.episodes)
        shown = self.task.env_spec.observation
        seen = jax.ShapeDtypeStruct((*slots, *shown.shape), jnp.dtype(shown.dtype))
        seeds = jax.ShapeDtypeStruct(slots, jnp.int32)
        return {
            "members": (members, [*flat, number]),
            "act": (act, [jax.tree.leaves(held), seen, seeds, number, *jax.tree.leaves(carried)]),
        }
