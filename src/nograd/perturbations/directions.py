"""Directions along which the members of a unit are perturbed, for one array of the network.

The directions of a unit that share everything else (an example, a factor A) are drawn *orthogonal*: with a
Hadamard matrix H and random signs s, direction d is H[d] ∘ s. Each alone is a vector of independent random signs,
so the estimate is unbiased; with as many directions as axes they are an orthogonal basis, which lowers the variance of
the estimate below that of independent directions (Choromanski et al. 2018, arXiv 1804.02395). Such a set of D
directions, called a frame, needs only the random bits of one direction.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from nograd.core.random import normal_rows, sign_rows
from nograd.core.types import ConfigError, Key

FRAME_NOISES = ("rademacher", "gaussian", "orthogonal")


class Columns(NamedTuple):
    """Columns of a Hadamard matrix: `first`, first + 1, …, `width` of them."""

    first: int
    width: int


class Directions(NamedTuple):
    """Directions ξ[u, d] = values[u, d] ∘ rows[d] of several units; an axis of length 1 is broadcast."""

    values: Float[Array, " units directions|1 *shape"]
    rows: Float[Array, " directions|1 *shape"]

    @property
    def directions(self) -> int:
        """Directions of each unit."""
        return max(self.values.shape[1], self.rows.shape[0])

    def some(self, first: Array | int, count: int) -> "Directions":
        """Some directions, first, first + 1, …, of every unit."""
        values, rows = self
        if values.shape[1] > 1:
            values = jax.lax.dynamic_slice_in_dim(values, first, count, axis=1)
        if rows.shape[0] > 1:
            rows = jax.lax.dynamic_slice_in_dim(rows, first, count)
        return Directions(values, rows)

    def all(self) -> Float[Array, "units directions *shape"]:
        """Every direction of every unit."""
        return self.values * self.rows

    def weighted(self, weights: Float[Array, "units directions"]) -> Float[Array, " units *shape"]:
        """Σ over directions of w · ξ, for orthogonal signs as one product with H."""
        if self.values.shape[1] == 1:
            return jnp.tensordot(weights, self.rows, axes=1) * self.values[:, 0]
        return jnp.einsum("ud,ud...->u...", weights, self.values)


def frame(
    noise: str,
    key: Key,
    stream: int,
    first: Array | int,
    units: int,
    directions: int,
    shape: tuple[int, ...],
    columns: Columns | None = None,
) -> Directions:
    """The directions of units first, first + 1, …: elements of mean 0 and variance 1.

    Args:
        noise: "rademacher" or "orthogonal" (orthogonal random signs), or "gaussian" (independent normals).
        key: of the generation.
        stream: of this array in the network.
        first: the number of the first unit.
        units: how many.
        directions: of each unit.
        shape: of one direction.
        columns: of the Hadamard matrix that this array uses; default all.
    """
    size = math.prod(shape)
    if noise == "gaussian":
        normals = normal_rows(key, units * directions, size, stream, jnp.asarray(first) * directions)
        return Directions(normals.reshape(units, directions, *shape), jnp.ones((1,) * (1 + len(shape)), jnp.float32))
    signs = sign_rows(key, units, size, stream, first).reshape(units, 1, *shape)
    return Directions(signs, hadamard_rows(directions, size, columns).reshape(directions, *shape))


def shared_out(noise: str, directions: int, sizes: Sequence[int]) -> list[Columns | None]:
    """The columns of each array of a network: for "orthogonal" noise its own ones, else all (None).

    Two elements with the same column cannot be told apart by the directions of one unit: what one contributes to the
    fitness is noise in the estimate of the other. With columns of their own, the arrays of a network do not disturb
    each other; an array of n elements with c columns has n/c − 1 times the variance that it would have alone. So the
    columns are dealt out one by one to where Σ n/c falls most. The first column is all ones, and is left out: what all
    directions have in common then cancels, in the estimate without mirrored pairs too.
    """
    period = _period(directions)
    used = [size for size in sizes if size]
    if noise not in ("orthogonal", "aligned") or len(used) >= period:
        return [None] * len(sizes)
    counts = [min(size, 1) for size in sizes]
    for _ in range(min(period - 1, sum(sizes)) - len(used)):
        gains = [size / (c * (c + 1)) if c < size else 0.0 for size, c in zip(sizes, counts, strict=True)]
        counts[gains.index(max(gains))] += 1
    return [Columns(1 + sum(counts[:at]), count) for at, count in enumerate(counts)]


def rows(
    noise: str, key: Key, stream: int, first: Array | int, units: int, shape: tuple[int, ...]
) -> Float[Array, " units *shape"]:
    """One draw a unit: elements of mean 0 and variance 1."""
    draw = normal_rows if noise == "gaussian" else sign_rows
    return draw(key, units, math.prod(shape), stream, first).reshape(units, *shape)


def hadamard_rows(directions: int, size: int, columns: Columns | None = None) -> Float[Array, "directions size"]:
    """The first rows of Sylvester's Hadamard matrix, H[i, j] = (−1)^popcount(i & j), with its columns repeated.

    The matrix is the smallest with that many rows; for a power of two its columns are orthogonal.
    """
    period = _period(directions)
    first, width = columns or Columns(0, period)
    matrix = np.ones((1, 1), np.float32)
    while len(matrix) < period:
        matrix = np.block([[matrix, matrix], [matrix, -matrix]])
    return jnp.asarray(matrix[:directions, first + np.arange(size) % max(width, 1)])


def _period(directions: int) -> int:
    """The smallest power of two that is not below the number of directions."""
    return 1 << max(directions - 1, 0).bit_length()


def check_frame(noise: str, directions: int, sigma: float, noises: Sequence[str] = FRAME_NOISES) -> None:
    """Raises ConfigError if the noise, the number of directions or σ is not valid."""
    if noise not in noises:
        raise ConfigError(f"noise cannot be {noise!r} here; choose one of {', '.join(noises)}")
    if not isinstance(directions, int) or directions < 1:
        raise ConfigError(f"directions must be a whole number of at least 1, got {directions}; try 32")
    if not isinstance(sigma, int | float) or not 0 < sigma < float("inf"):
        raise ConfigError(f"sigma must be a positive number, got {sigma}; 0.01 to 0.1 suit most networks")
