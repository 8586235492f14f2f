"""Directions of weights along the data: the factor A of a matrix that multiplies the examples themselves.

For an example x a step σ A Bᵀ of W changes the output of the layer by σ (x·A) B. With random signs for A, what is
learnt of x has noise in all directions that the data have; with A made of the group's own examples, only in theirs.
"""

import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from nograd.core.types import Params, PyTree
from nograd.perturbations.directions import Directions
from nograd.perturbations.jaxpr.factors import Factors
from nograd.perturbations.jaxpr.flatten import flat_jaxpr
from nograd.perturbations.members import Loss

_SAME_NUMBERS = {"broadcast_in_dim", "convert_element_type", "copy", "expand_dims", "reshape", "squeeze"}


def data_matrices(loss: Loss, params: Params, example: PyTree, cuts: Sequence[int | None]) -> tuple[int | None, ...]:
    """For each leaf of the parameters: which leaf of the example all of its rows multiply, in one product x W.

    Args:
        loss: (params, *one example) -> its value.
        params: the mean, or its shapes.
        example: one, or its shapes.
        cuts: the number of axes of each leaf that are its rows; None where it has no factors.

    Returns:
        The number of an array of the example; None for every other leaf.
    """
    jaxpr = flat_jaxpr(loss, params, *example)[0].jaxpr
    leaves = jax.tree.leaves(params)
    of_params = {variable: at for at, variable in enumerate(jaxpr.invars[: len(leaves)])}
    of_data = {variable: at for at, variable in enumerate(jaxpr.invars[len(leaves) :])}
    found: list[int | None] = [None] * len(leaves)
    for equation in jaxpr.eqns:
        read = [atom for atom in equation.invars if not hasattr(atom, "val")]
        if read and read[0] in of_data and _is_reshaped(equation):
            of_data[equation.outvars[0]] = of_data[read[0]]
        if equation.primitive.name == "dot_general" and len(read) == 2:
            x, weights = read
            at = of_params.get(weights)
            if x in of_data and at is not None and _is_whole_product(equation, x, weights, cuts[at]):
                found[at] = of_data[x]
    return tuple(found)


def aligned(data: Sequence[int | None], noise: PyTree, inputs: PyTree, shared: bool) -> PyTree:
    """The noise of low-rank members with the factors A of some leaves along the examples; see `along_data`.

    Args:
        data: for each leaf the number of the array of the examples that it goes by, or None; () for all None.
        noise: a tree of `Factors` and `Directions`.
        inputs: [units, group, ...], or with `shared` [batch, ...] for all units.
    """
    if not any(at is not None for at in data):
        return noise
    examples = jax.tree.leaves(inputs)
    leaves, structure = jax.tree.flatten(noise, is_leaf=lambda leaf: isinstance(leaf, Factors | Directions))
    for place, at in enumerate(data):
        if at is not None:
            a, b = leaves[place]
            x = jnp.broadcast_to(examples[at], (a.shape[0], *examples[at].shape)) if shared else examples[at]
            leaves[place] = Factors(along_data(a, x), b)
    return jax.tree.unflatten(structure, leaves)


def _is_reshaped(equation: Any) -> bool:
    """Whether the result has the numbers of the first operand, in their order."""
    return equation.primitive.name in _SAME_NUMBERS and equation.invars[0].aval.size == equation.outvars[0].aval.size


def _is_whole_product(equation: Any, x: Any, weights: Any, cut: int | None) -> bool:
    """Whether x W contracts all of x with all rows of W, in their order."""
    (of_x, of_weights), (batch, _) = equation.params["dimension_numbers"]
    if cut is None or batch or tuple(of_weights) != tuple(range(cut)) or list(of_x) != sorted(of_x):
        return False
    rows: int = math.prod(weights.aval.shape[:cut])
    return rows == x.aval.size == math.prod(x.aval.shape[axis] for axis in of_x)


def along_data(
    signs: Float[Array, " units *rows rank"], x: Float[Array, " units group *features"]
) -> Float[Array, " units *rows rank"]:
    """A = Σᵢ sᵢ xᵢ / c over a group's examples, with random signs s and c² the mean of |xᵢ|².

    So x·A has about the size that it has with random signs for A. The estimate is that of the gradient times the
    group's matrix of products xᵢ·xⱼ / c², near the identity for examples of mean 0 that are not alike. A group of more
    examples than x has numbers keeps random signs.
    """
    units, group, rank = x.shape[0], x.shape[1], signs.shape[-1]
    flat = x.reshape(units, group, -1)
    if group > flat.shape[2]:
        return signs
    own = signs.reshape(units, -1, rank)[:, :group]
    size = jnp.sqrt(jnp.mean(jnp.sum(flat * flat, axis=2), axis=1))
    total = jnp.einsum("ugi,ugr->uir", flat, own) / jnp.where(size > 0, size, 1.0)[:, None, None]
    return total.reshape(signs.shape).astype(signs.dtype)
