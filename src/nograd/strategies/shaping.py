"""Fitness shaping: from the fitness of a population to the weights of its members in the update.

A shaping is a pure function `(fitness, valid) -> weights` over `[units, members]`: a unit is a mirrored pair
(members = 2) or a single member (members = 1). Invalid members get weight 0 and influence no other weight.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

Shaping: TypeAlias = Callable[
    [Float[Array, "units members"], Bool[Array, "units members"]], Float[Array, "units members"]
]

_COMPARED = 128  # members


def raw(fitness: Float[Array, "units members"], valid: Bool[Array, "units members"]) -> Float[Array, "units members"]:
    """w = f: the fitness itself."""
    return jnp.where(valid, fitness, 0.0)


def centred(
    fitness: Float[Array, "units members"], valid: Bool[Array, "units members"]
) -> Float[Array, "units members"]:
    """w = f − mean f, over the valid members."""
    return _centred(fitness, valid)[0]


def standardized(
    fitness: Float[Array, "units members"], valid: Bool[Array, "units members"]
) -> Float[Array, "units members"]:
    """w = (f − mean f) / std f, the z-score over the valid members; all 0 if their fitness is equal."""
    return _scores(*_centred(fitness, valid))


def _scores(centred: Float[Array, "units members"], deviation: Float[Array, ""]) -> Float[Array, "units members"]:
    return jnp.where(deviation > 0, centred / jnp.where(deviation > 0, deviation, 1.0), 0.0)


def centered_rank(
    fitness: Float[Array, "units members"], valid: Bool[Array, "units members"]
) -> Float[Array, "units members"]:
    """w = rank(f) / (n − 1) − ½ in [−½, ½] over the n valid members (Salimans et al. 2017, section 2.1).

    Members with equal fitness get the mean of their ranks, so ties (common with accuracy) add no noise.
    """
    count = jnp.sum(valid)
    ordered = jnp.sort(jnp.where(valid, fitness, jnp.inf), axis=None)
    below = places(ordered, fitness, "left")
    up_to = jnp.minimum(places(ordered, fitness, "right"), count)
    # rank − (n − 1)/2 before the division, which may round: weights are then exactly zero if all fitness is equal.
    centred = 0.5 * (below + up_to - count)
    return jnp.where(valid & (count > 1), centred / jnp.maximum(count - 1, 1), 0.0)


def sign(fitness: Float[Array, "units members"], valid: Bool[Array, "units members"]) -> Float[Array, "units members"]:
    """w = ±sign(f₊ − f₋) / 2 for a mirrored pair; sign(f − mean f) for single members.

    The two weights of a pair differ by exactly 1 (0 on a tie), so an outlier counts no more than any other pair.
    """
    if fitness.shape[1] == 2:
        half = 0.5 * jnp.sign(jnp.where(valid, fitness, 0.0) @ jnp.array([1.0, -1.0]))
        return jnp.where(valid, jnp.stack([half, -half], axis=1), 0.0)
    fitness = fitness - jnp.max(fitness, where=valid, initial=-jnp.inf)  # equal fitness is exactly zero, as above
    mean = jnp.sum(jnp.where(valid, fitness, 0.0)) / jnp.maximum(jnp.sum(valid), 1)
    return jnp.where(valid, jnp.sign(fitness - mean), 0.0)


def utilities(
    fitness: Float[Array, "units members"], valid: Bool[Array, "units members"]
) -> Float[Array, "units members"]:
    """w = max(0, ln(n/2 + 1) − ln k) / Σ − 1/n for the k-th best of n valid members (Wierstra et al. 2014).

    The better half shares a weight of 1, of which better members get more; all weights sum to 0.
    """
    count = jnp.maximum(jnp.sum(valid), 1)
    table = jnp.log(count / 2 + 1) - jnp.log(jnp.arange(1, fitness.size + 1))
    return jnp.where(valid, by_place(jnp.maximum(table, 0.0), fitness, valid) - 1.0 / count, 0.0)


def recombination(
    fitness: Float[Array, "units members"], valid: Bool[Array, "units members"]
) -> Float[Array, "units members"]:
    """w = `recombination_weights`[k] / Σ for the member in place k; n counts dropped members too."""
    return by_place(jnp.asarray(recombination_weights(fitness.size), jnp.float32), fitness, valid)


def recombination_weights(count: int) -> np.ndarray:
    """w = max(0, ln((n + 1)/2) − ln k) / Σ for the k-th best of n, [count]: CMA-ES (Hansen 2016, table 1).

    The worse half has weight 0. The variance of the weighted mean is that of 1/Σ w² equally weighted members.
    """
    table = np.maximum(np.log((count + 1) / 2) - np.log(np.arange(1, count + 1)), 0.0)
    return table / table.sum()


@dataclass(frozen=True)
class TopK:
    """The z-scores of the `directions` pairs with the largest max(f₊, f₋), else 0 (Mania et al. 2018, ARS)."""

    directions: int

    def __call__(
        self, fitness: Float[Array, "units members"], valid: Bool[Array, "units members"]
    ) -> Float[Array, "units members"]:
        share = shares(jnp.max(jnp.where(valid, fitness, -jnp.inf), axis=1), self.directions)
        chosen = valid & (share > 0)[:, None]
        return share[:, None] * _scores(*_centred(fitness, chosen, share[:, None]))


def shares(values: Float[Array, " values"], count: int) -> Float[Array, " values"]:
    """1 for the `count` largest values, 0 for the others; values that tie for the last places share what is left."""
    least = jax.lax.top_k(values, count)[0][-1]
    above, tied = values > least, values == least
    return jnp.where(above, 1.0, jnp.where(tied, (count - jnp.sum(above)) / jnp.sum(tied), 0.0))


def by_place(
    table: Float[Array, " places"], fitness: Float[Array, "units members"], valid: Bool[Array, "units members"]
) -> Float[Array, "units members"]:
    """w = table[k] / Σ for the member in place k; place 0 is the best; equal fitness gets the mean of its places.

    The weights of the valid members sum to 1; members with equal fitness have exactly equal weights.
    """
    count = jnp.sum(valid)
    table = jnp.where(jnp.arange(len(table)) < count, table, 0.0)
    sums = jnp.concatenate([jnp.zeros(1), jnp.cumsum(table)])
    total = jnp.where(count > 0, sums[-1], 1.0)
    # Divided before any difference is taken, so that the sum of all is exactly 1.
    table, sums = table / total, sums / total
    ordered = jnp.sort(jnp.where(valid, -fitness, jnp.inf), axis=None)
    first = places(ordered, -fitness, "left")
    after = jnp.minimum(places(ordered, -fitness, "right"), count)
    shared = (sums[after] - sums[first]) / jnp.maximum(after - first, 1)
    # A difference of sums has lost digits, so it is used for ties only.
    return jnp.where(valid, jnp.where(after - first == 1, table[first], shared), 0.0)


def places(ordered: Float[Array, " sorted"], values: Float[Array, "*shape"], side: str) -> Int[Array, "*shape"]:
    """How many of the sorted values are below each value (side "left"), or not above it ("right")."""
    # All comparisons at once, while they are few, take a tenth of the time of a binary search, which is a loop.
    method = "compare_all" if ordered.size <= _COMPARED else "scan"
    return jnp.searchsorted(ordered, values, side=side, method=method)


def valid_members(fitness: Float[Array, "units members"]) -> Bool[Array, "units members"]:
    """Which members take part in the update: those of units in which every fitness is finite.

    One half of a mirrored pair alone would bring back the noise that mirroring removes.
    """
    return jnp.broadcast_to(jnp.all(jnp.isfinite(fitness), axis=1, keepdims=True), fitness.shape)


def weights(
    shaping: Shaping, fitness: Float[Array, "units members"]
) -> tuple[Float[Array, "units members"], Bool[Array, "units members"]]:
    """The weights after shaping, and which members are valid."""
    valid = valid_members(fitness)
    return shaping(jnp.where(valid, fitness, 0.0), valid).astype(fitness.dtype), valid


class Fused(NamedTuple):
    """A shaping that is a product scale(all fitness) · of_pair(own fitness): one pass evaluates and sums members."""

    of_pair: Shaping  # uses the fitness of each pair alone
    scale: Callable[[Float[Array, "units members"], Bool[Array, "units members"]], Float[Array, ""]]  # uses all fitness


def fused(shaping: Shaping, members: int) -> Fused | None:
    """The two factors of a shaping, for units of `members` members; None if its weights need the whole population.

    For mirrored pairs only the difference of the two weights counts, so the mean in `standardized` cancels.
    """
    if shaping is raw or (shaping is sign and members == 2):
        return Fused(shaping, lambda fitness, valid: jnp.float32(1.0))
    if shaping is standardized and members == 2:
        return Fused(raw, lambda fitness, valid: _reciprocal(_centred(fitness, valid)[1]))
    return None


def _reciprocal(deviation: Float[Array, ""]) -> Float[Array, ""]:
    return jnp.where(deviation > 0, 1.0 / jnp.where(deviation > 0, deviation, 1.0), 0.0)


def _centred(
    fitness: Float[Array, "units members"],
    valid: Bool[Array, "units members"],
    share: Float[Array, "units 1"] | float = 1.0,
) -> tuple[Float[Array, "units members"], Float[Array, ""]]:
    """f − mean f over the valid members (else 0), and the standard deviation; a member counts with its share."""
    share = jnp.where(valid, share, 0.0)
    count = jnp.maximum(jnp.sum(share), 1)
    # Relative to the largest, so that equal fitness gives exactly 0: the rounded mean of n equal floats may differ.
    fitness = fitness - jnp.max(fitness, where=valid, initial=-jnp.inf)
    centred = jnp.where(valid, fitness - jnp.sum(jnp.where(valid, share * fitness, 0.0)) / count, 0.0)
    return centred, jnp.sqrt(jnp.sum(share * centred**2) / count)
