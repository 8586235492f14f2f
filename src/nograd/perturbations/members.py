"""The loops over the members of one unit, as nested `vmap`s: values that a loop does not change are computed once."""

from collections.abc import Callable
from typing import TypeAlias

import jax
from jaxtyping import Array, Float

from nograd.core.types import PyTree

# (params, *one example) -> its value, a scalar; higher is better.
Loss: TypeAlias = Callable[..., Array]
# (fitness of some directions of a tile's units, the first of them) -> their weights.
Weigh: TypeAlias = Callable[
    [Float[Array, "units directions signs"], Array | int], Float[Array, "units directions signs"]
]
SMALL = 4096  # elements of a parameter that may have dense noise of its own in every member


def signs(mirrored: bool) -> int:
    """Members a direction: two with mirrored sampling."""
    return 2 if mirrored else 1


def over_members(
    evaluate: Callable[[PyTree, Array], tuple[PyTree, PyTree]],
    noise: PyTree,
    axes: PyTree,
    directions: int,
    scales: Float[Array, " signs"],
) -> tuple[PyTree, PyTree]:
    """evaluate(noise of a direction, ±σ) -> (own, common) for all directions and signs.

    Directions outside and signs inside, both next to the example: arrays are [examples, directions, signs, …],
    so that a layer's product over all members is one large matrix product without a transposition.

    Args:
        evaluate: `own` differs between members, `common` depends on neither direction nor sign.
        noise: of a unit.
        axes: of the directions in it, as in `jax.vmap`.
        directions: how many; the noise of a loss that no parameter enters is empty.
        scales: σ, and −σ with mirrored sampling.

    Returns:
        `own` with leading axes [directions, signs], and `common` as it is.
    """

    def direction(noise: PyTree) -> tuple[PyTree, PyTree]:
        if len(scales) == 1:  # no vmap over one scale: it would only make every product a batched one
            own, common = evaluate(noise, scales[0])
            return jax.tree.map(lambda leaf: leaf[None], own), common
        return jax.vmap(lambda scale: evaluate(noise, scale), out_axes=(0, None))(scales)

    return jax.vmap(direction, in_axes=(axes,), out_axes=(0, None), axis_size=directions)(noise)
