"""A generation in chunks: the plan, and evaluation and estimate against plain loops over the units."""

import inspect
from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nograd.core import chunks
from nograd.core.chunks import MAX_CHUNKS, Plan, by_chunks, by_units, plan
from nograd.core.trees import binary_tree_sum, tree_nodes, tree_total
from nograd.perturbations.dense import dense, weighted_noise

PLANS = [Plan(23, 23, 1), Plan(23, 1, 23), Plan(23, 4, 6), Plan(23, 5, 5), plan(23)]
LIKE = {"w": jnp.zeros((3, 5)), "b": jnp.zeros(4)}
PERTURBATION = dense(0.1)


def evaluate_all(made, evaluate):
    return by_units(made, chunks.evaluate_chunks(made, evaluate))


def estimate_all(made, weighted_noise, weights):
    return chunks.estimate_chunks(made, weighted_noise, by_chunks(made, weights))


def both_all(made, both):
    fitness, total = chunks.both_chunks(made, both)
    return by_units(made, fitness), total


def draw(unit, weights):
    return weighted_noise(PERTURBATION, (), jax.random.fold_in(jax.random.key(1), unit), weights, LIKE)


def some_weights(units=23, seed=0):
    return jnp.asarray(np.random.default_rng(seed).normal(size=(units, 2)).astype(np.float32))


def assert_same_bits(left, right):
    jax.tree.map(np.testing.assert_array_equal, left, right)


def test_plan_covers_the_units_in_at_most_sixteen_chunks_with_little_padding():
    for units in [*range(1, 700), 1000, 4096, 10_007, 2**20, 10**6 + 3]:
        made = plan(units)
        assert made.units == units
        assert 1 <= made.chunks <= min(units, MAX_CHUNKS)
        padding = made.chunks * made.size - units
        assert 0 <= padding < made.size  # less than one chunk: none is padding alone
        assert padding <= units // 8
        if units >= 64:
            assert made.chunks >= 8  # enough to share out among workers
        # No other plan of 8 to 16 chunks has less padding.
        assert padding == min(-units % -(-units // count) for count in range(min(units, 8), min(units, 16) + 1))


def test_plan_follows_from_the_population_alone():
    assert list(inspect.signature(plan).parameters) == ["units", "count"]
    assert plan(37) == plan(37)
    assert plan(1) == Plan(1, 1, 1)
    assert plan(128) == Plan(128, 16, 8)


@pytest.mark.parametrize("made", PLANS)
def test_chunks_number_every_unit_once_and_in_order(made):
    units = np.concatenate([chunks.chunk_units(made, index) for index in range(made.chunks)])
    np.testing.assert_array_equal(units, np.arange(made.chunks * made.size))


@pytest.mark.parametrize("members", [1, 2])
@pytest.mark.parametrize("made", PLANS)
def test_evaluate_all_is_a_loop_over_the_units(made, members):
    def evaluate(unit):
        return (unit * unit - 7.0)[None] + jnp.arange(members) * 1000

    actual = jax.jit(lambda: evaluate_all(made, evaluate))()
    assert actual.shape == (23, members)
    np.testing.assert_array_equal(actual, np.stack([evaluate(np.float32(unit)) for unit in range(23)]))


def test_a_chunk_evaluated_alone_has_the_bits_it_has_in_the_generation():
    def evaluate(unit):
        noise = draw(unit, jnp.array([1.0, 0.0]))
        return jnp.tanh(noise["w"] @ jnp.arange(5.0))[:2] + noise["b"].sum()

    made = Plan(23, 4, 6)
    whole = np.asarray(jax.jit(lambda: evaluate_all(made, evaluate))())
    alone = jax.jit(lambda index: chunks.evaluate_chunk(made, evaluate, index))
    for index in range(made.chunks):
        own = whole[index * 6 : (index + 1) * 6]
        np.testing.assert_array_equal(np.asarray(alone(index))[: len(own)], own)


@pytest.mark.parametrize("made", PLANS[1:4])
def test_estimate_all_is_the_sum_over_the_units_whatever_the_plan(made):
    weights = some_weights()
    actual = jax.jit(lambda weights: estimate_all(made, draw, weights))(weights)
    terms = jax.lax.map(lambda unit: draw(*unit), (jnp.arange(23), weights))
    for name, leaf in actual.items():
        np.testing.assert_allclose(leaf, np.sum(np.asarray(terms[name]), axis=0, dtype=np.float64), rtol=0, atol=2e-5)


@pytest.mark.usefixtures("optimized")
@pytest.mark.slow
def test_estimate_has_the_same_bits_however_it_is_compiled():
    weights, made = some_weights(), Plan(23, 5, 5)
    compiled = jax.jit(lambda weights: estimate_all(made, draw, weights))
    expected = compiled(weights)
    assert_same_bits(estimate_all(made, draw, weights), expected)
    assert_same_bits(jax.jit(lambda weights: (jnp.tanh(weights), compiled(weights)))(weights)[1], expected)
    assert_same_bits(jax.lax.map(compiled, jnp.stack([weights + 1, weights])), jax.tree.map(
        lambda *leaves: jnp.stack(leaves), compiled(weights + 1), expected))  # fmt: skip
    scanned = jax.jit(lambda: jax.lax.scan(lambda _, w: (None, estimate_all(made, draw, w)), None, weights[None]))()
    assert_same_bits(jax.tree.map(lambda leaf: leaf[0], scanned[1]), expected)


@pytest.mark.usefixtures("optimized")
def test_chunks_estimated_alone_sum_to_the_bits_of_the_whole():
    """What lets any worker compute any chunk."""
    weights, made = some_weights(), Plan(23, 4, 6)
    whole = jax.jit(lambda: estimate_all(made, draw, weights))()
    chunked = by_chunks(made, weights)
    alone = jax.jit(lambda index: chunks.estimate_chunk(made, draw, chunked, index))
    results = [alone(index) for index in reversed(range(4))][::-1]
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *results)
    total = jax.jit(lambda: binary_tree_sum(lambda i: (jax.tree.map(lambda leaf: leaf[i], stacked), ()), 4)[0])()
    assert_same_bits(total, whole)


def own_fitness(unit):
    return jnp.sin(unit.astype(jnp.float32))[None] * jnp.array([1.0, -2.0])


def own_share(unit):
    """Fitness and weighted noise of a unit at once; padding has no weight."""
    fitness = own_fitness(unit)
    return fitness, draw(unit, jnp.where(unit < 23, fitness, 0.0))


@pytest.mark.parametrize("made", PLANS[1:4])
def test_both_in_one_pass_are_fitness_and_estimate(made):
    fitness, total = jax.jit(lambda: both_all(made, own_share))()
    expected = jax.jit(lambda: evaluate_all(made, own_fitness))()
    assert fitness.shape == (23, 2)
    np.testing.assert_allclose(fitness, expected, rtol=1e-6, atol=1e-6)
    estimate = jax.jit(lambda: estimate_all(made, draw, expected))()
    jax.tree.map(lambda left, right: np.testing.assert_allclose(left, right, rtol=0, atol=1e-5), total, estimate)


@pytest.mark.usefixtures("optimized")
@pytest.mark.parametrize("made", [Plan(23, 4, 6), Plan(23, 23, 1)])
def test_a_chunk_of_both_alone_has_the_bits_it_has_in_the_generation(made):
    fitness, total = jax.jit(lambda: both_all(made, own_share))()
    alone = jax.jit(lambda index: chunks.both_chunk(made, own_share, index))
    parts = [alone(index) for index in range(made.chunks)]
    np.testing.assert_array_equal(np.concatenate([own for _, own in parts])[:23], fitness)
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *(part for part, _ in parts))
    summed = jax.jit(lambda: binary_tree_sum(lambda i: (jax.tree.map(lambda leaf: leaf[i], stacked), ()), made.chunks))
    assert_same_bits(summed()[0], total)


