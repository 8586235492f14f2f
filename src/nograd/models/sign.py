"""A network of hard signs: the output of each hidden unit is +1 or −1, and its gradient is 0 everywhere."""

import jax.numpy as jnp
from jaxtyping import Array

from nograd.models.base import Builder
from nograd.models.layers import chain_spec
from nograd.models.mlp import mlp


def hard_sign(x: Array) -> Array:
    """+1 where x ≥ 0, else −1. Zero counts as +1, unlike in `jnp.sign`, so that a unit has two values only."""
    return jnp.where(x >= 0, jnp.ones_like(x), -jnp.ones_like(x))


def mlp_sign(*hidden: int) -> Builder:
    """x → (Dense(h) → hard sign) for h in hidden → Dense(classes). Glorot-uniform weights, zero biases.

    The scale of a hidden layer's weights and biases does not matter, only their directions, as in a perceptron
    (Rosenblatt 1958).
    """
    return Builder(chain_spec("mlp-sign", hidden), mlp(*hidden, activation=hard_sign).build)
