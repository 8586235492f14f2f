"""Episodes of an environment of JAX as part of a program: the twin of `rollout.play`, without the host."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from nograd.core.types import PyTree
from nograd.envs.jax_env import begun, observed, stepped
from nograd.envs.normalization import Moments, merged, moments_of, no_moments

# (observations [lanes, *shape], step) -> actions [lanes, …]
Act: TypeAlias = Callable[[Array, Int[Array, ""]], Array]


class Rolled(NamedTuple):
    """Episodes side by side."""

    state: PyTree  # of the environment, each leaf [lanes, …]; that of the last step where an episode is over
    playing: Bool[Array, " lanes"]
    returns: Float[Array, " lanes"]  # NaN where the environment gave a NaN
    lengths: Int[Array, " lanes"]
    moments: Moments | tuple[()]  # of the observations that were acted on
    step: Int[Array, ""]  # actions so far


def rollout(
    env: Any,
    act: Act,
    seeds: Int[Array, " lanes"],
    playing: Bool[Array, " lanes"],
    limit: Int[Array, ""],
    skip: int = 1,
    moments: bool = False,
) -> Rolled:
    """One episode a seed, all from their first step to the last of the longest.

    Args:
        env: the environment's pure functions; see `envs.traced`.
        act: the policy. It sees all lanes, the last observation of those that are over.
        seeds: of the episodes; what happens in one follows from its seed and its own actions alone.
        playing: the lanes that play at all; the others have a return and a length of 0.
        limit: steps of the environment after which an episode is cut.
        skip: steps that an action is held for.
        moments: whether they are wanted.
    """
    state, zeros = jax.vmap(partial(begun, env))(seeds), jnp.zeros(seeds.shape, jnp.float32)
    see = jax.vmap(observed)
    seen = no_moments(see(state).shape[1:]) if moments else ()
    sound = _finite(state.obs)
    returns = jnp.where(playing & ~sound, jnp.nan, zeros)
    first = Rolled(state, playing & sound, returns, zeros.astype(jnp.int32), seen, jnp.int32(0))

    def acted(lanes: Rolled) -> Rolled:
        x = see(lanes.state)
        if isinstance(lanes.moments, Moments):
            of_step = moments_of(x.astype(jnp.float32), lanes.playing)
            lanes = lanes._replace(moments=merged(lanes.moments, of_step))
        actions = act(x, lanes.step)
        usable = _finite(actions)  # a member whose outputs are NaN has no action
        lanes = lanes._replace(
            playing=lanes.playing & usable, returns=jnp.where(lanes.playing & ~usable, jnp.nan, lanes.returns)
        )
        if skip == 1:
            lanes = _stepped(env, lanes, actions)
        else:
            held = jnp.minimum(skip, limit - lanes.step * skip)
            lanes = jax.lax.fori_loop(0, held, lambda _, lanes: _stepped(env, lanes, actions), lanes)
        return lanes._replace(step=lanes.step + 1)

    return jax.lax.while_loop(lambda lanes: jnp.any(lanes.playing) & (lanes.step * skip < limit), acted, first)


def _stepped(env: Any, lanes: Rolled, actions: Array) -> Rolled:
    """One step of the lanes that play; an episode is over where its environment says so or gives a NaN or infinity."""
    new, playing = jax.vmap(partial(stepped, env))(lanes.state, actions), lanes.playing
    reward = new.reward.astype(jnp.float32)
    broken = ~jnp.isfinite(reward) | ~_finite(new.obs)
    gained = lanes.returns + jnp.where(broken, jnp.nan, reward)
    return lanes._replace(
        state=jax.tree.map(partial(_where, playing), new, lanes.state),
        playing=playing & (new.done == 0) & ~broken,
        returns=jnp.where(playing, gained, lanes.returns),
        lengths=lanes.lengths + playing,
    )


def _where(playing: Bool[Array, " lanes"], new: Array, old: Array) -> Array:
    """The new leaf in the lanes that play, of the type that it had at the beginning."""
    new = new if new.dtype == old.dtype else new.astype(old.dtype)
    return jnp.where(playing.reshape(-1, *[1] * (old.ndim - 1)), new, old)


def _finite(x: Array) -> Bool[Array, " lanes"]:
    """Which rows hold no NaN and no infinity, as float32 has them."""
    return jnp.isfinite(x.astype(jnp.float32)).reshape(len(x), -1).all(1)
