from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nograd.core import trees
from nograd.core.trees import binary_tree_sum, leaf_names, leaf_streams, tree_nodes, tree_total


def power_of_two_sum(terms):
    if len(terms) == 1:
        return terms[0]
    half = len(terms) // 2
    return power_of_two_sum(terms[:half]) + power_of_two_sum(terms[half:])


def counter_sum(terms):
    """The sum of a binary counter: the largest power of two of terms first, then the same of the rest."""
    size = 1 << (len(terms).bit_length() - 1)
    first = power_of_two_sum(terms[:size])
    return first if size == len(terms) else first + counter_sum(terms[size:])


def wide_terms(count, seed=0):
    """[count, 3] floats over six decades: almost any other order of addition gives other bits."""
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(count, 3)) * 10.0 ** rng.uniform(-3, 3, size=(count, 3))).astype(np.float32)


@partial(jax.jit, static_argnums=2)
def tree_sum(terms, first, count):
    return binary_tree_sum(lambda index: (terms[first + index], ()), count)[0]


FAST = [*range(1, 10), 15, 16, 17, 23, 31, 32, 33, 40]  # around the powers of two, where the tree changes


@pytest.mark.parametrize("count", [n if n in FAST else pytest.param(n, marks=pytest.mark.slow) for n in range(1, 41)])
def test_tree_sum_is_the_sum_and_has_the_bits_of_its_recursion(count):
    whole = np.random.default_rng(count).integers(-(2**20), 2**20, size=(count, 2), dtype=np.int32)
    parts = wide_terms(count)

    def term(index):
        return {"whole": jnp.asarray(whole)[index], "parts": (jnp.asarray(parts)[index],)}, {"index": [3 * index]}

    total, beside = jax.jit(lambda: binary_tree_sum(term, count))()
    np.testing.assert_array_equal(total["whole"], whole.sum(axis=0))
    np.testing.assert_array_equal(total["parts"][0], counter_sum(list(parts)))
    np.testing.assert_array_equal(beside["index"][0], 3 * np.arange(count))  # not summed: stacked, in order


def test_the_order_of_addition_shows_in_the_bits():
    """Without this the laws on bits would hold for any order."""
    terms = wide_terms(37)
    in_line = np.zeros(3, np.float32)
    for term in terms:
        in_line = in_line + term
    assert np.any(in_line != counter_sum(list(terms)))


@pytest.mark.parametrize("count", [16, 23])
def test_subtrees_computed_alone_give_the_bits_inside_the_whole(count):
    terms = wide_terms(count, seed=count)
    whole = tree_sum(terms, 0, count)
    for size in (1, 2, 4, 8):
        starts = range(0, count - count % size, size)
        alone = [np.asarray(tree_sum(terms, first, size)) for first in starts]
        rest = terms[count - count % size :]
        total = counter_sum(alone)
        np.testing.assert_array_equal(total if not len(rest) else total + counter_sum(list(rest)), whole)


@pytest.mark.parametrize("count", [1, 2, 5, 16, 23])
def test_any_span_is_covered_by_subtrees_that_total_the_whole(count):
    terms = wide_terms(count, seed=count)
    summed = jax.jit(lambda span: binary_tree_sum(lambda index: (jnp.asarray(terms)[index], ()), count, span)[0])
    whole = np.asarray(tree_sum(terms, 0, count))
    for start in range(count):
        for stop in range(start + 1, count + 1):
            nodes = tree_nodes(start, stop, count)
            assert [i for first, size in nodes for i in range(first, first + size)] == list(range(start, stop))
            assert len(nodes) <= 2 * count.bit_length()
    for cut in range(count + 1):
        nodes = tree_nodes(0, cut, count) + tree_nodes(cut, count, count)
        total = tree_total({node: [np.asarray(summed(node))] for node in nodes}, count)
        np.testing.assert_array_equal(total[0], whole)


def test_tree_sum_holds_logarithmically_many_terms():
    count, size = 64, 10_000

    def term(scale, index):
        return scale * jnp.arange(size, dtype=jnp.float32) * index, ()

    summed = jax.jit(lambda scale: binary_tree_sum(partial(term, scale), count)[0])
    memory = summed.lower(jnp.float32(1)).compile().memory_analysis()
    assert memory.temp_size_in_bytes < count * size * 4 / 3


class Layer(NamedTuple):
    kernel: object
    bias: object


def test_leaf_names_are_paths():
    tree = {"layers": [Layer(np.zeros((2, 3)), np.zeros(3)), (np.zeros(1),)], "scale": np.zeros(())}
    assert leaf_names(tree) == ["layers/0/kernel", "layers/0/bias", "layers/1/0", "scale"]


def test_leaf_streams_depend_on_the_own_path_only():
    tree = {"b": np.zeros(2), "d": {"x": np.zeros(3)}}
    before = dict(zip(leaf_names(tree), leaf_streams(tree), strict=True))
    larger = {"a": np.zeros(5), **tree, "c": [np.zeros(1)], "d": {"x": np.zeros((7, 7)), "y": np.zeros(1)}}
    after = dict(zip(leaf_names(larger), leaf_streams(larger), strict=True))
    assert before.items() <= after.items()
    assert len(set(after.values())) == len(after)
    assert all(0 <= stream < 2**32 for stream in after.values())


def test_norm_count_and_arithmetic():
    tree = {"a": jnp.array([3.0, 0.0]), "b": [jnp.array([[4.0]]), jnp.array(12.0)]}
    assert trees.parameter_count(tree) == 4
    np.testing.assert_allclose(trees.norm(tree), 13.0)
    total = trees.add(tree, trees.scaled(-2.0, tree))
    np.testing.assert_array_equal(total["b"][0], [[-4.0]])
    np.testing.assert_array_equal(trees.add_scaled(tree, 0.5, tree)["a"], [4.5, 0.0])
    assert trees.norm(trees.scaled(0.0, tree)) == 0


@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16, jnp.float32])
def test_arithmetic_keeps_the_precision_of_each_leaf(dtype):
    tree = {"low": jnp.ones(3, dtype), "full": jnp.ones(2)}
    scale = jnp.float32(0.5)
    for result in (trees.scaled(scale, tree), trees.add_scaled(tree, scale, tree)):
        assert result["low"].dtype == dtype
        assert result["full"].dtype == jnp.float32


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("leaf", ["a", "b"])
def test_all_finite_finds_one_bad_element(leaf, bad):
    tree = {"a": jnp.ones((2, 3)), "b": jnp.full(5, 3e38)}
    assert trees.all_finite(tree)
    tree[leaf] = tree[leaf].at[..., 1].set(bad)
    assert not trees.all_finite(tree)
