import jax
import numpy as np
import pytest
from scipy.stats import rankdata

from nograd.config import axes
from nograd.strategies.shaping import (
    TopK,
    by_place,
    centered_rank,
    fused,
    raw,
    recombination,
    recombination_weights,
    sign,
    standardized,
    utilities,
    valid_members,
    weights,
)

SHAPINGS = axes.SHAPINGS.builders()

SHAPES = [(50, 1), (25, 2)]
CENTRED = ["standardized", "centered_rank", "sign", "utilities"]


def numpy_shaping(name, fitness):
    """The shapings of [units, members] valid fitness, in float64."""
    fitness = fitness.astype(np.float64)
    if name == "standardized":
        return (fitness - fitness.mean()) / fitness.std()
    if name == "centered_rank":
        return (rankdata(fitness).reshape(fitness.shape) - 1) / (fitness.size - 1) - 0.5
    if name == "utilities":
        better = np.maximum(0, np.log(fitness.size / 2 + 1) - np.log(rankdata(-fitness)))
        return better.reshape(fitness.shape) / better.sum() - 1 / fitness.size
    if name == "sign" and fitness.shape[1] == 2:
        half = 0.5 * np.sign(fitness[:, 0] - fitness[:, 1])
        return np.stack([half, -half], axis=1)
    return np.sign(fitness - fitness.mean()) if name == "sign" else fitness


COMPILED = {shaping: jax.jit(shaping) for shaping in (*SHAPINGS.values(), recombination, TopK(5))}


def shaped(shaping, fitness, valid=None):
    valid = np.ones(fitness.shape, bool) if valid is None else valid
    return np.asarray(COMPILED[shaping](fitness, valid))


