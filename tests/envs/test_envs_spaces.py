"""Any space of Gymnasium: what a policy gets of its samples is Gymnasium's own flattening, what it gives is inside."""

import json

import pytest

pytest.importorskip("gymnasium", reason="needs nograd[envs]")

import jax
import numpy as np
from gymnasium import spaces
from gymnasium.spaces.utils import flatdim, flatten
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from nograd.core.types import ConfigError, EngineError
from nograd.envs.actions import chosen, decoded, output_count, usable
from nograd.envs.actions import given as actions_given
from nograd.envs.observing import encoded, encoded_batch
from nograd.envs.spaces import Action, Observation, action_of, observation_of
from nograd.envs.spec import EnvSpec, from_portable

shapes = st.sampled_from([(), (1,), (2,), (3,), (2, 2), (3, 1, 2)])
HUGE = 3.4028234663852886e38


TYPES = ["f2", "f4", "f8", "u1", "i1", "i2", "i4", "i8", "u8", "?"]


@st.composite
def boxes(draw):
    """Of any shape, type and bounds: none, one, both, far, equal."""
    shape, dtype = draw(shapes), np.dtype(draw(st.sampled_from(TYPES)))
    size = int(np.prod(shape, dtype=int))
    if dtype.kind == "f":
        most = float(np.finfo(dtype).max)
        numbers = st.sampled_from(
            [-np.inf, -most, -1e30, -2.5, -1.0, -0.1, 0.0, 0.1, 0.3, 1.0, 100.0, HUGE, most, np.inf]
        )
        pairs = st.tuples(numbers, numbers).map(sorted).filter(lambda pair: pair[0] < np.inf and pair[1] > -np.inf)
        pairs = pairs.map(lambda pair: np.clip(pair, *([-most, most] if dtype.itemsize == 2 else [-np.inf, np.inf])))
    else:
        least, most = (0, 1) if dtype.kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
        numbers = st.sampled_from([least, most]) | st.integers(max(least, -5), min(most, 5))
        pairs = st.tuples(numbers, numbers).map(sorted)
    low, high = zip(*draw(st.lists(pairs, min_size=size, max_size=size)), strict=True)
    return spaces.Box(*(np.array(bound, dtype).reshape(shape) for bound in (low, high)), dtype=dtype.type)


starts = st.integers(-5, 5) | st.sampled_from([2**40, -(2**40)])
discretes = st.builds(lambda n, start: spaces.Discrete(n, start=start), st.integers(1, 5), starts)


@st.composite
def multidiscretes(draw):
    shape = draw(shapes.filter(bool))
    size = int(np.prod(shape))
    sizes, firsts = (draw(st.lists(of, min_size=size, max_size=size)) for of in (st.integers(1, 4), starts))
    return spaces.MultiDiscrete(np.reshape(sizes, shape), start=np.reshape(firsts, shape))


binaries = st.builds(spaces.MultiBinary, st.sampled_from([1, 3, (2, 2), (2, 1, 3)]))
plain = boxes() | discretes | multidiscretes() | binaries
names = st.sampled_from(["a", "b", "B", "a.b", "0", "_", "two words", "é"])
nested = st.recursive(
    plain,
    lambda inner: (
        st.lists(inner, min_size=1, max_size=3).map(spaces.Tuple)
        | st.dictionaries(names, inner, min_size=1, max_size=3).map(spaces.Dict)
    ),
    max_leaves=4,
)
seeds = st.integers(0, 2**31)
many = pytest.mark.parametrize("examples", [15, pytest.param(500, marks=pytest.mark.slow)])


def law(examples, *drawn):
    """Checks a function of what is drawn, at once."""
    return lambda check: settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))(
        given(*drawn)(check)
    )()


def samples_of(space, seed):
    space.seed(seed)
    try:
        return [space.sample() for _ in range(3)]
    except (ValueError, OverflowError, RuntimeWarning):  # Gymnasium draws none from boxes as wide as their type
        assume(False)


