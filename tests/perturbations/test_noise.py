"""The noise of every kind: moments, addresses, and the shared table."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import nograd as ng
from nograd.config import axes
from nograd.core.types import ConfigError
from nograd.perturbations import noise
from nograd.perturbations.noise import Noise

NOISES = axes.NOISES.builders()

TABLE = 1 << 18
KINDS = {"gaussian": noise.gaussian(), "rademacher": noise.rademacher(), "table": noise.table(TABLE)}
LIKE = {
    "layers": [{"kernel": np.zeros((3, 4), np.float32)}, {"kernel": np.zeros((3, 4), np.float32)}],
    "b": np.zeros(3),
}
DRAWS = 1 << 15


def keys(count=DRAWS, seed=0):
    return jax.vmap(lambda unit: jax.random.fold_in(jax.random.key(seed), unit))(jnp.arange(count))


def flat(tree):
    return np.concatenate([np.asarray(leaf).reshape(len(leaf), -1) for leaf in jax.tree.leaves(tree)], axis=1)


def draws(kind: Noise, like=LIKE, count=DRAWS, seed=0):
    """[count, elements] draws of consecutive units."""
    shared = kind.prepare()
    like = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float32), like)
    return flat(jax.jit(lambda keys: jax.lax.map(lambda key: kind.draw(shared, key, like), keys))(keys(count, seed)))


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("name", KINDS)
def test_elements_have_mean_zero_variance_one_and_do_not_correlate(name, seed):
    drawn = draws(KINDS[name], seed=seed).astype(np.float64)
    n, elements = drawn.shape
    assert np.all(np.abs(drawn.mean(axis=0)) < 6 / np.sqrt(n))
    assert np.all(np.abs((drawn**2).mean(axis=0) - 1) < 6 * np.sqrt(2 / n))
    # Two elements of one table correlate as much as the table does with itself shifted: 1/√size.
    tolerance = 6 * np.sqrt(1 / n + (1 / TABLE if name == "table" else 0))
    assert np.all(np.abs(drawn.T @ drawn / n - np.eye(elements))[~np.eye(elements, dtype=bool)] < tolerance)
    # Nor do consecutive units.
    assert np.all(np.abs(drawn[1:].T @ drawn[:-1] / n) < tolerance)


def test_kinds_are_what_they_are_called():
    assert set(np.unique(draws(KINDS["rademacher"], count=100))) == {-1.0, 1.0}
    kurtosis = np.mean(draws(KINDS["gaussian"]) ** 4)
    assert abs(kurtosis - 3) < 6 * np.sqrt(96 / (DRAWS * 27))
    assert {name: NOISES[name]().name for name in KINDS} == {name: name for name in KINDS}
    assert set(NOISES) == {*KINDS, "orthogonal", "aligned"}


def test_a_dense_perturbation_has_no_directions_to_divide():
    with pytest.raises(ConfigError, match="orthogonal is for lowrank and node; use rademacher"):
        ng.dense(noise="orthogonal")


@pytest.mark.parametrize("name", KINDS)
def test_a_leafs_draw_depends_on_key_and_path_only(name):
    kind, key = KINDS[name], keys(3)[1]
    shared = kind.prepare()
    draw = jax.jit(lambda key, like: kind.draw(shared, key, like))
    like = {"b": jnp.zeros(5), "c": {"w": jnp.zeros((2, 3))}}
    larger = {"a": jnp.zeros(9), "b": jnp.ones(5), "c": {"v": jnp.zeros(1), "w": jnp.zeros((2, 3))}}
    before, after = draw(key, like), draw(key, larger)
    np.testing.assert_array_equal(before["b"], after["b"])
    np.testing.assert_array_equal(before["c"]["w"], after["c"]["w"])
    same = draw(key, {"a": jnp.zeros(5), "b": jnp.zeros(5)})
    assert np.any(same["a"] != same["b"])
    assert np.any(draw(keys(3)[2], like)["b"] != before["b"])


@pytest.mark.parametrize("name", KINDS)
def test_draws_have_the_shapes_and_types_of_the_parameters(name):
    like = {"low": jnp.zeros((2, 3), jnp.bfloat16), "half": jnp.zeros(4, jnp.float16), "scalar": jnp.zeros(())}
    drawn = jax.eval_shape(KINDS[name].draw, KINDS[name].prepare(), keys(1)[0], like)
    assert drawn == jax.eval_shape(lambda: like)


def test_table_has_mean_zero_and_variance_one():
    table = np.asarray(KINDS["table"].prepare(), np.float64)
    assert table.shape == (TABLE,)
    # One float32 holds its value to 6e−8: 262,144 of them their mean to far below 1e−6.
    np.testing.assert_allclose([table.mean(), table.var()], [0, 1], rtol=0, atol=1e-6)


def test_table_draws_are_slices_of_the_table():
    table = np.asarray(KINDS["table"].prepare())
    place = {value: offset for offset, value in enumerate(table.tolist())}
    drawn = KINDS["table"].draw(jnp.asarray(table), keys(1)[0], {"w": jnp.zeros((10, 30)), "b": jnp.zeros(7)})
    offsets = [place[float(leaf.reshape(-1)[0])] for leaf in drawn.values()]
    for offset, leaf in zip(offsets, drawn.values(), strict=True):
        np.testing.assert_array_equal(leaf.reshape(-1), table[offset : offset + leaf.size])
    assert offsets[0] != offsets[1]  # an offset a leaf


def test_table_offsets_are_uniform_up_to_both_ends():
    kind = noise.table(8)
    starts = draws(kind, np.zeros(6), count=3000)[:, 0]
    counts = [np.sum(starts == value) for value in np.asarray(kind.prepare())]
    assert sum(counts) == 3000
    assert counts[3:] == [0] * 5
    assert np.all(np.abs(np.array(counts[:3]) - 1000) < 6 * np.sqrt(3000 * (1 / 3) * (2 / 3)))


def test_table_of_exactly_the_size_of_a_leaf_is_enough():
    kind = noise.table(16)
    np.testing.assert_array_equal(kind.draw(kind.prepare(), keys(1)[0], jnp.zeros(16)), kind.prepare())


def test_table_smaller_than_a_leaf_is_an_error_of_one_line():
    kind = noise.table(100)
    with pytest.raises(ConfigError) as error:
        kind.draw(kind.prepare(), keys(1)[0], {"a": jnp.zeros(3), "b": jnp.zeros((2, 1000))})
    text = str(error.value)
    assert "\n" not in text
    for word in ("100", "2,000", "gaussian", "larger table"):
        assert word in text


def test_table_is_the_same_for_all_and_made_once():
    first = noise.table(512).prepare()
    assert noise.table(512).prepare() is first
    noise._noise_table.cache_clear()
    np.testing.assert_array_equal(noise.table(512).prepare(), first)


def test_table_made_first_inside_of_a_trace_is_no_tracer():
    noise._noise_table.cache_clear()
    traced = jax.jit(lambda: noise.table(256).prepare() * 1.0)()
    np.testing.assert_array_equal(noise.table(256).prepare(), traced)


def test_noise_without_a_table_prepares_nothing():
    assert jax.tree.leaves([KINDS["gaussian"].prepare(), KINDS["rademacher"].prepare()]) == []
