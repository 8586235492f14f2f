"""What a network's outputs are worth: fitness per example, higher is better.

A fitness is a function `(outputs [batch, classes], labels [batch]) -> [batch]`; it need not be differentiable.
"""

from collections.abc import Callable
from typing import TypeAlias

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

Fitness: TypeAlias = Callable[[Float[Array, "batch classes"], Int[Array, " batch"]], Float[Array, "*batch"]]


def cross_entropy(outputs: Float[Array, "batch classes"], labels: Int[Array, " batch"]) -> Float[Array, " batch"]:
    """f = log softmax(outputs)[label], in nats: minus the cross-entropy loss."""
    return jnp.sum(jax.nn.log_softmax(outputs) * jax.nn.one_hot(labels, outputs.shape[-1]), axis=-1)


def squared_error(outputs: Float[Array, "batch classes"], labels: Int[Array, " batch"]) -> Float[Array, " batch"]:
    """f = −Σₖ (onehot(label)ₖ − softmax(outputs)ₖ)², the blog's reward for one example."""
    onehot = jax.nn.one_hot(labels, outputs.shape[-1])
    return -jnp.sum((onehot - jax.nn.softmax(outputs)) ** 2, axis=-1)


def accuracy(outputs: Float[Array, "batch classes"], labels: Int[Array, " batch"]) -> Float[Array, " batch"]:
    """f = 1 where the largest output is the label's, else 0. No gradient exists; ES needs none."""
    return (jnp.argmax(outputs, axis=-1) == labels).astype(jnp.float32)


FITNESSES: dict[str, Fitness] = {
    "cross_entropy": cross_entropy,
    "squared_error": squared_error,
    "accuracy": accuracy,
}
