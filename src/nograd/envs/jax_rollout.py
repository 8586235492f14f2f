"""Episodes of a JAX environment inside a compiled program: what `rollout.run_episodes` does on the host."""

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

    state: PyTree  # of the environments, leaves [envs, …]; after its end an episode keeps its last state
    active: Bool[Array, " envs"]
    returns: Float[Array, " envs"]  # NaN where the environment gave a NaN
    lengths: Int[Array, " envs"]
    moments: Moments | tuple[()]  # of the observations for which the policy chose an action; () if not wanted
    step: Int[Array, ""]  # actions chosen so far
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
    """Plays one episode for each seed, side by side, until the longest is over.

    Args:
        env: the environment's pure functions; see `envs.traced`.
        act: the policy. It always gets all environments; for a finished episode its last observation.
        seeds: seeds of the episodes. An episode depends on its seed and its actions only.
        active: which environments are stepped; the others have a return and a length of 0.
        limit: environment steps after which an episode is cut.
        skip: environment steps for which each action is repeated.
        moments: whether to collect the moments of the observations.
        carry: the policy's carry before the first step, leaves [envs, …].

    Returns:
        The batch after the last step, with returns and lengths of all episodes.
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
        usable = _finite(actions)  # outputs that are NaN give no valid action
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
    """One step of the environments whose episodes are not over. An episode ends if its environment says so, or gives
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
    """The new values for running episodes and the old ones for finished episodes, in the dtype of the old ones."""
    new = new if new.dtype == old.dtype else new.astype(old.dtype)
    return jnp.where(active.reshape(-1, *[1] * (old.ndim - 1)), new, old)


def _finite(x: Array) -> Bool[Array, " envs"]:
    """Which rows hold no NaN and no infinity in float32."""
    return jnp.isfinite(x.astype(jnp.float32)).reshape(len(x), -1).all(1)
