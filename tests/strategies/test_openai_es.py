"""The laws of ask and tell: addresses, dropped members, memory, errors, and that it optimises."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from asking import assert_tell_holds_no_members, message

import nograd
from nograd.config import axes
from nograd.perturbations import noise
from nograd.perturbations.dense import dense
from nograd.strategies.openai_es import openai_es

SHAPINGS = axes.SHAPINGS.builders()

KINDS = {"gaussian": noise.gaussian(), "rademacher": noise.rademacher(), "table": noise.table(1 << 12)}
KEY = jax.random.key(7)
SIGMA = 0.25
SGD = optax.sgd(1.0)
PARAMS = {"w": jnp.asarray(np.random.default_rng(0).normal(size=(3, 2)), jnp.float32), "b": jnp.ones(2)}


def make(population=10, mirrored=True, kind="gaussian", shaping="raw", optimizer=None, **arguments):
    perturbation = dense(SIGMA, KINDS[kind], mirrored)
    return openai_es(population, optimizer=optimizer or SGD, perturbation=perturbation, shaping=shaping, **arguments)


def flat(tree, rows=None):
    leaves = [np.asarray(leaf, np.float64) for leaf in jax.tree.leaves(tree)]
    return np.concatenate(
        [leaf.reshape(rows or -1) if not rows else leaf.reshape(rows, -1) for leaf in leaves], axis=-1
    )


# One compilation a strategy: strategies are tuples of what they are made of, so equal ones share it.
ask = jax.jit(lambda es, state, key: es.ask(state, key), static_argnums=0)
tell = jax.jit(lambda es, state, key, fitness: es.tell(state, key, fitness), static_argnums=0)


def epsilons(es, state, key=KEY):
    """[units, parameters]: the draws of a generation, from its members."""
    members = flat(ask(es, state, key), es.population)
    return (members[:: es.perturbation.members] - flat(state.params)) / SIGMA


def estimate(es, state, fitness, key=KEY):
    """g, from the step of sgd(1.0)."""
    after, info = tell(es, state, key, fitness)
    return flat(after.params) - flat(state.params), info


# Ask


@pytest.mark.parametrize(("kind", "mirrored"), [*((kind, True) for kind in KINDS), ("gaussian", False)])
def test_tell_redraws_the_noise_of_ask(kind, mirrored):
    """A one-hot raw fitness picks one member: g = ±ε/(nσ) of that member."""
    es = make(kind=kind, mirrored=mirrored)
    state = es.init(jax.tree.map(jnp.zeros_like, PARAMS))
    steps = np.stack([estimate(es, state, one_hot)[0] for one_hot in np.eye(10)]) * es.population * SIGMA
    members = flat(ask(es, state, KEY), 10) / SIGMA
    np.testing.assert_allclose(steps, members, rtol=0, atol=1e-5)
    assert len(np.unique(members, axis=0)) == 10
    if mirrored:
        np.testing.assert_array_equal(members[0::2], -members[1::2])


def test_members_are_the_mean_plus_sigma_times_the_noise():
    es, state = make(), make().init(PARAMS)
    shared = es.perturbation.noise.prepare()
    members, draw = ask(es, state, KEY), jax.jit(es.perturbation.noise.draw)
    for unit in range(es.units):
        key = jax.random.fold_in(jax.random.fold_in(KEY, 0), unit)
        drawn = draw(shared, key, PARAMS)
        for member, sign in ((2 * unit, 1), (2 * unit + 1, -1)):
            for name, leaf in PARAMS.items():
                expected = leaf + sign * SIGMA * drawn[name]
                np.testing.assert_allclose(members[name][member], expected, rtol=0, atol=1e-6)


def test_asking_for_some_members_is_a_slice_of_all():
    es = make()
    state, some = es.init(PARAMS), [5, 0, 3]
    everyone = ask(es, state, KEY)
    compiled = jax.jit(es.ask)
    for members, chosen in ((some, es.ask(state, KEY, members=some)), (some, compiled(state, KEY, np.array(some)))):
        for name in PARAMS:
            assert chosen[name].shape == (3, *PARAMS[name].shape)
            np.testing.assert_allclose(chosen[name], np.asarray(everyone[name])[members], rtol=0, atol=1e-6)


def test_one_key_serves_the_whole_run():
    es = make()
    state, drawn = es.init(PARAMS), []
    for generation in range(4):
        assert state.generation == generation
        drawn.append(epsilons(es, state))
        state, _ = tell(es, state, KEY, np.zeros(10, np.float32))
    drawn = np.concatenate(drawn)
    assert len(np.unique(np.round(drawn, 4), axis=0)) == len(drawn) == 20
    other_run = epsilons(es, es.init(PARAMS), jax.random.key(8))
    assert np.abs(other_run - drawn[:5]).min(axis=1).max() > 0.01


def test_a_table_first_made_while_tell_is_compiled_serves_later_calls():
    noise._noise_table.cache_clear()
    es = make(kind="table", population=2)
    state, fitness = es.init(PARAMS), np.array([1.0, 0.0], np.float32)
    compiled = jax.jit(es.tell)(state, KEY, fitness)[0]
    np.testing.assert_allclose(flat(es.tell(state, KEY, fitness)[0].params), flat(compiled.params), rtol=0, atol=1e-5)
    expected = flat(PARAMS) + epsilons(es, state)[0] / (2 * SIGMA)
    np.testing.assert_allclose(flat(compiled.params), expected, rtol=0, atol=1e-5)


# Dropped members


@pytest.mark.parametrize("mirrored", [True, False])
@pytest.mark.parametrize("shaping", SHAPINGS)
def test_bad_members_drop_out_with_their_mirrored_half(shaping, mirrored):
    es = make(mirrored=mirrored, shaping=shaping)
    state = es.init(PARAMS)
    fitness = np.random.default_rng(3).normal(size=10).astype(np.float32)
    bad = {3: np.nan, 6: np.inf, 7: -np.inf}
    fitness[list(bad)] = list(bad.values())
    kept = [unit for unit in range(es.units) if np.isfinite(fitness.reshape(es.units, -1)[unit]).all()]
    assert len(kept) == (3 if mirrored else 7)

    g, info = estimate(es, state, fitness)
    assert info.dropped == 3
    # The estimate of a run that never had them: shaped among themselves, divided by their own number.
    alone = fitness.reshape(es.units, -1)[kept]
    weights = np.asarray(jax.jit(SHAPINGS[shaping])(alone, np.ones(alone.shape, bool)), np.float64)
    signed = weights[:, 0] - weights[:, 1] if mirrored else weights[:, 0]
    expected = signed @ epsilons(es, state)[kept] / (weights.size * SIGMA)
    np.testing.assert_allclose(g, expected, rtol=0, atol=2e-5)
    np.testing.assert_allclose(info.gradient_norm, np.linalg.norm(expected), rtol=1e-4)

    if mirrored:  # what the good half of a bad pair had does not matter
        other = fitness.copy()
        other[2] = 1000.0
        np.testing.assert_array_equal(estimate(es, state, other)[0], g)


@pytest.mark.parametrize("shaping", SHAPINGS)
@pytest.mark.parametrize("mirrored", [True, False])
def test_nothing_finite_leaves_the_mean_where_it_is(shaping, mirrored):
    es = make(shaping=shaping, mirrored=mirrored)
    after, info = tell(es, es.init(PARAMS), KEY, np.full(10, np.nan, np.float32))
    np.testing.assert_array_equal(flat(after.params), flat(PARAMS))
    assert info.dropped == 10
    assert info.gradient_norm == 0
    assert np.isnan(info.fitness_mean)
    assert after.generation == 1


@pytest.mark.parametrize("shaping", ["standardized", "centered_rank", "sign"])
@pytest.mark.parametrize("mirrored", [True, False])
def test_a_plateau_leaves_the_mean_where_it_is(shaping, mirrored):
    es = make(shaping=shaping, mirrored=mirrored)
    for value in (0.1, 0.3, -2.7):
        step, info = estimate(es, es.init(PARAMS), np.full(10, value, np.float32))
        assert np.all(step == 0)
        assert info.gradient_norm == 0  # any other would be a full step of Adam


def test_info_describes_the_finite_members():
    fitness = np.array([1.0, 2.0, np.nan, 4.0, -5.0, np.inf, 0.5, 0.25], np.float32)
    finite = fitness[np.isfinite(fitness)]
    _, info = tell(make(population=8), make().init(PARAMS), KEY, fitness)
    actual = [info.fitness_mean, info.fitness_std, info.fitness_max, info.fitness_min]
    np.testing.assert_allclose(actual, [finite.mean(), finite.std(), finite.max(), finite.min()], rtol=1e-6)
    assert info.dropped == 2


# Memory


@pytest.mark.parametrize(("kind", "mirrored"), [("gaussian", True), ("rademacher", False)])
def test_tell_never_holds_population_times_parameters(kind, mirrored):
    perturbation = dense(SIGMA, noise.table(1 << 15) if kind == "table" else KINDS[kind], mirrored)
    assert_tell_holds_no_members(openai_es(256, perturbation=perturbation))


# Errors


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"population": 51}, ("51", "52", "mirrored=False")),
        ({"population": 0}, ("population", "0", "at least 2")),
        ({"population": 1, "mirrored": False}, ("population", "1", "at least 2")),
        ({"population": 8.0}, ("population", "8.0", "whole")),
        ({"weight_decay": -0.1}, ("weight_decay", "-0.1")),
        ({"weight_decay": float("nan")}, ("weight_decay", "nan")),
        ({"weight_decay": float("inf")}, ("weight_decay", "inf")),
        ({"sigma": "a"}, ("sigma", "a")),
        ({"shaping": "ranks"}, ("'ranks'", "raw, standardized, centered_rank, sign")),
        ({"noise": "cauchy"}, ("'cauchy'", "gaussian, rademacher, table")),
        ({"sigma": 0.0}, ("sigma", "0.0")),
    ],
)
def test_settings_that_cannot_be_are_errors_of_one_line(arguments, words):
    text = message(openai_es, **{"population": 8, **arguments})
    assert all(word in text for word in words), text


@pytest.mark.parametrize("members", [[-1], [0, 10]])
def test_members_that_do_not_exist_cannot_be_asked_for(members):
    text = message(make().ask, make().init(PARAMS), KEY, members)
    assert str(members) in text
    assert "0 to 9" in text


@pytest.mark.parametrize("shape", [(9,), (10, 1), (5, 2), ()])
def test_fitness_of_another_shape_is_an_error_of_one_line(shape):
    text = message(make().tell, make().init(PARAMS), KEY, np.zeros(shape))
    assert "(10,)" in text
    assert str(shape) in text


@pytest.mark.parametrize("leaf", [np.arange(3), np.array([True]), 3, np.ones(2, np.complex64)])
def test_parameters_that_are_not_floats_are_an_error_of_one_line(leaf):
    text = message(make().init, {"layer": [np.ones(2, np.float32), leaf]})
    assert "'layer/1'" in text
    assert str(jnp.result_type(leaf)) in text


def test_unmirrored_populations_may_be_odd():
    es = make(population=3, mirrored=False)
    state, fitness = es.init(PARAMS), np.array([1.0, -2.0, 0.5])
    np.testing.assert_allclose(estimate(es, state, fitness)[0], fitness @ epsilons(es, state) / (3 * SIGMA), atol=1e-5)


# Settings


def test_a_shaping_of_ones_own_is_called_with_fitness_and_valid():
    def only_the_best(fitness, valid):
        return jnp.where(valid & (fitness == jnp.max(jnp.where(valid, fitness, -jnp.inf))), 1.0, 0.0)

    es = make(shaping=only_the_best, population=8)
    state = es.init(PARAMS)
    fitness = np.array([0, 1, 2, 9, 4, 5, np.inf, 7], np.float32)
    g, _ = estimate(es, state, fitness)
    np.testing.assert_allclose(g, -epsilons(es, state)[1] / (6 * SIGMA), rtol=0, atol=1e-5)


def test_the_library_exports_it_with_the_defaults_of_the_signature():
    es = nograd.openai_es(10)
    assert (es.population, es.perturbation.sigma, es.perturbation.noise.name) == (10, 0.1, "gaussian")
    assert es.perturbation.mirrored
    assert es.shaping is SHAPINGS["centered_rank"]
    assert es.units == 5


# It optimises


def climb(es, params, fitness_of, generations, key):
    """The mean after some generations, compiled as one scan."""

    def step(state, _):
        fitness = jax.vmap(fitness_of)(es.ask(state, key))
        return es.tell(state, key, fitness)[0], None

    return jax.lax.scan(step, es.init(params), length=generations)[0].params


SPHERES = [
    ("raw", True),
    pytest.param("centered_rank", True, marks=pytest.mark.slow),
    ("centered_rank", False),
    pytest.param("standardized", True, marks=pytest.mark.slow),
    pytest.param("sign", True, marks=pytest.mark.slow),
    pytest.param("sign", False, marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("shaping", "mirrored"), SPHERES)
def test_it_finds_the_top_of_a_sphere(shaping, mirrored):
    es = openai_es(64, 0.1, optax.adam(0.05), noise="rademacher", mirrored=mirrored, shaping=shaping)
    goal = jnp.linspace(-1, 1, 10)

    @jax.jit
    @jax.vmap
    def distance(key):
        return jnp.linalg.norm(climb(es, jnp.zeros(10), lambda p: -jnp.sum((p - goal) ** 2), 300, key) - goal)

    assert np.linalg.norm(goal) > 2
    assert np.all(distance(jax.random.split(jax.random.key(0), 3)) < 0.2)


@pytest.mark.slow
def test_it_learns_a_linear_classification_from_its_accuracy():
    """Accuracy has no gradient: it is a count."""
    rng = np.random.default_rng(0)
    y = np.arange(150) % 3
    x = np.asarray(rng.normal(size=(150, 2)) + 6 * np.stack([np.cos(2.1 * y), np.sin(2.1 * y)], axis=1), np.float32)

    def accuracy(params):
        return jnp.mean(jnp.argmax(x @ params["w"] + params["b"], axis=1) == y)

    es = openai_es(32, 0.3, optax.adam(0.1))
    start = {"w": jnp.zeros((2, 3)), "b": jnp.zeros(3)}
    final = jax.jit(jax.vmap(lambda key: accuracy(climb(es, start, accuracy, 100, key))))
    assert accuracy(start) < 0.4
    assert np.all(final(jax.random.split(jax.random.key(1), 3)) > 0.97)