@pytest.mark.parametrize("made", PLANS)
def test_padding_contributes_nothing(made):
    """With integers in floats every sum is exact: units past the last one would show."""
    weights = jnp.asarray(np.random.default_rng(1).integers(-9, 9, size=(23, 2)).astype(np.float32))

    def term(unit, own):
        return (own[0] - own[1]) * jnp.array([1.0, 1.0 * unit, 1000.0 * (unit >= 23)])

    difference = np.asarray(weights[:, 0] - weights[:, 1])
    expected = [difference.sum(), difference @ np.arange(23), 0.0]
    np.testing.assert_array_equal(jax.jit(lambda: estimate_all(made, term, weights))(), expected)


@pytest.mark.usefixtures("optimized")
@pytest.mark.parametrize("made", [Plan(23, 4, 6), Plan(23, 5, 5), Plan(23, 23, 1)])
def test_spans_of_chunks_have_the_bits_of_the_whole(made):
    """What lets a generation be dealt to any number of workers."""
    weights = by_chunks(made, some_weights())
    evaluate = jax.jit(lambda span: chunks.evaluate_chunks(made, own_fitness, span))
    estimate = jax.jit(lambda span: jax.tree.leaves(chunks.estimate_chunks(made, draw, weights, span)))
    both = jax.jit(lambda span: jax.tree.leaves(chunks.both_chunks(made, own_share, span)[1]))
    whole = jax.jit(lambda: chunks.evaluate_chunks(made, own_fitness))()
    for workers in (1, 2, 3, 5):
        cuts = [index * made.chunks // workers for index in range(workers + 1)]
        spans = [(start, stop - start) for start, stop in pairwise(cuts) if stop > start]
        fitness = sum(np.asarray(evaluate(span)) for span in spans)  # zeros outside of the span
        np.testing.assert_array_equal(fitness, whole)
        nodes = [node for start, size in spans for node in tree_nodes(start, start + size, made.chunks)]
        for one in (estimate, both):
            total = tree_total({node: list(map(np.asarray, one(node))) for node in nodes}, made.chunks)
            for left, right in zip(total, one((0, made.chunks)), strict=True):
                np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize("count", [1, 3, 7, 25, 40])
def test_a_plan_of_so_many_chunks(count):
    made = plan(25, count)
    assert made.chunks <= count
    assert made.chunks * made.size >= 25 > (made.chunks - 1) * made.size
    assert count > 25 or made.size == -(-25 // count)
