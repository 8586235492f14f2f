"""A network whose hidden units climb in steps: five values a unit, and a gradient that is 0 everywhere."""

import jax.numpy as jnp
from jaxtyping import Array

from nograd.models.base import Builder
from nograd.models.layers import chain_spec
from nograd.models.mlp import mlp

STEP, HIGHEST = 0.5, 2.0


def staircase(x: Array) -> Array:
    """⌊x / ½⌋ · ½, cut to 0 ≤ y ≤ 2: the values 0, ½, 1, 1½, 2."""
    return jnp.clip(jnp.floor(x / STEP) * STEP, 0.0, HIGHEST)


def mlp_staircase(*hidden: int) -> Builder:
    """x → (Dense(h) → staircase) for h in hidden → Dense(classes). Glorot-uniform weights, zero biases."""
    return Builder(chain_spec("mlp-staircase", hidden), mlp(*hidden, activation=staircase).build)
