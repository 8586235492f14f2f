"""Episodes of an environment of JAX as part of a program: the twin of `rollout.run_episodes`, without the host."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from nograd.core.types import PyTree
from nograd.envs.jax_env import begun, observed, stepped
from nograd.envs.normalization import Moments, merged, moments_of, no_moments

# (observations [envs, *shape], step, carry) -> (actions [envs, …], carry)
Act: TypeAlias = Callable[[Array, Int[Array, ""], PyTree], tuple[Array, PyTree]]


class EpisodeBatch(NamedTuple):
    """The state of episodes that run side by side."""

    state: PyTree  # of the environment, each leaf [envs, …]; that of the last step where an episode is over
    active: Bool[Array, " envs"]
    returns: Float[Array, " envs"]  # NaN where the environment gave a NaN
    lengths: Int[Array, " envs"]
    moments: Moments | tuple[()]  # of the observations that were acted on
    step: Int[Array, ""]  # actions so far
    carry: PyTree = ()  # of the policy, leaves [envs, …]


def rollout(
    env: Any,
    act: Act,
    seeds: Int[Array, " envs"],
    active: Bool[Array, " envs"],
    limit: Int[Array, ""],
    skip: int = 1,
    moments: bool = False,
    carry: PyTree = (),
) -> EpisodeBatch:
    """One episode a seed, all from their first step to the last of the longest.

    Args:
        env: the environment's pure functions; see `envs.traced`.
        act: the policy. It sees all environments, the last observation of those that are over.
        seeds: of the episodes; what happens in one follows from its seed and its own actions alone.
        active: the environments that are stepped at all; the others have a return and a length of 0.
        limit: steps of the environment after which an episode is cut.
        skip: steps that an action is held for.
        moments: whether they are wanted.
        carry: of the policy before the first step, leaves [envs, …].
    """
    state, zeros = jax.vmap(partial(begun, env))(seeds), jnp.zeros(seeds.shape, jnp.float32)
    see = jax.vmap(observed)
    seen = no_moments(see(state).shape[1:]) if moments else ()
    sound = _finite(see(state))
    returns = jnp.where(active & ~sound, jnp.nan, zeros)
    first = EpisodeBatch(state, active & sound, returns, zeros.astype(jnp.int32), seen, jnp.int32(0), carry)

    def acted(batch: EpisodeBatch) -> EpisodeBatch:
        x = see(batch.state)
        if isinstance(batch.moments, Moments):
            of_step = moments_of(x.astype(jnp.float32), batch.active)
            batch = batch._replace(moments=merged(batch.moments, of_step))
        actions, carry = act(x, batch.step, batch.carry)
        usable = _finite(actions)  # a member whose outputs are NaN has no action
        batch = batch._replace(
            active=batch.active & usable, returns=jnp.where(batch.active & ~usable, jnp.nan, batch.returns)
        )
        if skip == 1:
            batch = _stepped(env, batch, actions)
        else:
            held = jnp.minimum(skip, limit - batch.step * skip)
            batch = jax.lax.fori_loop(0, held, lambda _, batch: _stepped(env, batch, actions), batch)
        return batch._replace(step=batch.step + 1, carry=carry)

    return jax.lax.while_loop(lambda batch: jnp.any(batch.active) & (batch.step * skip < limit), acted, first)


def _stepped(env: Any, batch: EpisodeBatch, actions: Array) -> EpisodeBatch:
    """One step of the environments whose episodes are not over. An episode ends where its environment says so, or gives
    a NaN or an infinity."""
    new, active = jax.vmap(partial(stepped, env))(batch.state, actions), batch.active
    reward = new.reward.astype(jnp.float32)
    broken = ~jnp.isfinite(reward) | ~_finite(jax.vmap(observed)(new))
    gained = batch.returns + jnp.where(broken, jnp.nan, reward)
    return batch._replace(
        state=jax.tree.map(partial(_where, active), new, batch.state),
        active=active & (new.done == 0) & ~broken,
        returns=jnp.where(active, gained, batch.returns),
        lengths=batch.lengths + active,
    )


def _where(active: Bool[Array, " envs"], new: Array, old: Array) -> Array:
    """The new leaf where episodes are not over, of the type that it had at the beginning."""
    new = new if new.dtype == old.dtype else new.astype(old.dtype)
    return jnp.where(active.reshape(-1, *[1] * (old.ndim - 1)), new, old)


def _finite(x: Array) -> Bool[Array, " envs"]:
    """Which rows hold no NaN and no infinity in float32."""
    return jnp.isfinite(x.astype(jnp.float32)).reshape(len(x), -1).all(1)
