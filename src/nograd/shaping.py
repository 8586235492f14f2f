"""Fitness shaping: from the fitness of a population to the weights of its members in the update.

A shaping is a pure function `(fitness, valid) -> weights` over `[units, members]`: a unit is a mirrored pair
(members = 2) or a single member (members = 1). Invalid members get weight 0 and influence no other weight.
"""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

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
    centred, deviation = _centred(fitness, valid)
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


def valid_members(fitness: Float[Array, "units members"]) -> Bool[Array, "units members"]:
    """Which members are finite, and their mirrored half too.

    Half a pair is no antithetic estimate, so it would bring back the noise that mirroring removes.
    """
    return jnp.broadcast_to(jnp.all(jnp.isfinite(fitness), axis=1, keepdims=True), fitness.shape)


def weights(
    shaping: Shaping, fitness: Float[Array, "units members"]
) -> tuple[Float[Array, "units members"], Bool[Array, "units members"]]:
    """Shaped weights, and which members are valid."""
    valid = valid_members(fitness)
    return shaping(jnp.where(valid, fitness, 0.0), valid), valid


class Fused(NamedTuple):
    """A shaping in two halves, so that fitness and estimate take one pass: weights = scale(all) · of_pair(own)."""

    of_pair: Shaping  # from each pair alone
    scale: Callable[[Float[Array, "units members"], Bool[Array, "units members"]], Float[Array, ""]]


def fused(shaping: Shaping, members: int) -> Fused | None:
    """The two halves of a shaping for units of this many members; None where weights need the whole population.

    Only the difference of a mirrored pair's weights counts, so that the mean of `standardized` cancels in it.
    """
    if shaping is raw or (shaping is sign and members == 2):
        return Fused(shaping, lambda fitness, valid: jnp.float32(1.0))
    if shaping is standardized and members == 2:
        return Fused(raw, lambda fitness, valid: _reciprocal(_centred(fitness, valid)[1]))
    return None


def _reciprocal(deviation: Float[Array, ""]) -> Float[Array, ""]:
    return jnp.where(deviation > 0, 1.0 / jnp.where(deviation > 0, deviation, 1.0), 0.0)


def _centred(
    fitness: Float[Array, "units members"], valid: Bool[Array, "units members"]
) -> tuple[Float[Array, "units members"], Float[Array, ""]]:
    """f − mean f over the valid members, 0 elsewhere, and the standard deviation."""
    count = jnp.maximum(jnp.sum(valid), 1)
    # From the largest on, so that equal fitness is exactly zero: the mean of n equal floats may miss them by an ulp.
    fitness = fitness - jnp.max(fitness, where=valid, initial=-jnp.inf)
    centred = jnp.where(valid, fitness - jnp.sum(jnp.where(valid, fitness, 0.0)) / count, 0.0)
    return centred, jnp.sqrt(jnp.sum(centred**2) / count)


SHAPINGS: dict[str, Shaping] = {
    "raw": raw,
    "standardized": standardized,
    "centered_rank": centered_rank,
    "sign": sign,
}
