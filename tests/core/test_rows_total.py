"""Sums along the tree of chunks, with all terms at hand, have the bits of those that are added one by one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nograd.core import chunks
from nograd.core.trees import binary_tree_sum, rows_total
from nograd.strategies.shaping import places


@pytest.mark.parametrize("count", [1, 2, 3, 7, 12, 16])
def test_rows_are_added_along_the_same_tree(count):
    rows = jnp.asarray(np.random.default_rng(count).normal(size=(count, 50)).astype("f4"))
    one_by_one = jax.jit(lambda rows: binary_tree_sum(lambda index: (rows[index], ()), count)[0])(rows)
    assert np.asarray(rows_total(rows, count)).tobytes() == np.asarray(one_by_one).tobytes()


@pytest.mark.parametrize("units", [4, 12, 37])
def test_an_estimate_at_once_is_that_of_the_chunks(units):
    plan = chunks.plan(units)
    weights = jnp.asarray(np.random.default_rng(units).normal(size=(plan.chunks, plan.size, 1)).astype("f4"))
    term = lambda unit, own: jnp.sin(unit + jnp.arange(30.0)) * own[0]  # noqa: E731
    once = jax.jit(lambda weights, count: chunks.estimate_at_once(plan, term, weights, count))
    usual = jax.jit(lambda weights, count: chunks.estimate_chunks(plan, term, weights, (jnp.int32(0), count)))
    found, expected = (np.asarray(one(weights, jnp.int32(plan.chunks))) for one in (once, usual))
    if plan.size == 1:
        assert found.tobytes() == expected.tobytes()
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("count", [1, 9, 128, 129, 300])
def test_places_are_those_of_a_binary_search(count):
    values = np.random.default_rng(count).integers(-5, 5, count).astype("f4")
    ordered = np.sort(values)
    for side in ("left", "right"):
        found = places(jnp.asarray(ordered), jnp.asarray(values), side)
        np.testing.assert_array_equal(found, np.searchsorted(ordered, values, side))
