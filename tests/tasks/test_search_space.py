"""What a function is given: points of the form of x0, always within their bounds, whatever the coordinates."""

from collections import OrderedDict

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import Bounds

from nograd.core.types import ConfigError
from nograd.tasks.bounds import space_of
from nograd.tasks.search_leaves import choice, fold, integers
from nograd.tasks.search_space import recorded_space

FAR = st.floats(-1e9, 1e9, allow_subnormal=False)  # XLA takes those for 0
ENDS = st.one_of(st.just(None), FAR)


@given(ENDS, ENDS, st.lists(FAR, min_size=3, max_size=3))
@settings(deadline=None, max_examples=60)
def test_no_value_leaves_its_bounds_and_one_inside_stays_where_it_is(low, high, values):
    low, high = -np.inf if low is None else low, np.inf if high is None else high
    if not low < high:
        return
    with jax.enable_x64(True):
        found = np.asarray(fold(np.array(values), low, high))
    assert np.all((low <= found) & (found <= high))
    inside = (low <= np.array(values)) & (np.array(values) <= high)
    np.testing.assert_array_equal(found[inside], np.array(values)[inside])


@pytest.mark.parametrize(
    ("value", "low", "high", "wanted"),
    [(3, 0, 2, 1), (-0.5, 0, 2, 0.5), (5, 0, 2, 1), (-3, 0, np.inf, 3), (7, -np.inf, 4, 1), (4.25, 0, 1, 0.25)],
)
def test_what_lies_outside_is_mirrored_at_the_bound(value, low, high, wanted):
    with jax.enable_x64(True):
        assert float(fold(np.float64(value), np.float64(low), np.float64(high))) == pytest.approx(wanted, abs=1e-12)


TREE = {"rate": 0.1, "w": np.zeros((2, 2)), "units": integers(4, 9), "kind": choice("relu", "tanh", start=1)}


def points(space, coordinates):
    with jax.enable_x64(True):
        return space.plain([np.asarray(value) for value in space.values(coordinates)])


def test_points_have_the_form_of_the_start_and_begin_there():
    with jax.enable_x64(True):
        space, _ = space_of(TREE, None, None)
        found = points(space, space.origin())
    assert (type(found["rate"]), found["rate"]) == (float, 0.1)
    assert (type(found["units"]), found["units"]) == (int, 6)
    assert found["kind"] == "tanh"
    np.testing.assert_array_equal(found["w"], TREE["w"])


@given(st.lists(FAR, min_size=8, max_size=8))
@settings(deadline=None, max_examples=25)
def test_points_are_in_their_space_whatever_the_coordinates(values):
    with jax.enable_x64(True):
        space, _ = space_of(TREE, ({"rate": 0.0, "w": -1, "units": None, "kind": None}, 1), None)
        where, coordinates = 0, []
        for leaf in space.leaves:
            size = int(np.prod(leaf.shape))
            coordinates.append(np.array(values[where : where + size]).reshape(leaf.shape))
            where += size
        found = points(space, coordinates)
    assert 0 <= found["rate"] <= 1
    assert np.all(np.abs(found["w"]) <= 1)
    assert found["units"] in range(4, 10)
    assert found["kind"] in ("relu", "tanh")


def test_each_whole_number_and_each_option_can_be_reached():
    with jax.enable_x64(True):
        space, step = space_of({"n": integers(0, 4), "c": choice("a", "b", "c")}, None, None)
        draws = np.random.default_rng(0).normal(size=(400, 4)) * step
        found = [points(space, (draw[:3], draw[3])) for draw in draws]
    for name, size in (("n", 5), ("c", 3)):
        counts = np.unique([point[name] for point in found], return_counts=True)[1]
        assert len(counts) == size
        assert counts.min() > 20


@pytest.mark.parametrize(
    "bounds",
    [(-1, np.array([2, 3])), [(-1, 2), (-1, 3)], Bounds([-1, -1], [2, 3]), (np.array([-1, -1]), np.array([2.0, 3.0]))],
)
def test_bounds_are_read_as_scipy_reads_them(bounds):
    (leaf,) = space_of(np.zeros(2), bounds, None)[0].leaves
    np.testing.assert_array_equal([leaf.low, leaf.high], [[-1, -1], [2, 3]])
    np.testing.assert_allclose(0.3 * leaf.scale, [0.75, 1.0])  # a quarter of the range


def test_a_list_of_numbers_is_an_array():
    space, sigma = space_of([1, 2.5], None, 0.7)
    np.testing.assert_array_equal(space.leaves[0].start, [1, 2.5])
    assert sigma == 0.7
    assert np.all(space.leaves[0].scale == 1)


def test_a_recorded_space_has_the_same_points_by_name():
    with jax.enable_x64(True):
        space, _ = space_of(OrderedDict(b=np.ones(2), a=integers(0, 3)), (None, OrderedDict(b=[2, None], a=None)), None)
        again = recorded_space(space.record())
        coordinates = (np.array([4.0, 4.0]), np.array(-9.0))
        before, after = points(space, coordinates), points(again, coordinates)
    assert list(after) == ["b", "a"]
    np.testing.assert_array_equal(before["b"], after["b"])
    assert before["a"] == after["a"]


@pytest.mark.parametrize(
    ("x0", "bounds", "words"),
    [
        ({}, None, "x0 is empty"),
        (None, None, "x0 is empty"),
        ("a", None, "must be real numbers, got 'a'"),
        (1j, None, "must be real numbers, got 1j"),
        (np.array([1.0, np.nan]), None, "must be finite"),
        (np.zeros(0), None, "must be real numbers"),
        (np.zeros(2), (3, 2), "low below high, got 3.0 and 2.0"),
        (np.zeros(2), (1, 2), "is 0.0, outside of its bounds 1.0 to 2.0"),
        (np.zeros(2), (np.zeros(3), None), r"do not fit its shape \(2,\)"),
        (np.zeros(2), 5, r"must be \(low, high\)"),
        ({"a": 0.0}, ({"b": 0}, 1), "a tree like x0"),
        (np.zeros(1), ("a", 2), "must be numbers or None"),
        (np.zeros(2), ((-1, 2), (-1, 3)), "can be read in two ways"),
    ],
)
def test_what_cannot_be_is_one_line(x0, bounds, words):
    with pytest.raises(ConfigError, match=words):
        space_of(x0, bounds, None)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: integers(3, 3), "low must be below high"),
        (lambda: integers(0, 2.5), "high of ng.integers must be a whole number"),
        (lambda: integers(0, 5, start=7), "outside of the range"),
        (lambda: choice("a"), "two options at least"),
        (lambda: choice("a", "b", start=2), "none of its places"),
    ],
)
def test_a_leaf_that_cannot_be_is_one_line(make, words):
    with pytest.raises(ConfigError, match=words):
        make()
