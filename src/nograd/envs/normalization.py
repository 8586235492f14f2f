"""Running moments of observations, merged exactly in the order of the chunks (Chan, Golub & LeVeque 1979)."""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

CLIP = 5.0  # standard deviations to which a normalised observation is clipped (Salimans et al. 2017)


class Moments(NamedTuple):
    """The moments of some observations: count, mean, and sum of squared deviations. Arrays of NumPy or JAX."""

    count: Any  # []
    mean: Any  # [*shape]
    squares: Any  # [*shape]


def no_moments(shape: tuple[int, ...]) -> Moments:
    """The moments of no observations: all zero."""
    return Moments(jnp.float32(0), jnp.zeros(shape), jnp.zeros(shape))


def merged(one: Moments, other: Moments) -> Moments:
    """The moments of both sets together: M = M₁ + M₂ + δ² n₁n₂/(n₁ + n₂) with δ = m₂ − m₁.

    Merging in another grouping gives the same up to rounding.
    """
    count = one.count + other.count
    share = other.count / (count + (count == 0))
    delta = other.mean - one.mean
    return Moments(count, one.mean + delta * share, one.squares + other.squares + delta * delta * one.count * share)


def moments_of(x: Float[Array, " batch *shape"], counted: Bool[Array, " batch"]) -> Moments:
    """The moments of the observations that count, in two passes."""
    mask, count = counted.reshape(-1, *[1] * (x.ndim - 1)), jnp.sum(counted, dtype=jnp.float32)
    mean = jnp.sum(jnp.where(mask, x, 0.0), 0) / jnp.maximum(count, 1.0)
    return Moments(count, mean, jnp.sum(jnp.where(mask, (x - mean) ** 2, 0.0), 0))


def normalised(moments: Moments, x: Float[Array, "*batch features"]) -> Float[Array, "*batch features"]:
    """(x − m)/s clipped to ±5, with s² = M/n; x itself if n = 0, and for a feature that is constant."""
    variance = moments.squares / jnp.maximum(moments.count, 1)
    scale = jnp.where(variance > 1e-12, jnp.sqrt(jnp.maximum(variance, 1e-12)), 1.0)
    return jnp.where(moments.count > 1, jnp.clip((x - moments.mean) / scale, -CLIP, CLIP), x)


class MomentSums:
    """Adds up the moments of observations batch by batch, in float64.

    It sums deviations from the first observation: sums of the values themselves would lose digits by cancellation.
    """

    def __init__(self) -> None:
        self._count, self._shift, self._sum, self._squares = 0, np.zeros(0), np.zeros(0), np.zeros(0)

    def add(self, observations: np.ndarray) -> None:
        """Adds observations [batch, *shape]."""
        if not self._count:
            self._shift = observations[0].astype(np.float64)
            self._sum, self._squares = np.zeros_like(self._shift), np.zeros_like(self._shift)
        deviation = observations - self._shift
        self._count += len(observations)
        self._sum += deviation.sum(0)
        self._squares += np.einsum("i...,i...->...", deviation, deviation)

    def moments(self) -> Moments:
        """The moments of all observations so far."""
        count = max(self._count, 1)
        squares = np.maximum(self._squares - self._sum * self._sum / count, 0.0)
        return Moments(float(self._count), self._shift + self._sum / count, squares)
