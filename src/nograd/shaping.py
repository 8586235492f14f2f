"""Fitness shaping: from the fitness of a population to the weights of its members in the update.

A shaping is a pure function `(fitness, valid) -> weights` over `[units, members]`: a unit is a mirrored pair
(members = 2) or a single member (members = 1). Invalid members get weight 0 and influence no other weight.
"""

from collections.abc import Callable
from typing import TypeAlias

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

Shaping: TypeAlias = Callable[
    [Float[Array, "units members"], Bool[Array, "units members"]], Float[Array, "units members"]
]


def raw(fitness: Float[Array, "units members"], valid: Bool[Array, "units members"]) -> Float[Array, "units members"]:
    """w = f."""
    return jnp.where(valid, fitness, 0.0)


def standardized(
    fitness: Float[Array, "units members"], valid: Bool[Array, "units members"]
) -> Float[Array, "units members"]:
    """w = (f − mean f) / std f, the z-score over the valid members; all zero where they are equal."""
    count = jnp.maximum(jnp.sum(valid), 1)
    # From the largest on, so that equal fitness is exactly zero: the mean of n equal floats may miss them by an ulp.
    fitness = fitness - jnp.max(fitness, where=valid, initial=-jnp.inf)
    centred = jnp.where(valid, fitness - jnp.sum(jnp.where(valid, fitness, 0.0)) / count, 0.0)
    deviation = jnp.sqrt(jnp.sum(centred**2) / count)
    return jnp.where(deviation > 0, centred / jnp.where(deviation > 0, deviation, 1.0), 0.0)


def centered_rank(
    fitness: Float[Array, "units members"], valid: Bool[Array, "units members"]
) -> Float[Array, "units members"]:
    """w = rank(f) / (n − 1) − ½ in [−½, ½] over the n valid members (Salimans et al. 2017, section 2.1).

    Equal fitness shares the mean of its ranks, so that ties (accuracy as the fitness) bring no noise.
    """
    count = jnp.sum(valid)
    ordered = jnp.sort(jnp.where(valid, fitness, jnp.inf), axis=None)
    below = jnp.searchsorted(ordered, fitness, side="left")
    up_to = jnp.minimum(jnp.searchsorted(ordered, fitness, side="right"), count)
    # rank − (n − 1)/2 before the division, which need not be exact: all equal is then exactly zero.
    centred = 0.5 * (below + up_to - count)
    return jnp.where(valid & (count > 1), centred / jnp.maximum(count - 1, 1), 0.0)


def sign(fitness: Float[Array, "units members"], valid: Bool[Array, "units members"]) -> Float[Array, "units members"]:
    """w = ±sign(f₊ − f₋) / 2 for a mirrored pair; sign(f − mean f) for single members.

    A pair's two weights differ by exactly 1 (or 0 on a tie), so no outlier outweighs another pair.
    """
    if fitness.shape[1] == 2:
        half = 0.5 * jnp.sign(jnp.where(valid, fitness, 0.0) @ jnp.array([1.0, -1.0]))
        return jnp.where(valid, jnp.stack([half, -half], axis=1), 0.0)
    fitness = fitness - jnp.max(fitness, where=valid, initial=-jnp.inf)  # equal fitness is exactly zero, as above
    mean = jnp.sum(jnp.where(valid, fitness, 0.0)) / jnp.maximum(jnp.sum(valid), 1)
    return jnp.where(valid, jnp.sign(fitness - mean), 0.0)


SHAPINGS: dict[str, Shaping] = {
    "raw": raw,
    "standardized": standardized,
    "centered_rank": centered_rank,
    "sign": sign,
}
