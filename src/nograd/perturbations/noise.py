"""The noise ε of one address: Gaussian, Rademacher, or a slice of a shared table."""

import math
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from nograd.core.random import random_normals, random_signs, random_words
from nograd.core.trees import leaf_streams
from nograd.core.types import ConfigError, Key, Params, PyTree

TABLE_SIZE = 1 << 24  # 64 MiB of float32: beyond any cache, as the draws of a generation would be
_TABLE_SEED = 0


class Noise(NamedTuple):
    """A source of ε with mean 0 and variance 1 an element.

    `prepare()` makes what all draws share (the table; otherwise nothing) and is called once, outside of any
    trace; `draw(shared, key, like)` returns ε with the shapes and types of `like`.
    """

    name: str
    prepare: Callable[[], PyTree]
    draw: Callable[[PyTree, Key, Params], Params]


def gaussian() -> Noise:
    """ε ~ N(0, I)."""
    return Noise("gaussian", tuple, lambda shared, key, like: _per_leaf(random_normals, key, like))


def rademacher() -> Noise:
    """ε in {−1, +1}ᵈ, each with probability ½: the moments that ES needs for one random bit an element."""
    return Noise("rademacher", tuple, lambda shared, key, like: _per_leaf(random_signs, key, like))


def orthogonal() -> Noise:
    """Raises ConfigError: members of a dense perturbation have independent draws."""
    raise ConfigError("noise orthogonal is for lowrank and node; use rademacher")


def aligned() -> Noise:
    """Raises ConfigError: members of a dense perturbation have no factors."""
    raise ConfigError("noise aligned is for lowrank; use rademacher")


def table(size: int = TABLE_SIZE) -> Noise:
    """ε = table[o : o + d] with one random offset a leaf: the shared noise table of Salimans et al. 2017.

    Args:
        size: elements of the table, the same for every run and worker. The chance that two draws overlap is
            about 2 · leaf size / size.
    """

    def draw(shared: Float[Array, " size"], key: Key, like: Params) -> Params:
        def slice_of(key: Key, count: int, stream: int) -> Float[Array, " count"]:
            if count > size:
                raise ConfigError(
                    f"the noise table of {size:,} elements is smaller than a layer of {count:,}; "
                    "use noise gaussian or rademacher, or a larger table"
                )
            offset = random_words(key, 1, stream)[0] % jnp.uint32(size - count + 1)
            return jax.lax.dynamic_slice(shared, (offset.astype(jnp.int32),), (count,))

        return _per_leaf(slice_of, key, like)

    return Noise("table", lambda: _noise_table(size), draw)


@lru_cache(maxsize=1)
def _noise_table(size: int) -> Float[Array, " size"]:
    """`size` normals of a fixed seed, shifted and scaled to mean 0 and variance 1 exactly."""
    with jax.ensure_compile_time_eval():  # a tracer must not get into the cache
        values = jax.jit(random_normals, static_argnums=1)(jax.random.key(_TABLE_SEED), size)
        return (values - jnp.mean(values)) / jnp.std(values)


def _per_leaf(draw: Callable[[Key, int, int], Array], key: Key, like: Params) -> Params:
    leaves, structure = jax.tree.flatten(like)
    drawn = [
        draw(key, math.prod(leaf.shape), stream).reshape(leaf.shape).astype(leaf.dtype)
        for leaf, stream in zip(leaves, leaf_streams(like), strict=True)
    ]
    return jax.tree.unflatten(structure, drawn)
