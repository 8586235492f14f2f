"""A trained policy that acts step by step, in whatever loop its user writes."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from nograd.core.types import ConfigError, EngineError, PyTree
from nograd.envs.actions import given, usable
from nograd.envs.observing import are_several, encoded, encoded_batch
from nograd.generation.context import Context, EpisodeTask, Policy
from nograd.models.memory import advanced, carry_of


class Actor:
    """The actions of a policy, from the observations of a running episode, without any noise.

    Observations are normalised, and actions scaled to their bounds, as in the training. With `--frame-skip` each action
    is one that is held for so many steps.

    Args:
        task: the environment that the policy was trained in.
        policy: its parameters and their context.
    """

    def __init__(self, task: EpisodeTask, policy: Policy) -> None:
        self._task = task
        self._whole = jax.jit(task.whole)(policy.params, policy.context)
        self._context = policy.context._replace(reference=())
        self._state: PyTree | None = None

    def reset(self) -> None:
        """Forgets what was seen: a new episode begins."""
        self._state = None

    def act(self, observation: Any) -> Any:
        """The action that follows this observation of one environment, and those since the last `reset`.

        Raises:
            EngineError: the observation is none of this environment's, or no action follows from it.
        """
        action, self._state = self.predict(observation, self._state)
        return action

    def predict(
        self, observation: Any, state: PyTree | None = None, episode_start: Any = None, deterministic: bool = True
    ) -> tuple[Any, PyTree]:
        """The next action and the state after it, in the manner of Stable-Baselines3; this object stays as it is.

        Args:
            observation: of one environment, as it gives it; or of several, with a leading axis.
            state: what was returned for the observation before; None where episodes begin.
            episode_start: of each environment whether an episode begins with this observation, so that its part of the
                state is that of a beginning.
            deterministic: there is nothing random to turn off; for callers that pass it.

        Returns:
            One action in the environment's own form; of several environments an array of them, or a list where actions
            are nested. The state is a tree of arrays [environments, …], () for a network without memory.

        Raises:
            EngineError: an observation is none of this environment's, or no action follows from it.
            ConfigError: state or episode_start is of another number of environments.
        """
        spec = self._task.env_spec
        several = are_several(spec.observation, observation, spec.name)
        seen = (
            encoded_batch(spec.observation, observation, spec.name)
            if several
            else encoded(spec.observation, [observation], spec.name)
        )
        begun = carry_of(self._task.model, len(seen))
        state = begun if state is None else _begun_again(begun, state, episode_start, len(seen))
        chosen, after = acted(self._task, self._whole, self._context, state, seen)
        if not usable(np.asarray(chosen)).all():
            raise EngineError(
                f"no action follows from this observation of {spec.name}: the outputs are not finite; look for "
                "NaN or infinities in the observations"
            )
        actions = given(spec.action, np.asarray(chosen))
        if not several:
            return actions[0], after
        return (actions if spec.action.kind == "nested" else np.stack(actions)), after


def actor_of(task: Any, params: Any, trained_on: str) -> Actor:
    """The policy of a finished run. Raises ConfigError if its task is no environment; `trained_on` says which it is."""
    if not hasattr(task, "actor"):
        raise ConfigError(f"{trained_on}, and has no policy; use predict")
    actor: Actor = task.actor(params)
    return actor


@partial(jax.jit, static_argnums=0)
def acted(
    task: EpisodeTask, whole: Any, context: Context, carry: PyTree, observations: Array | np.ndarray
) -> tuple[Array, PyTree]:
    """The actions of a policy in environments side by side, as arrays, and what it then carries."""
    outputs, carry = advanced(task.model, whole, carry, task.see(context, observations))
    return task.act(outputs), carry


def _begun_again(begun: PyTree, state: PyTree, starts: Any, count: int) -> PyTree:
    """The state with its beginning where an episode begins. Raises ConfigError where it is none of `count` rows."""
    trees: list[Any] = list(map(jax.tree.structure, (begun, state)))
    shapes = [[jnp.shape(leaf) for leaf in jax.tree.leaves(tree)] for tree in (begun, state)]
    if trees[0] != trees[1] or shapes[0] != shapes[1]:
        raise ConfigError(
            f"the state must be what predict returned for {count} environments, with the shapes {shapes[0]}, got "
            f"{shapes[1]}; pass state=None where episodes begin"
        )
    if starts is None:
        return state
    first = np.atleast_1d(np.asarray(starts, bool))
    if first.shape != (count,):
        raise ConfigError(f"episode_start must have the shape ({count},), one for each environment, got {first.shape}")
    return jax.tree.map(lambda a, b: jnp.where(first.reshape(-1, *[1] * (a.ndim - 1)), a, b), begun, state)
