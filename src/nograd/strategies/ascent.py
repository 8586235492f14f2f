"""The step of strategies whose mean climbs an estimate by an Optax optimizer, and the state where that is all."""

from typing import Any, NamedTuple

import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int

from nograd.core.trees import norm, scaled
from nograd.core.types import ConfigError, Params, PyTree


class State(NamedTuple):
    """What is carried from one generation to the next."""

    params: Params  # the mean θ
    opt_state: PyTree  # of the Optax optimizer
    generation: Int[Array, ""]


def start(optimizer: optax.GradientTransformation, params: Params) -> State:
    """The state of generation 0."""
    return State(params, optimizer.init(params), jnp.int32(0))


def ascend(
    optimizer: optax.GradientTransformation, state: Any, scale: Float[Array, ""], total: Params
) -> tuple[Any, Float[Array, ""]]:
    """θ ← θ + optimizer(g) with g = scale · total: the state (any with these three fields) and the norm of g."""
    # Optax descends, ES climbs.
    descent = scaled(-scale, total)
    updates, opt_state = optimizer.update(descent, state.opt_state, state.params)
    params = optax.apply_updates(state.params, updates)
    after = state._replace(params=params, opt_state=opt_state, generation=state.generation + 1)
    return after, scale * norm(total)


def decayed(optimizer: optax.GradientTransformation, weight_decay: float) -> optax.GradientTransformation:
    """The optimizer with λθ added to −g before it. Raises ConfigError for a λ that cannot be."""
    if not 0 <= weight_decay < float("inf"):
        raise ConfigError(f"weight_decay must be 0 or a positive number, got {weight_decay}; try 1e-4")
    return optax.chain(optax.add_decayed_weights(weight_decay), optimizer) if weight_decay else optimizer
