"""Frames of directions: orthogonal, unbiased, and the same whoever draws them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import nograd as ng
from nograd.core.types import ConfigError
from nograd.perturbations.directions import check_frame, frame, hadamard_rows, rows, shared_out

KEY = jax.random.fold_in(jax.random.key(2), 7)
UNITS = 4096


def directions_of(noise, directions, shape, units=UNITS, first=0, stream=5, key=KEY):
    return np.asarray(jax.jit(lambda key: frame(noise, key, stream, first, units, directions, shape).all())(key))


@pytest.mark.parametrize(("directions", "shape"), [(1, (3,)), (8, (2, 4)), (16, (64,)), (5, (8,))])
def test_directions_of_a_unit_are_orthogonal_signs(directions, shape):
    drawn = directions_of("rademacher", directions, shape, 50).reshape(50, directions, -1)
    assert set(np.unique(drawn)) == {-1.0, 1.0}
    expected = drawn.shape[-1] * np.eye(directions)
    np.testing.assert_array_equal(drawn @ drawn.swapaxes(1, 2), np.broadcast_to(expected, (50, *expected.shape)))


@pytest.mark.parametrize(("directions", "size"), [(8, 8), (32, 2)])
def test_as_many_directions_as_axes_see_each_axis_alike(directions, size):
    """Σ ξ ξᵀ = D · I: no direction of the space is left to chance."""
    drawn = directions_of("rademacher", directions, (size,), 50)
    total = np.einsum("udi,udj->uij", drawn, drawn)
    np.testing.assert_array_equal(total, np.broadcast_to(directions * np.eye(size), total.shape))


@pytest.mark.parametrize("directions", [1, 3])
@pytest.mark.parametrize("noise", ["rademacher", "gaussian"])
def test_elements_have_mean_zero_variance_one_and_do_not_correlate(noise, directions):
    """Within a direction: the directions of a unit may depend on each other."""
    drawn = directions_of(noise, directions, (2, 5)).reshape(UNITS, directions, 10).astype(np.float64)
    limit = 6 / np.sqrt(UNITS)
    for own in drawn.transpose(1, 0, 2):
        assert np.all(np.abs(own.mean(axis=0)) < limit)
        assert np.all(np.abs(own.T @ own / UNITS - np.eye(10)) < limit * np.where(np.eye(10), np.sqrt(2), 1))
        assert np.all(np.abs(own[1:].T @ own[:-1] / UNITS) < limit)  # nor do consecutive units


def test_gaussian_frames_are_independent_normals():
    drawn = directions_of("gaussian", 4, (8,)).astype(np.float64)
    count = drawn.size
    moments = [drawn.mean(), drawn.var() - 1, np.mean(drawn**3), np.mean(drawn**4) - 3]
    assert np.all(np.abs(moments) < 6 * np.sqrt(np.array([1, 2, 15, 96]) / count))
    for d in range(3):
        cross = np.einsum("ui,uj->ij", drawn[:, d], drawn[:, d + 1]) / UNITS
        assert np.all(np.abs(cross) < 6 / np.sqrt(UNITS))


@pytest.mark.parametrize("shape", [(), (3, 11)])
@pytest.mark.parametrize("noise", ["rademacher", "gaussian"])
def test_a_unit_is_the_same_whoever_draws_it(noise, shape):
    """What lets tiles be of any size: the address of a row is its unit."""

    @jax.jit
    def of_units(first):
        return frame(noise, KEY, 5, first, 3, 6, shape).all(), rows(noise, KEY, 9, first, 3, shape)

    whole = jax.jit(lambda: (frame(noise, KEY, 5, 0, 12, 6, shape).all(), rows(noise, KEY, 9, 0, 12, shape)))()
    for first in (0, 1, 5, 9):
        for own, all_units in zip(of_units(jnp.int32(first)), whole, strict=True):
            # A normal's last bit depends on how the compiler vectorises its logarithm.
            tolerance = 0 if noise == "rademacher" else 2e-6
            np.testing.assert_allclose(own, all_units[first : first + 3], rtol=0, atol=tolerance)


@pytest.mark.parametrize("noise", ["rademacher", "gaussian"])
def test_key_and_stream_are_both_part_of_the_address(noise):
    drawn = [
        directions_of(noise, 2, (40,), 3, stream=stream, key=jax.random.key(seed))
        for stream in (0, 1)
        for seed in (0, 1)
    ]
    assert len({values.tobytes() for values in drawn}) == 4


@pytest.mark.parametrize("directions", [1, 5])
@pytest.mark.parametrize("noise", ["rademacher", "gaussian"])
def test_weighted_is_the_sum_over_all_directions(noise, directions):
    weights = np.random.default_rng(0).normal(size=(7, directions)).astype(np.float32)

    @jax.jit
    def both(weights):
        own = frame(noise, KEY, 1, 0, 7, directions, (3, 4))
        return own.all(), own.weighted(weights)

    drawn, total = both(weights)
    np.testing.assert_allclose(total, np.einsum("ud,udij->uij", weights, drawn), rtol=1e-5, atol=1e-5)


SIZES = ((10, 128), (5, 0, 9, 1), (3, 3), (64, 64, 64, 10, 2), (1,), (7, 8))


@pytest.mark.parametrize("directions", [4, 8, 64, 100, 128])
@pytest.mark.parametrize("sizes", SIZES)
def test_arrays_share_out_all_columns_but_the_first(directions, sizes):
    """No column belongs to two arrays, and none is left while an array could use it."""
    columns, used = shared_out("orthogonal", directions, sizes), sum(size > 0 for size in sizes)
    period = len(hadamard_rows(directions, 1)) if directions != 100 else 128
    if used >= period:
        assert columns == [None] * len(sizes)
        return
    taken = [at for own in columns for at in range(own.first, own.first + own.width)]
    assert len(taken) == len(set(taken)) == min(period - 1, sum(sizes))
    assert all(0 < at < period for at in taken)
    assert all(min(size, 1) <= own.width <= size for size, own in zip(sizes, columns, strict=True))
    # No column would be of more use elsewhere: Σ n/c is the least.
    for size, own in zip(sizes, columns, strict=True):
        for other, theirs in zip(sizes, columns, strict=True):
            if own.width < size and theirs.width > 1:
                gain = size / own.width - size / (own.width + 1)
                assert gain <= other / (theirs.width - 1) - other / theirs.width + 1e-12
    assert shared_out("rademacher", directions, sizes) == [None] * len(sizes)


@pytest.mark.parametrize("mirrored", [True, False])
@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))])
def test_enough_orthogonal_directions_give_the_gradient_itself(mirrored, seed):
    """Two layers of 9 and 4 outputs have 13 columns of 16: of a network without curvature nothing is left to chance."""
    keys = jax.random.split(jax.random.key(seed), 4)
    params = [jax.random.normal(keys[0], (5, 9)), jax.random.normal(keys[1], (9, 4))]
    x, slope = jax.random.normal(keys[2], (6, 5)), jax.random.normal(keys[3], (4,))

    def loss(params, x):
        return jax.nn.leaky_relu(x @ params[0]) @ params[1] @ slope + 1.0

    node = ng.node(sigma=1e-3, directions=16, noise="orthogonal", mirrored=mirrored)
    found = jax.jit(ng.grad(loss, node))(params, x, key=jax.random.key(9))
    expected = jax.grad(lambda params: jnp.mean(loss(params, x)))(params)
    for own, exact in zip(found, expected, strict=True):
        np.testing.assert_allclose(own, exact, atol=0.02)


def test_hadamard_rows_are_sylvesters():
    expected = [[(-1) ** bin(i & (j % 8)).count("1") for j in range(20)] for i in range(6)]
    np.testing.assert_array_equal(hadamard_rows(6, 20), expected)
    np.testing.assert_array_equal(hadamard_rows(1, 3), np.ones((1, 3)))
    assert hadamard_rows(4, 0).shape == (4, 0)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("cauchy", 4, 0.1), ("'cauchy'", "rademacher, gaussian, orthogonal")),
        (("gaussian", 0, 0.1), ("directions", "0", "32")),
        (("gaussian", 2.0, 0.1), ("directions", "2.0", "32")),
        (("gaussian", 4, 0.0), ("sigma", "0.0", "0.01 to 0.1")),
        (("gaussian", 4, float("nan")), ("sigma", "nan", "0.01 to 0.1")),
    ],
)
def test_errors_are_one_line_with_the_value_and_the_remedy(arguments, words):
    with pytest.raises(ConfigError) as error:
        check_frame(*arguments)
    text = str(error.value)
    assert "\n" not in text
    assert all(word in text for word in words), text