def through_json(space):
    """As a worker gets it."""
    env_spec = EnvSpec("w", "function", "m:f", "{}", observation_of(space, "w"), action_of(space, "w"))
    assert from_portable(json.loads(json.dumps(env_spec.portable))) == env_spec
    return from_portable(json.loads(json.dumps(env_spec.portable)))


def of_flat(space, sample):
    """Gymnasium's flattening, but bytes as 0..1 where they are not alone."""
    if isinstance(space, spaces.Dict):
        return np.concatenate([of_flat(inner, sample[key]) for key, inner in space.spaces.items()])
    if isinstance(space, spaces.Tuple):
        return np.concatenate([of_flat(inner, part) for inner, part in zip(space.spaces, sample, strict=True)])
    with np.errstate(over="ignore"):
        flat = np.ravel(flatten(space, sample)).astype(np.float32)
    return flat / np.float32(255) if isinstance(space, spaces.Box) and space.dtype == np.uint8 else flat


@many
def test_what_a_policy_gets_is_gymnasiums_flattening(examples):
    @law(examples, nested, seeds)
    def check(space, seed):
        samples, shown = samples_of(space, seed), through_json(space).observation
        found = encoded(shown, samples, "w")
        assert (found.shape, found.dtype) == ((3, *shown.shape), shown.dtype)
        assert len(shown.names) == int(np.prod(shown.input_shape)) == flatdim(space)
        if shown.states:
            found = np.arange(shown.states) == found[:, None]
        if shown.dtype == "uint8":
            found = found / np.float32(255)
        expected = np.array([of_flat(space, sample) for sample in samples])
        assert np.array_equal(found.reshape(3, -1), expected)
        if not isinstance(space, spaces.Dict | spaces.Tuple):
            assert np.array_equal(encoded_batch(shown, np.stack(samples), "w"), encoded(shown, samples, "w"))


EXTREMES = np.array([0.0, -0.0, 1.0, -1.0, 0.37, 1e30, -1e30, np.inf, -np.inf, np.nan, 1e-45], np.float32)


@many
def test_what_a_policy_gives_is_inside_of_the_space(examples):
    @law(examples, nested, seeds)
    def check(space, seed):
        action = through_json(space).action
        draws = np.random.default_rng(seed)
        outputs = draws.choice(EXTREMES, (6, output_count(action, None)))
        outputs[0] = draws.normal(size=outputs.shape[1])
        what = np.asarray(chosen(action, None, outputs))
        assert what.shape == (6, *action.shape)
        for found in actions_given(action, what):
            assert space.contains(found), found
        assert usable(what)[0]
        assert not usable(what)[np.isnan(outputs).any(1)].any()  # whoever has a NaN drops out
        assert len(decoded(action, None, outputs)) == 6


@pytest.mark.parametrize(
    "space",
    [
        spaces.Dict(
            a=spaces.Box(np.array([-1, 0, -np.inf], "f8"), np.array([3, np.inf, np.inf], "f8"), dtype=np.float64),
            b=spaces.Tuple([spaces.MultiBinary((2, 1)), spaces.Discrete(3, start=2)]),
        ),
        spaces.MultiDiscrete([[2, 3]], start=[[1, 2**40]]),
    ],
)
def test_a_program_chooses_as_numpy_does(space):
    action = action_of(space, "w")
    outputs = np.random.default_rng(0).choice(EXTREMES[:-1], (20, output_count(action, None)))
    found = np.asarray(jax.jit(lambda outputs: chosen(action, None, outputs))(outputs))
    expected = chosen(action, None, outputs)
    assert found.dtype == expected.dtype
    assert np.allclose(found, expected, rtol=1e-6, equal_nan=True)


@many
def test_bins_are_inside_of_the_space(examples):
    @law(examples, boxes(), st.integers(2, 5), seeds)
    def check(space, bins, seed):
        action = action_of(space, "w")
        if all(bound is not None and abs(bound) < 1e30 for bound in (*action.low, *action.high)):
            outputs = np.random.default_rng(seed).choice(EXTREMES, (4, output_count(action, bins)))
            assert all(space.contains(one) for one in actions_given(action, np.asarray(chosen(action, bins, outputs))))


