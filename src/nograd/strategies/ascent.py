"""The update of strategies that move the mean along an estimate with an Optax optimizer, and their state."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int

from nograd.core.precision import as_floats
from nograd.core.trees import norm, scaled
from nograd.core.types import ConfigError, Params, PyTree


class State(NamedTuple):
    """The state, between generations, of a strategy that adapts only the mean, with an Optax optimizer."""

    params: Params  # the mean θ
    opt_state: PyTree  # the state of the Optax optimizer
    generation: Int[Array, ""]


def start(optimizer: optax.GradientTransformation, params: Params) -> State:
    """The state of generation 0."""
    return State(params, optimizer.init(params), jnp.int32(0))


def ascend(
    optimizer: optax.GradientTransformation, state: Any, scale: Float[Array, ""], total: Params
) -> tuple[Any, Float[Array, ""]]:
    """θ ← θ + optimizer(g) with g = scale · total.

    `state` may be any NamedTuple with the three fields of `State`. Returns the next state and the norm of g.
    """
    # Optax minimises, ES maximises: hence the minus. At least float32, also for parameters in half precision.
    descent = scaled(-scale, wide(total))
    updates, opt_state = optimizer.update(descent, state.opt_state, state.params)
    params = optax.apply_updates(state.params, updates)
    after = state._replace(params=params, opt_state=opt_state, generation=state.generation + 1)
    return after, scale * norm(total)


def decayed(optimizer: optax.GradientTransformation, weight_decay: float) -> optax.GradientTransformation:
    """The optimizer with the gradient of an L2 term, λθ, added to its input −g. Raises ConfigError if λ is negative."""
    if not 0 <= weight_decay < float("inf"):
        raise ConfigError(f"weight_decay must be 0 or a positive number, got {weight_decay}; try 1e-4")
    return in_float32(optax.chain(optax.add_decayed_weights(weight_decay), optimizer) if weight_decay else optimizer)


def wide(tree: PyTree) -> PyTree:
    """The tree with its half-precision leaves in float32."""
    return jax.tree.map(as_floats, tree)


def in_float32(optimizer: optax.GradientTransformation) -> optax.GradientTransformation:
    """The optimizer with its state and its arithmetic in float32 if the parameters are in half precision.

    In float16, Adam's ε of 1e-8 rounds to 0, and so does the square of a gradient below 2e-4. In bfloat16, a running
    mean no longer changes when its increments are below 1/256 of it.
    """

    def update(updates: Params, state: PyTree, params: Params | None = None) -> tuple[Params, PyTree]:
        return optimizer.update(wide(updates), state, None if params is None else wide(params))

    return optax.GradientTransformation(lambda params: optimizer.init(wide(params)), update)