def normal_fitness(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", SHAPINGS)
def test_agrees_with_numpy(name, shape, seed):
    fitness = 3 * normal_fitness(shape, seed) - 7
    np.testing.assert_allclose(shaped(SHAPINGS[name], fitness), numpy_shaping(name, fitness), rtol=0, atol=1e-5)


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("shape", SHAPES)
def test_ties_share_the_mean_of_their_ranks(shape, seed):
    fitness = np.random.default_rng(seed).integers(0, 6, size=shape).astype(np.float32)  # like an accuracy
    weights = shaped(centered_rank, fitness)
    np.testing.assert_allclose(weights, numpy_shaping("centered_rank", fitness), rtol=0, atol=1e-6)
    assert len(np.unique(weights)) == len(np.unique(fitness))


@pytest.mark.parametrize("transform", [np.exp, lambda f: f**3, lambda f: 1e-3 * f - 5, np.arctan])
def test_centered_rank_sees_the_order_only(transform):
    fitness = np.random.default_rng(0).permutation(np.linspace(-3, 3, 50)).astype(np.float32).reshape(25, 2)
    weights = shaped(centered_rank, fitness)
    np.testing.assert_array_equal(shaped(centered_rank, transform(fitness).astype(np.float32)), weights)
    np.testing.assert_array_equal(shaped(centered_rank, -fitness), -weights)
    np.testing.assert_allclose([weights.min(), weights.max()], [-0.5, 0.5], rtol=1e-6)


@pytest.mark.parametrize("shaping", [utilities, recombination])
@pytest.mark.parametrize("transform", [np.exp, lambda f: f**3, lambda f: 1e-3 * f - 5])
def test_weights_by_place_see_the_order_only(shaping, transform):
    fitness = np.random.default_rng(0).permutation(np.linspace(-3, 3, 50)).astype(np.float32).reshape(25, 2)
    expected = shaped(shaping, fitness)
    np.testing.assert_array_equal(shaped(shaping, transform(fitness).astype(np.float32)), expected)
    np.testing.assert_array_equal(np.argsort(expected[expected > 0]), np.argsort(fitness[expected > 0]))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_equal_fitness_shares_the_mean_of_its_places(seed):
    rng = np.random.default_rng(seed)
    fitness, table = rng.integers(0, 6, size=(25, 2)).astype(np.float32), rng.exponential(size=50).astype(np.float32)
    valid = np.broadcast_to(rng.random((25, 1)) < 0.7, (25, 2))
    found = np.asarray(jax.jit(by_place)(table, fitness, valid), np.float64)
    places = np.zeros(50)
    places[np.argsort(np.where(valid, -fitness, np.inf), axis=None, kind="stable")] = table
    used = table[: valid.sum()].sum(dtype=np.float64)
    for value in np.unique(fitness):
        own = valid & (fitness == value)
        np.testing.assert_allclose(found[own], places[own.reshape(-1)].mean() / used, rtol=1e-5)
    np.testing.assert_allclose(found.sum(), 1, rtol=1e-5)
    assert np.all(found[~valid] == 0)


def test_recombination_weights_are_the_better_halfs():
    for count in (2, 3, 10, 257):
        own = recombination_weights(count)
        assert np.all(np.diff(own[: count // 2 + 1]) < 0)
        assert np.count_nonzero(own) == count // 2
        np.testing.assert_allclose(own.sum(), 1)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_top_k_is_the_z_score_of_the_best_pairs(seed):
    """Mania et al. 2018: sorted by max(f₊, f₋), divided by the deviation of the 2b used."""
    fitness, valid = normal_fitness((25, 2), seed), np.ones((25, 2), bool)
    valid[np.argmax(fitness.max(1))] = False  # the best one was lost
    order = np.argsort(np.where(valid, fitness, -np.inf).max(1))[::-1][:5]
    expected = np.zeros((25, 2))
    used = fitness[order].astype(np.float64)
    expected[order] = (used - used.mean()) / used.std()
    np.testing.assert_allclose(shaped(TopK(5), fitness, valid), expected, rtol=0, atol=1e-5)
    few = np.zeros((25, 2), bool)
    few[:3] = True
    assert np.count_nonzero(shaped(TopK(5), fitness, few)) == 6


@pytest.mark.parametrize(("scale", "shift"), [(1.0, 100.0), (1e-3, 0.0), (1e4, -3.0)])
@pytest.mark.parametrize("shape", SHAPES)
def test_standardized_is_invariant_to_affine_maps(shape, scale, shift):
    fitness = normal_fitness(shape)
    weights = shaped(standardized, fitness)
    np.testing.assert_allclose(shaped(standardized, scale * fitness + shift), weights, rtol=0, atol=1e-4)
    np.testing.assert_allclose(shaped(standardized, -scale * fitness + shift), -weights, rtol=0, atol=1e-4)
    np.testing.assert_allclose([weights.mean(), weights.std()], [0, 1], atol=1e-5)


@pytest.mark.parametrize(("name", "shape"), [("standardized", (50, 1)), ("standardized", (25, 2)),
                                             ("centered_rank", (50, 1)), ("centered_rank", (25, 2)),
                                             ("sign", (25, 2)), ("utilities", (50, 1)),
                                             ("utilities", (25, 2))])  # fmt: skip
def test_weights_sum_to_zero(name, shape):
    for seed in range(3):
        fitness = normal_fitness(shape, seed)
        valid = np.broadcast_to(np.random.default_rng(seed).random((shape[0], 1)) < 0.7, shape)
        assert abs(shaped(SHAPINGS[name], fitness, valid).sum()) < 1e-4
        assert abs(shaped(SHAPINGS[name], fitness).sum()) < 1e-4


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", SHAPINGS)
def test_invalid_members_weigh_nothing_and_move_no_other(name, shape, seed):
    fitness, units = normal_fitness(shape, seed), np.random.default_rng(seed).permutation(shape[0]) % 5 < 3
    valid = np.broadcast_to(units[:, None], shape)
    weights = shaped(SHAPINGS[name], np.where(valid, fitness, 0), valid)
    assert np.all(weights[~units] == 0)
    np.testing.assert_allclose(weights[units], shaped(SHAPINGS[name], fitness[units]), rtol=0, atol=2e-6)
    for other in (np.nan, np.inf, -np.inf, 1e30):
        polluted = np.where(valid, fitness, np.float32(other))
        np.testing.assert_array_equal(shaped(SHAPINGS[name], polluted, valid), weights)


@pytest.mark.parametrize("value", [0.0, 0.1, 0.3, -2.7, 1000 / 7, 1e20])
@pytest.mark.parametrize("shape", [(7, 1), (50, 1), (25, 2)])
@pytest.mark.parametrize("name", CENTRED)
def test_equal_fitness_moves_nothing(name, shape, value):
    fitness = np.full(shape, value, np.float32)
    assert np.all(shaped(SHAPINGS[name], fitness) == 0)
    valid = np.ones(shape, bool)
    valid[0] = False
    assert np.all(shaped(SHAPINGS[name], np.where(valid, fitness, 3.0).astype(np.float32), valid) == 0)


@pytest.mark.parametrize("shape", [(1, 1), *SHAPES])
@pytest.mark.parametrize("name", SHAPINGS)
def test_nothing_valid_moves_nothing(name, shape):
    fitness = np.full(shape, np.nan, np.float32)
    assert np.all(shaped(SHAPINGS[name], fitness, np.zeros(shape, bool)) == 0)


def test_sign_of_pairs_and_singles():
    pairs = np.array([[2.0, 1.0], [-1e30, 1e30], [5.0, 5.0]], np.float32)
    np.testing.assert_array_equal(shaped(sign, pairs), [[0.5, -0.5], [-0.5, 0.5], [0, 0]])
    singles = np.array([[1.0], [2.0], [3.0], [10.0]], np.float32)  # mean 4
    np.testing.assert_array_equal(shaped(sign, singles), [[-1], [-1], [-1], [1]])


def test_raw_is_the_fitness_itself():
    fitness = normal_fitness((4, 2))
    np.testing.assert_array_equal(shaped(raw, fitness), fitness)


def test_the_table_names_every_shaping():
    names = {"raw": raw, "standardized": standardized, "centered_rank": centered_rank, "sign": sign}
    assert names | {"utilities": utilities} == SHAPINGS


# Validity, and the two halves ----------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_member_that_is_not_finite_takes_its_mirrored_half_along(bad):
    fitness = normal_fitness((4, 2))
    fitness[1, 0] = fitness[3, 1] = bad
    expected = np.array([True, False, True, False])
    np.testing.assert_array_equal(valid_members(fitness), np.stack([expected, expected], axis=1))
    np.testing.assert_array_equal(valid_members(fitness[:, :1])[:, 0], [True, False, True, True])


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", SHAPINGS)
def test_weights_are_the_shaping_of_the_valid_members(name, shape):
    fitness, lost = normal_fitness(shape), np.arange(shape[0]) % 4 == 1
    damaged = fitness.copy()
    damaged[lost, -1] = np.nan
    shaped_weights, valid = (np.asarray(part) for part in jax.jit(lambda f: weights(SHAPINGS[name], f))(damaged))
    np.testing.assert_array_equal(valid, np.broadcast_to(~lost[:, None], shape))
    assert np.all(shaped_weights[lost] == 0)
    np.testing.assert_allclose(shaped_weights[~lost], shaped(SHAPINGS[name], fitness[~lost]), rtol=0, atol=2e-6)


def pair_differences(values):
    return np.asarray(values) @ [1.0, -1.0]


@pytest.mark.parametrize("damage", [False, True])
@pytest.mark.parametrize("name", ["raw", "standardized", "sign"])
def test_the_two_halves_of_a_shaping_are_the_shaping(name, damage):
    """On pairs, where the difference of the two weights is all that counts."""
    halves, fitness = fused(SHAPINGS[name], 2), 5 * normal_fitness((25, 2)) - 3
    if damage:
        fitness[3, 1], fitness[7, 0] = np.nan, np.inf

    @jax.jit
    def both(fitness):
        own, valid = weights(halves.of_pair, fitness)
        each = jax.vmap(lambda pair: weights(halves.of_pair, pair[None])[0][0])(fitness)
        return halves.scale(fitness, valid) * own, own, each, weights(SHAPINGS[name], fitness)[0]

    in_halves, own, each, whole = both(fitness)
    np.testing.assert_array_equal(each, own)  # a pair's first half follows from itself alone
    np.testing.assert_allclose(pair_differences(in_halves), pair_differences(whole), rtol=1e-5, atol=1e-6)
    assert np.all(np.isfinite(in_halves))
    assert np.abs(pair_differences(whole)).max() > 0.5


@pytest.mark.parametrize("value", [0.3, np.nan])
def test_the_two_halves_of_equal_or_lost_fitness_move_nothing(value):
    halves, fitness = fused(standardized, 2), np.full((4, 2), value, np.float32)
    own, valid = weights(halves.of_pair, fitness)
    assert np.all(pair_differences(halves.scale(fitness, valid) * own) == 0)


def test_what_needs_the_whole_population_has_no_two_halves():
    assert fused(centered_rank, 2) is None
    assert fused(standardized, 1) is None
    assert fused(sign, 1) is None
    assert fused(raw, 1) is not None
