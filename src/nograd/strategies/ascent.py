"""The step of strategies whose mean climbs an estimate by an Optax optimizer, and the state where that is all."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int

from nograd.core.precision import as_floats
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
    # Optax descends, ES climbs. In float32 at least: of half-precision leaves so is the state of the optimizer.
    descent = scaled(-scale, wide(total))
    updates, opt_state = optimizer.update(descent, state.opt_state, state.params)
    params = optax.apply_updates(state.params, updates)
    after = state._replace(params=params, opt_state=opt_state, generation=state.generation + 1)
    return after, scale * norm(total)


def decayed(optimizer: optax.GradientTransformation, weight_decay: float) -> optax.GradientTransformation:
    """The optimizer with λθ added to −g before it. Raises ConfigError for a λ that cannot be."""
    if not 0 <= weight_decay < float("inf"):
        raise ConfigError(f"weight_decay must be 0 or a positive number, got {weight_decay}; try 1e-4")
    return in_float32(optax.chain(optax.add_decayed_weights(weight_decay), optimizer) if weight_decay else optimizer)


def wide(tree: PyTree) -> PyTree:
    """The tree with its half-precision leaves in float32."""
    return jax.tree.map(as_floats, tree)


def in_float32(optimizer: optax.GradientTransformation) -> optax.GradientTransformation:
    """The optimizer with its state and arithmetic in float32 where parameters are half floats.

    In float16 Adam's ε of 1e-8 is 0, and the square of a gradient below 2e-4 too; in bfloat16 a running mean stands
    still as soon as its changes are below 1 in 256.
    """

    def update(updates: Params, state: PyTree, params: Params | None = None) -> tuple[Params, PyTree]:
        return optimizer.update(wide(updates), state, None if params is None else wide(params))

    return optax.GradientTransformation(lambda params: optimizer.init(wide(params)), update)
