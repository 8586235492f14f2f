"""Random words, signs and normals from a key and a counter, so that any element can be drawn again alone.

JAX's own generator spends most of a normal's time on its 32 random bits (on a CPU, 20 rounds of Threefry in a
loop that is not unrolled). Here the *address* of a draw is still a JAX key, folded by Threefry; only the words
under that key come from a cheaper keyed hash. The tests check the statistics that ES needs.
"""

import math
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, UInt32

from nograd.core.types import Key

_SIGN_BIT = np.uint32(0x80000000)
# One leaf needs several independent streams. Each is the leaf's number, exclusive-or one of these constants.
ANGLE_STREAM = 0x9E3779B9  # the angles of normals; the radii use the leaf's own number
ROW_STREAM = 0x5BD1E995  # the factor A of a matrix; the factor B uses the leaf's own number
_ONE = np.uint32(0x3F800000)  # the bits of 1.0 in float32
# sin(πx) on [−½, ½] as x·P(x²), Taylor to x¹³: the next term is below 1e−9, float32's spacing is 6e−8.
_SINE = [math.pi ** (2 * i + 1) * (-1) ** i / math.factorial(2 * i + 1) for i in range(7)]


def mix(word: Any) -> Any:
    """A bijection of 32-bit words in which every input bit flips every output bit with probability ≈ ½.

    Two multiplications and three shifts, with the constants of the `lowbias32` family found by exhaustive
    search (C. Wellons, "Prospecting for Hash Functions", 2018; constants by T. Ettinger). It takes arrays of JAX
    or of NumPy.
    """
    word = (word ^ (word >> 16)) * np.uint32(0x21F0AAAD)
    word = (word ^ (word >> 15)) * np.uint32(0x735A2D97)
    return word ^ (word >> 15)


# Traced once for each shape and inlined into the programs that draw: tracing these lines again for each leaf and loop
# took a tenth of the time to start a training.
_inlined = partial(jax.jit, static_argnames=("count", "stream"), inline=True)


@_inlined
def random_words(key: Key, count: int, stream: int = 0, start: Array | int = 0) -> UInt32[Array, " count"]:
    """wᵢ = mix(mix(i + k₀) ⊕ k₁): 32 random bits for each counter i under a 64-bit key (k₀, k₁).

    Args:
        key: a scalar key of `jax.random.key`.
        count: how many words, below 2³².
        stream: any 32-bit number; the streams of one key are independent (each leaf of the parameters has its own).
        start: the first counter.
    """
    words = jax.random.key_data(key)
    k0 = mix(words[0] ^ jnp.uint32(stream))
    k1 = mix(words[1] + mix(jnp.uint32(stream)))
    counters = jax.lax.iota(jnp.uint32, count) + jnp.asarray(start, jnp.uint32)
    return mix(mix(counters + k0) ^ k1)


@_inlined
def random_signs(key: Key, count: int, stream: int = 0, start: Array | int = 0) -> Float[Array, " count"]:
    """Rademacher draws, +1 or −1 with probability ½ each: one random bit per element.

    Args:
        start: the counter of the first word; each word gives 32 signs.
    """
    half = -(-count // 64)
    # In a loop: otherwise XLA fuses the words into the signs and computes each word 32 times.
    starts = jnp.arange(2, dtype=jnp.uint32) * jnp.uint32(half) + jnp.asarray(start, jnp.uint32)
    words = jax.lax.map(lambda start: random_words(key, half, stream, start), starts).reshape(-1)
    return _signs(words).reshape(-1)[:count]


def sign_rows(key: Key, rows: int, width: int, stream: int = 0, first: Array | int = 0) -> Float[Array, "rows width"]:
    """Rows first, first + 1, … of an endless matrix of random signs. A row depends only on key, stream and number."""
    words = -(-width // 32)
    start = jnp.asarray(first, jnp.uint32) * jnp.uint32(words)
    return random_signs(key, rows * words * 32, stream, start).reshape(rows, -1)[:, :width]


def normal_rows(key: Key, rows: int, width: int, stream: int = 0, first: Array | int = 0) -> Float[Array, "rows width"]:
    """Rows first, first + 1, … of an endless matrix of standard normals. See `sign_rows`."""
    start = jnp.asarray(first, jnp.uint32) * jnp.uint32(width)
    return random_normals(key, rows * width, stream, start).reshape(rows, width)


def _signs(words: UInt32[Array, " n"]) -> Float[Array, "n 32"]:
    # A float's sign is its top bit: shift each of the 32 bits there and put it before the bits of 1.0.
    bits = (words[:, None] << jax.lax.iota(jnp.uint32, 32)) & _SIGN_BIT
    return jax.lax.bitcast_convert_type(bits | _ONE, jnp.float32)


@_inlined
def random_normals(key: Key, count: int, stream: int = 0, start: Array | int = 0) -> Float[Array, " count"]:
    """Standard normals by Box and Muller (1958): z = √(−2 ln u) · cos(πv), u in (0, 1], v in [−1, 1).

    Only the cosine half is kept: with both halves in one array XLA's CPU code does not vectorise, which costs more
    than the two random words per normal.
    """
    uniform = (random_words(key, count, stream, start).astype(jnp.float32) + 0.5) * np.float32(2.0**-32)
    angle = random_words(key, count, stream ^ ANGLE_STREAM, start)
    turn = angle.astype(jnp.int32).astype(jnp.float32) * np.float32(2.0**-31)
    return jnp.sqrt(-2.0 * jnp.log(uniform)) * _cos_pi(turn)


def _cos_pi(turn: Float[Array, "*n"]) -> Float[Array, "*n"]:
    """cos(πv) for v in [−1, 1], as sin(π(½ − |v|))."""
    x = 0.5 - jnp.abs(turn)
    square = x * x
    polynomial = jnp.full_like(x, _SINE[-1])
    for coefficient in _SINE[-2::-1]:
        polynomial = polynomial * square + np.float32(coefficient)
    return polynomial * x
