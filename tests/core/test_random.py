"""The statistics of words, signs and normals, and the laws of their addresses."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from nograd.core.random import ANGLE_STREAM, _cos_pi, mix, random_normals, random_signs, random_words


def first_of(*cases):
    """The first for every day, the others before a release."""
    return [cases[0], *(pytest.param(case, marks=pytest.mark.slow) for case in cases[1:])]


COUNT = 1 << 20
DRAWS = [random_words, random_signs, random_normals]


def key_of(seed, unit=5):
    return jax.random.fold_in(jax.random.key(seed), unit)


@jax.jit
def correlations(left, right):
    """[32, 32] correlations of each bit of `left` with each bit of `right`, in standard errors."""

    def signs_of_bits(words):
        return 2.0 * (words[:, None] >> jnp.arange(32, dtype=jnp.uint32) & 1).astype(jnp.float32) - 1.0

    def push(total, parts):  # at most 2²⁰ signs in float32: exact
        return total + signs_of_bits(parts[0]).T @ signs_of_bits(parts[1]), None

    parts = (left.reshape(64, -1), right.reshape(64, -1))
    return jnp.abs(jax.lax.scan(push, jnp.zeros((32, 32)), parts)[0]) / jnp.sqrt(float(left.size))


def balance(words):
    """[32] biases of the bits, in standard errors."""
    ones = np.stack([np.count_nonzero(words >> np.uint32(bit) & 1) for bit in range(32)])
    return np.abs(2 * ones - words.size) / np.sqrt(words.size)


def correlation(left, right):
    """The correlation of two samples, in standard errors of independent ones."""
    return abs(np.corrcoef(np.ravel(left), np.ravel(right))[0, 1]) * np.sqrt(np.size(left))


@pytest.mark.parametrize("seed", first_of(0, 1, 2))
def test_bits_are_balanced_and_independent_within_a_word(seed):
    words = np.asarray(random_words(key_of(seed), COUNT))
    assert balance(words).max() < 6
    within = np.array(correlations(words, words))
    np.testing.assert_allclose(within[np.eye(32, dtype=bool)], np.sqrt(COUNT))  # each bit with itself
    assert within[~np.eye(32, dtype=bool)].max() < 6


@pytest.mark.parametrize("lag", first_of(32, 1, 2, 3, 31, 1000))
def test_words_do_not_correlate_with_later_ones(lag):
    words = np.asarray(random_words(key_of(lag), COUNT + lag))
    assert correlations(words[:-lag], words[lag:]).max() < 6


def test_words_of_two_keys_do_not_correlate():
    left, right = (np.asarray(random_words(key_of(seed), COUNT)) for seed in (0, 1))
    assert correlations(left, right).max() < 6


@pytest.mark.parametrize("streams", first_of((0, ANGLE_STREAM), (0, 1), (0, 1 << 31), (3_000_000_001, 17)))
def test_words_of_two_streams_do_not_correlate(streams):
    left, right = (np.asarray(random_words(key_of(0), COUNT, stream)) for stream in streams)
    assert correlations(left, right).max() < 6


def unmix(word):
    """The inverse of `mix`."""
    for factor, shift in ((None, 15), (0x735A2D97, 15), (0x21F0AAAD, 16)):
        word = word * pow(factor, -1, 1 << 32) % (1 << 32) if factor else word
        word = word ^ word >> shift ^ (word >> 30 if shift == 15 else 0)
    return word


@pytest.mark.parametrize("lag", first_of(1, -7))
def test_words_of_overlapping_counters_do_not_correlate(lag):
    """Two streams, and two keys, whose hashed counters are the same but for a shift: the worst that can be."""
    first, second = (int(word) for word in jax.random.key_data(key_of(0)))
    start = int(mix(jnp.uint32(first)))
    near = first ^ unmix((start + lag) % (1 << 32))
    assert int(mix(jnp.uint32(first ^ near))) == (start + lag) % (1 << 32)
    words = np.asarray(random_words(key_of(0), COUNT + 16))[8:][:COUNT]
    key = jax.random.wrap_key_data(jnp.array([first ^ near, second ^ 1], jnp.uint32))
    for other in (random_words(key_of(0), COUNT + 16, stream=near), random_words(key, COUNT + 16)):
        assert correlations(words, np.asarray(other)[8 - lag :][:COUNT]).max() < 6


def test_every_bit_flips_every_bit_half_of_the_time():
    words = random_words(key_of(0), 1 << 14)
    flips = jnp.stack([mix(words ^ jnp.uint32(1 << bit)) ^ mix(words) for bit in range(32)])
    share = np.unpackbits(np.asarray(flips)[..., None].view(np.uint8), axis=2).mean(axis=1)
    assert share.shape == (32, 32)
    # Two multiplications leave a small bias; six standard errors of this sample are 0.023.
    assert np.abs(share - 0.5).max() < 0.05


@pytest.mark.parametrize("seed", first_of(0, 1))
def test_words_of_consecutive_units_do_not_correlate(seed):
    keys = jax.vmap(lambda unit: key_of(seed, unit))(jnp.arange((1 << 15) + 1))
    words = np.asarray(jax.vmap(lambda key: random_words(key, 32))(keys))
    assert balance(words).max() < 6
    assert correlations(words[:-1], words[1:]).max() < 6


def test_first_words_of_consecutive_seeds_do_not_correlate():
    """Seeds 0, 1, 2, … differ in few bits and are not folded: the plainest keys there are."""
    words = np.asarray(jax.vmap(lambda seed: random_words(jax.random.key(seed), 1)[0])(jnp.arange(COUNT + 1)))
    assert balance(words).max() < 6
    assert correlations(words[:-1], words[1:]).max() < 6


@pytest.mark.parametrize("seed", first_of(0, 1, 2))
def test_signs_are_plus_or_minus_one_balanced_and_independent(seed):
    signs = np.asarray(random_signs(key_of(seed), COUNT))
    assert signs.dtype == np.float32
    assert set(np.unique(signs)) == {-1.0, 1.0}
    assert abs(signs.sum()) < 6 * np.sqrt(COUNT)
    for lag in (1, 2, 31, 32, 33, 64):
        assert abs(np.dot(signs[:-lag], signs[lag:])) < 6 * np.sqrt(COUNT - lag)


@pytest.mark.parametrize("seed", first_of(0, 1, 2))
def test_normals_follow_the_normal_distribution(seed):
    normals = np.asarray(random_normals(key_of(seed), COUNT), np.float64)
    assert stats.kstest(normals, "norm").pvalue > 1e-4
    # Standard errors of the first four moments of n normals: 1, √2, √6 and √24 over √n.
    moments = [normals.mean(), normals.var() - 1, stats.skew(normals), stats.kurtosis(normals)]
    assert np.all(np.abs(moments) < 6 * np.sqrt(np.array([1, 2, 6, 24]) / COUNT))


@pytest.mark.parametrize("seed", first_of(0, 1))
def test_tails_of_normals_are_as_heavy_as_they_should_be_and_finite(seed):
    normals = np.asarray(random_normals(key_of(seed), 1 << 22))
    assert np.all(np.isfinite(normals))
    assert np.abs(normals).max() < np.sqrt(2 * 33 * np.log(2)) + 1e-5  # the smallest uniform is 2⁻³³
    for bound in (3.0, 4.0):
        for tail in (normals > bound, normals < -bound):
            expected = normals.size * stats.norm.sf(bound)
            assert abs(tail.sum() - expected) < 6 * np.sqrt(expected)


@pytest.mark.parametrize("power", [1, 2], ids=["values", "squares"])
def test_normals_do_not_correlate_with_their_neighbours_other_units_or_streams(power):
    normals = np.asarray(random_normals(key_of(0), COUNT)) ** power
    for lag in (1, 2, 3, 64):
        assert correlation(normals[:-lag], normals[lag:]) < 6
    for other in (random_normals(key_of(0, 6), COUNT), random_normals(key_of(0), COUNT, stream=1)):
        assert correlation(normals, np.asarray(other) ** power) < 6


@pytest.mark.usefixtures("optimized")  # products and sums are fused by LLVM
@pytest.mark.parametrize("draw", DRAWS)
def test_an_address_has_the_same_bits_under_jit_vmap_and_map(draw):
    keys = jax.random.split(jax.random.key(7), 5)
    count = 101
    alone = np.stack([jax.jit(lambda key: draw(key, count, 3))(key) for key in keys])
    np.testing.assert_array_equal(jax.jit(jax.vmap(lambda key: draw(key, count, 3)))(keys), alone)
    np.testing.assert_array_equal(jax.lax.map(lambda key: draw(key, count, 3), keys), alone)
    plain = np.stack([draw(key, count, 3) for key in keys])
    if draw is random_normals:  # operation by operation, no product is fused with a sum
        np.testing.assert_allclose(plain, alone, rtol=0, atol=2e-6)
    else:
        np.testing.assert_array_equal(plain, alone)


@pytest.mark.parametrize("draw", DRAWS)
@pytest.mark.parametrize("count", first_of(33, 1, 2, 7, 31, 32, 100, 1023))
def test_an_element_does_not_depend_on_the_count(draw, count):
    compiled = jax.jit(draw, static_argnums=1)
    drawn = np.asarray(compiled(key_of(3), count))
    assert drawn.shape == (count,)
    np.testing.assert_array_equal(drawn, compiled(key_of(3), 4096)[:count])


@pytest.mark.parametrize("draw", DRAWS)
def test_key_and_stream_are_both_part_of_the_address(draw):
    drawn = [draw(key_of(seed, unit), 100, stream) for seed in (0, 1) for unit in (0, 1) for stream in (0, 1)]
    assert len({np.asarray(values).tobytes() for values in drawn}) == 8
    np.testing.assert_array_equal(draw(key_of(0, 0), 100, 0), drawn[0])


def test_cosine_of_half_turns():
    turns = np.linspace(-1, 1, 200_001, dtype=np.float32)
    np.testing.assert_allclose(_cos_pi(jnp.asarray(turns)), np.cos(np.pi * turns.astype(np.float64)), rtol=0, atol=1e-6)
