"""Layers of the built-in networks: their first weights, and what they compute."""

import itertools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from nograd.core.types import Key, ModelError
from nograd.models.base import Shape

_glorot = jax.nn.initializers.glorot_uniform()


def init_layers(key: Key, widths: Sequence[int]) -> list[dict[str, Array]]:
    """Dense layers between consecutive widths."""
    keys = jax.random.split(key, len(widths) - 1)
    return [init_kernel(k, pair) for k, pair in zip(keys, itertools.pairwise(widths), strict=True)]


def init_kernel(key: Key, shape: Shape) -> dict[str, Array]:
    """A kernel [..., inputs, units] from U(±√(6 / (fan in + fan out))) (Glorot and Bengio 2010), a bias of zeros."""
    return {"kernel": _glorot(key, shape, jnp.float32), "bias": jnp.zeros(shape[-1], jnp.float32)}


def widths_of(shape: Shape, hidden: Sequence[int], classes: int) -> list[int]:
    """The widths of a chain of dense layers, from the flattened input to the classes."""
    return [int(np.prod(shape)), *hidden, classes]


def chain_spec(word: str, hidden: Sequence[int]) -> str:
    """What the command line calls a chain of these widths: `mlp:128,64`, `mlp`. Raises ModelError for a width < 1."""
    widths = ",".join(map(str, hidden))
    if any(width < 1 for width in hidden):
        raise ModelError(f"{word} widths must be at least 1, got {widths}; try {word}:128")
    return f"{word}:{widths}" if hidden else word


def flat(x: Float[Array, " batch *features"]) -> Float[Array, "batch inputs"]:
    """x as [examples, features]."""
    return x.reshape(x.shape[0], -1)


def dense(layer: dict[str, Array], x: Array) -> Array:
    """x W + b."""
    return x @ layer["kernel"] + layer["bias"]


def conv(layer: dict[str, Array], x: Array) -> Array:
    """A stride-1 convolution that keeps the image's size, as one product with the patches of x.

    XLA's own convolution takes about twice as long on a CPU, more where a mirrored pair has two kernels; and
    the patches of the data are the same for the whole population.
    """
    rows, columns, _, features = layer["kernel"].shape
    height, width = x.shape[1:3]
    padded = jnp.pad(x, ((0, 0), (rows // 2, rows // 2), (columns // 2, columns // 2), (0, 0)))
    across = jnp.concatenate([padded[:, :, j : j + width] for j in range(columns)], axis=-1)
    patches = jnp.concatenate([across[:, i : i + height] for i in range(rows)], axis=-1)
    return patches @ layer["kernel"].reshape(-1, features) + layer["bias"]


def pool(x: Float[Array, "batch height width channels"]) -> Array:
    """The largest of each 2×2 block; an odd last row or column is left out."""
    batch, height, width, channels = x.shape
    blocks = x[:, : height // 2 * 2, : width // 2 * 2].reshape(batch, height // 2, 2, width // 2, 2, channels)
    return blocks.max((2, 4))


def columns(key: Key, before: int, after: int, norm: float) -> Float[Array, "before after"]:
    """First weights of a layer: a random direction a unit, of this length."""
    kernel = jax.random.normal(key, (before, after), jnp.float32)
    return norm * kernel / jnp.linalg.norm(kernel, axis=0, keepdims=True)
