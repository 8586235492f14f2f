"""Fitness, outputs and estimate of low-rank members, a tile of units at a time."""

from collections.abc import Callable
from typing import Any, cast

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from nograd.core.types import Params, PyTree
from nograd.perturbations.directions import Directions
from nograd.perturbations.jaxpr.factors import Factors
from nograd.perturbations.jaxpr.interpret import lift
from nograd.perturbations.members import Loss, over_members


def fitness(
    scales: Float[Array, " signs"],
    directions: int,
    loss: Loss,
    params: Params,
    inputs: PyTree,
    noise: PyTree,
    shared: bool,
) -> Float[Array, "units directions signs"]:
    """The mean over a unit's examples of the function's value for each of its members.

    Args:
        inputs: [units, group, ...], or with `shared` [batch, ...] for all units.
    """

    def unit(inputs: PyTree, noise: PyTree) -> Array:
        axes = _direction_axes(noise)

        def example(example: PyTree) -> Array:
            lifted = lift(loss, params, *example)
            return over_members(lambda noise, scale: (lifted(noise, scale), ()), noise, axes, directions, scales)[0]

        return jnp.mean(jax.vmap(example)(inputs), axis=0)

    return jax.vmap(unit, in_axes=(None if shared else 0, 0))(inputs, _all_directions(noise))


def outputs(
    scales: Float[Array, " signs"], apply: Callable[..., PyTree], params: Params, inputs: PyTree, noise: PyTree
) -> PyTree:
    """The outputs of each member's network for its own inputs; the product with the mean is computed once for all.

    Args:
        apply: (params, *inputs of a member) -> a tree of arrays; here each leaf is [units, directions, signs, ...].
        inputs: a tuple of trees of arrays [units, directions, signs, ...].
    """

    def unit(inputs: PyTree, noise: PyTree) -> PyTree:
        def direction(noise: PyTree, inputs: PyTree) -> PyTree:
            return jax.vmap(lambda scale, own: lift(apply, params, *own)(noise, scale))(scales, inputs)

        return jax.vmap(direction, (_direction_axes(noise), 0))(noise, inputs)

    return jax.vmap(unit)(inputs, _all_directions(noise))


def of_members(
    scales: Float[Array, " signs"],
    directions: int,
    function: Callable[..., PyTree],
    params: Params,
    inputs: PyTree,
    noise: PyTree,
) -> PyTree:
    """What a function of (params, *inputs) gives for each member, [units, directions, signs, ...], on the same inputs.

    A direction at a time: the inputs may be many examples.
    """
    lifted = lift(function, params, *inputs)

    def unit(noise: PyTree) -> PyTree:
        axes = _direction_axes(noise)

        def direction(at: Array) -> PyTree:
            own = jax.tree.map(lambda leaf, axis: leaf if axis is None else leaf[at], noise, axes)
            return jax.vmap(lambda scale: lifted(own, scale))(scales)

        return jax.lax.map(direction, jnp.arange(directions))

    return jax.lax.map(unit, _all_directions(noise))


def estimate(noise: PyTree, weights: Float[Array, "units directions signs"]) -> Params:
    """Σ w · ε over the members, multiplied out: one matrix product a leaf."""
    signed = weights[..., 0] - weights[..., 1] if weights.shape[-1] == 2 else weights[..., 0]

    def leaf(noise: Directions | Factors) -> Array:
        if isinstance(noise, Directions):
            return jnp.sum(noise.weighted(signed.astype(noise.values.dtype)), axis=0)
        a, directions = noise.a, cast(Directions, noise.b)
        b = directions.weighted(signed.astype(directions.values.dtype))
        units, rank = a.shape[0], a.shape[-1]
        total = jnp.einsum("uar,ubr->ab", a.reshape(units, -1, rank), b.reshape(units, -1, rank))
        return total.reshape(*a.shape[1:-1], *b.shape[1:-1])

    return jax.tree.map(leaf, noise, is_leaf=_is_noise)


def _is_noise(node: Any) -> bool:
    return isinstance(node, Factors | Directions)


def _all_directions(noise: PyTree) -> PyTree:
    """The noise with its frames as arrays [units, directions, ...]."""

    def leaf(node: Directions | Factors) -> Array | Factors:
        return node.all() if isinstance(node, Directions) else Factors(node.a, cast(Directions, node.b).all())

    return jax.tree.map(leaf, noise, is_leaf=_is_noise)


def _direction_axes(noise: PyTree) -> PyTree:
    """vmap's axes for one direction of a unit's noise: a is shared, b and dense noise are not."""
    is_factors = lambda node: isinstance(node, Factors)  # noqa: E731
    return jax.tree.map(lambda node: Factors(None, 0) if is_factors(node) else 0, noise, is_leaf=is_factors)  # type: ignore[arg-type]


def one_direction(noise: PyTree) -> PyTree:
    """The first direction of the first unit, as `lift` takes it."""
    is_factors = lambda node: isinstance(node, Factors)  # noqa: E731
    return jax.tree.map(
        lambda node: Factors(node.a[0], node.b[0, 0]) if is_factors(node) else node[0, 0],
        _all_directions(noise),
        is_leaf=is_factors,
    )
