"""Pytree arithmetic, one random stream a leaf path, and sums along a fixed binary tree."""

import zlib
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int

from nograd.types import ConfigError, Params, PyTree


def leaf_names(tree: PyTree) -> list[str]:
    """The path of each leaf as one string, in leaf order: `layers/0/kernel`."""
    paths, _ = jax.tree_util.tree_flatten_with_path(tree)
    return [jax.tree_util.keystr(path, simple=True, separator="/") for path, _ in paths]


def require_floats(params: Params) -> None:
    """Raises ConfigError where a parameter is not an array of floating-point numbers."""
    for name, leaf in zip(leaf_names(params), jax.tree.leaves(params), strict=True):
        if not jnp.issubdtype(jnp.result_type(leaf), jnp.floating):
            raise ConfigError(
                f"parameter {name!r} is {jnp.result_type(leaf)}; ES perturbs floating-point arrays only, "
                "so convert it or keep it out of the parameters"
            )


def leaf_streams(tree: PyTree) -> list[int]:
    """A 32-bit number a leaf, from its path alone: one layer more leaves the draws of the others alone."""
    return [zlib.crc32(name.encode()) for name in leaf_names(tree)]


def parameter_count(tree: PyTree) -> int:
    """Σ over leaves of their number of elements."""
    return sum(int(np.prod(jnp.shape(leaf))) for leaf in jax.tree.leaves(tree))


def add(left: PyTree, right: PyTree) -> PyTree:
    """left + right, leaf by leaf."""
    return jax.tree.map(jnp.add, left, right)


def add_scaled(tree: PyTree, scale: Array | float, direction: PyTree) -> PyTree:
    """tree + scale · direction, in the leaf's own precision."""
    return jax.tree.map(lambda leaf, step: leaf + jnp.asarray(scale, leaf.dtype) * step, tree, direction)


def scaled(scale: Array | float, tree: PyTree) -> PyTree:
    """scale · tree, in the leaf's own precision."""
    return jax.tree.map(lambda leaf: jnp.asarray(scale, leaf.dtype) * leaf, tree)


def norm(tree: PyTree) -> Array:
    """The Euclidean norm √Σ leaf²."""
    return jnp.sqrt(sum(jnp.sum(jnp.square(leaf)) for leaf in jax.tree.leaves(tree)))


def all_finite(tree: PyTree) -> Bool[Array, ""]:
    """Whether no leaf holds a NaN or an infinity."""
    return jnp.all(jnp.stack([jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves(tree)]))


def binary_tree_sum(term: Callable[[Int[Array, ""]], tuple[Params, PyTree]], count: int) -> tuple[Params, PyTree]:
    """Σᵢ term(i) for i in 0..count−1, added along a fixed binary tree in log₂(count) + 1 buffers.

    The tree is the one of a binary counter: two finished sums of 2ˡ terms merge into one of 2ˡ⁺¹. Its shape
    depends on `count` alone, so whoever computes a whole subtree gets the bits that the whole sum would.

    Args:
        term: maps a traced index to a tree of arrays to be added up, and one to be stacked beside it.
        count: the number of terms, at least 1.

    Returns:
        The sum, and what the terms had beside it with a leading axis of `count`.
    """
    if count == 1:
        total, beside = term(jnp.int32(0))
        return total, jax.tree.map(lambda leaf: leaf[None], beside)
    # Level l of the stack holds a finished sum of 2ˡ terms: log(count) trees, not count of them.
    levels = count.bit_length()
    merges = jnp.asarray([(~index & (index + 1)).bit_length() - 1 for index in range(count)])
    shapes, _ = jax.eval_shape(term, jnp.int32(0))
    stack = jax.tree.map(lambda leaf: jnp.zeros((levels, *leaf.shape), leaf.dtype), shapes)

    def take(tree: PyTree, level: Array) -> PyTree:
        return jax.tree.map(lambda leaf: jax.lax.dynamic_index_in_dim(leaf, level, keepdims=False), tree)

    def push(stack: PyTree, index: Array) -> tuple[PyTree, PyTree]:
        level = merges[index]
        own, beside = term(index)
        total = jax.lax.fori_loop(0, level, lambda below, right: add(take(stack, below), right), own)
        return jax.tree.map(lambda leaf, new: leaf.at[level].set(new), stack, total), beside

    stack, beside = jax.lax.scan(push, stack, jnp.arange(count))
    present = [level for level in range(levels) if count >> level & 1]
    total = take(stack, jnp.int32(present[0]))
    for level in present[1:]:
        total = add(take(stack, jnp.int32(level)), total)
    return total, beside
