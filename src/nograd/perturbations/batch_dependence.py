"""Tests, on a few examples, whether a function's value for an example depends on the other examples of the batch."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nograd.core.precision import as_floats
from nograd.core.types import PyTree

EXAMPLES = 4
_TOLERANCE = 1e-2  # of the largest value: rounding differs between a batch and a single example


def depends_on_others(function: Callable[..., Any], *inputs: PyTree) -> bool:
    """Whether function(*inputs) on a batch of `EXAMPLES` examples differs from its values on each example alone.

    Args:
        function: (*inputs [examples, ...]) -> [examples, ...].
        inputs: arrays of `EXAMPLES` examples.

    Returns:
        True if two or more examples have another value. A single one may only be a threshold that rounding crossed.
    """

    @jax.jit
    def both(*inputs: PyTree) -> tuple[Any, list[Any]]:
        alone = [as_floats(function(*_one(inputs, number))).reshape(-1) for number in range(EXAMPLES)]
        return as_floats(function(*inputs)), alone

    together, alone = both(*inputs)
    left, right = np.asarray(together).reshape(EXAMPLES, -1), np.stack([np.asarray(value) for value in alone])
    if left.shape != right.shape:
        return True
    size = np.max(np.abs(left), where=np.isfinite(left), initial=0.0)
    same = np.isclose(left, right, rtol=0, atol=_TOLERANCE * size + 1e-6, equal_nan=True).all(axis=1)
    return int(np.sum(~same)) > 1


def _one(inputs: PyTree, number: int) -> PyTree:
    """A batch of one example."""
    return jax.tree.map(lambda leaf: leaf[number : number + 1], inputs)


def trial(tree: PyTree, rows: int | None = None) -> PyTree:
    """A tree of the same shapes and types with trial values: normals for floats, zeros for all others.

    Args:
        tree: arrays or shapes.
        rows: the length of the leading axis; default the tree's own.
    """
    draws = np.random.default_rng(0)

    def leaf(leaf: Any) -> Any:
        shape = jnp.shape(leaf) if rows is None else (rows, *jnp.shape(leaf)[1:])
        kind = jnp.result_type(leaf)
        if not jnp.issubdtype(kind, jnp.floating):
            return np.zeros(shape, kind)
        return np.asarray(draws.normal(size=shape), np.float32).astype(kind)

    return jax.tree.map(leaf, tree)