@many
def test_what_is_not_in_the_space_is_refused(examples):
    """A number too many, a part that is missing, a word: never another observation in silence."""

    @law(examples, nested)
    def check(space):
        shown = observation_of(space, "w")
        for wrong in (np.zeros((7, 7, 7)), "word", None, {"another": 1}, [[[1], [1, 2]]], np.array([1j])):
            with pytest.raises(EngineError, match="observation of w"):
                encoded(shown, [wrong], "w")
        if isinstance(space, spaces.Discrete | spaces.MultiDiscrete | spaces.MultiBinary):
            sample = np.asarray(space.sample())
            for other in (sample + 100, sample - 100, sample + 0.5, sample * np.nan):
                with pytest.raises(EngineError, match="its observation_space says whole numbers from"):
                    encoded(shown, [other], "w")


def test_plain_spaces_have_the_words_of_earlier_versions():
    """So that their runs can be resumed: the checksum of a world is of them."""
    shown, taken = observation_of(spaces.Box(-1, 1, (3,)), "w"), action_of(spaces.Discrete(2), "w")
    assert (shown, taken) == (Observation((3,), "float32"), Action("discrete", (), (2,), (0,), dtype="int64"))
    env_spec = EnvSpec("w", "function", "m:f", "{}", shown, taken)
    assert env_spec.portable["observation"] == {"shape": (3,), "dtype": "float32", "states": 0}
    assert env_spec.checksum == env_spec._replace(action=taken._replace(dtype="")).checksum
    assert env_spec.checksum == "f7adfe38cbb120b5ac2acbb27d16c549296f36d5eeff6b8af4191df81ef91d44"


@pytest.mark.parametrize(
    ("space", "words"),
    [
        (spaces.Graph(spaces.Discrete(2), None), "are Graph, which is no fixed number of numbers"),
        (spaces.Dict(a=spaces.Tuple([spaces.Sequence(spaces.Discrete(2))])), "at a.0 are Sequence"),
        (spaces.Text(3), "are Text"),
        (spaces.Tuple([]), "are an empty Tuple"),
        (spaces.Dict(a=spaces.Dict()), "at a are an empty Dict"),
        (spaces.Box(0, 1, (0,)), "which holds no number"),
        (spaces.Dict({1: spaces.Discrete(2)}), "its keys must be words, such as '1'"),
    ],
)
def test_what_has_no_fixed_number_of_numbers_is_one_line(space, words):
    for read in (observation_of, action_of):
        with pytest.raises(ConfigError) as caught:
            read(space, "w")
        assert words in str(caught.value)
        assert "\n" not in str(caught.value)
    if words == "are Text":
        with pytest.raises(ConfigError, match=r"gymnasium\.wrappers\.FlattenObservation"):
            observation_of(space, "w")


def test_numbers_have_names():
    inner = spaces.Dict(goal=spaces.Box(-1, 1, (2,)), gear=spaces.Discrete(2, start=1))
    shown = observation_of(spaces.Tuple([inner, spaces.MultiBinary(1), spaces.Box(0, 1, ())]), "w")
    assert shown.names == ("0.goal[0]", "0.goal[1]", "0.gear=1", "0.gear=2", "1[0]", "2")
    assert shown.text == "observations [6] (0.goal, 0.gear, 1, 2)"


def test_an_output_of_zero_is_the_middle_or_what_is_nearest_to_zero():
    low, high = np.array([-1, 0, 5, -np.inf, -9], np.float64), np.array([3, np.inf, np.inf, -2, np.inf], np.float64)
    action = action_of(spaces.Box(low, high, dtype=np.float64), "w")
    found = decoded(action, None, np.array([[0.0] * 5, [1.0] * 5, [-1.0] * 5], np.float32))
    assert found.tolist() == [[1, 0, 5, -2, 0], [3, 1, 6, -2, 1], [-1, 0, 5, -3, -1]]
