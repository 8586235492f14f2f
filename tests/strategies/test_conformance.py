"""The laws that every strategy keeps, whatever its rule; a new one is a line in STRATEGIES."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from asking import assert_tell_holds_no_members, message

import nograd as ng
from nograd.config import axes
from nograd.perturbations import noise
from nograd.perturbations.covariance import Covariance
from nograd.perturbations.dense import dense
from nograd.strategies.base import Strategy
from nograd.testing import strategy_laws
from nograd.testing.strategy import tell

KEY = jax.random.key(7)
SIGMA = 0.25
ADAM, PLAIN = optax.adam(0.05), optax.sgd(0.1)
TABLE = noise.table(1 << 15)
PARAMS = {"w": jnp.asarray(np.random.default_rng(0).normal(size=(3, 2)), jnp.float32), "b": jnp.ones(2)}


class Case(NamedTuple):
    make: Callable[..., Strategy]  # (population, sigma, **more)
    ranks: bool  # whether only the order of the fitness counts
    learns_sigma: bool


STRATEGIES = {
    "openai-es": Case(lambda n=10, s=SIGMA, **more: ng.openai_es(n, s, ADAM, **more), True, False),
    "ars": Case(lambda n=10, s=SIGMA, **more: ng.ars(n, s, PLAIN, **more), False, False),
    "ars, top": Case(lambda n=10, s=SIGMA, **more: ng.ars(n, s, PLAIN, top=2, **more), False, False),
    "snes": Case(lambda n=10, s=SIGMA, **more: ng.snes(n, s, **more), True, True),
    "snes, single": Case(lambda n=10, s=SIGMA, **more: ng.snes(n, s, mirrored=False, **more), True, True),
    "snes, table": Case(lambda n=10, s=SIGMA, **more: ng.snes(n, s, perturbation=dense(s, TABLE), **more), True, True),
    "pgpe": Case(lambda n=10, s=SIGMA, **more: ng.pgpe(n, s, ADAM, **more), True, True),
    "cma-es": Case(lambda n=10, s=SIGMA, **more: ng.cma_es(n, s, **more), True, True),
    "sep-cma-es": Case(lambda n=10, s=SIGMA, **more: ng.sep_cma_es(n, s, **more), True, True),
}
MAIN = ("openai-es", "ars, top", "snes", "pgpe", "cma-es", "sep-cma-es")
PAIRED = ("openai-es", "ars", "ars, top", "snes", "pgpe")


def each(*fast):
    """All strategies, of which these are not left for the slow suite."""
    names = [pytest.param(name, marks=[] if name in fast else [pytest.mark.slow]) for name in STRATEGIES]
    return pytest.mark.parametrize("name", names)


EACH = each(*MAIN)


def begun(name):
    es = STRATEGIES[name].make()
    return es, es.init(PARAMS)


def bits(tree):
    return [np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(tree)]


def draws(seed, size=10):
    return np.random.default_rng(seed).normal(size=size).astype(np.float32)


def flat(tree):
    return np.concatenate([np.ravel(np.asarray(leaf, np.float64)) for leaf in jax.tree.leaves(tree)])


# The laws of nograd.testing ------------------------------------------------------------------------------


def marked(name):
    return [] if name in MAIN else [pytest.mark.slow]


LAWS = [
    pytest.param(law, id=f"{name}-{law}", marks=marked(name))
    for name, case in STRATEGIES.items()
    for law in strategy_laws(case.make)
]


@pytest.mark.parametrize("law", LAWS)
def test_every_strategy_keeps_the_laws(law):
    law()


def test_no_strategy_of_the_registry_is_left_out():
    assert {name.partition(",")[0] for name in STRATEGIES} == set(axes.STRATEGIES.entries)


@EACH
def test_members_are_drawn_from_the_mean_and_perhaps_a_scale_of_each_parameter(name):
    es, state = begun(name)
    assert len(es.leaves(state)) == (4 if STRATEGIES[name].learns_sigma else 2)


# Fitness -------------------------------------------------------------------------------------------------


@EACH
def test_what_the_fitness_is_measured_in_does_not_matter(name):
    es, state = begun(name)
    fitness = draws(3)
    expected = tell(es, state, KEY, fitness)[0]
    for transform in (np.exp, lambda f: f**3, np.arctan) if STRATEGIES[name].ranks else ():
        assert bits(tell(es, state, KEY, transform(fitness).astype(np.float32))[0]) == bits(expected)
    for scale, shift in ((1e-3, 0.0), (1e3, -5.0)):
        changed = tell(es, state, KEY, np.float32(scale) * fitness + np.float32(shift))[0]
        np.testing.assert_allclose(flat(changed.params), flat(expected.params), rtol=0, atol=1e-4)


def deviations(state):
    """The standard deviation of each parameter."""
    scale = getattr(state, "scale", np.float32(SIGMA))
    return np.linalg.norm(scale.factor, axis=1) if isinstance(scale, Covariance) else flat(scale)


@EACH
def test_sigma_is_told(name):
    es, state = begun(name)
    after, info = tell(es, state, KEY, draws(0))
    np.testing.assert_allclose(info.sigma, SIGMA, rtol=1e-6)
    info = tell(es, after, KEY, draws(1))[1]
    np.testing.assert_allclose(info.sigma, np.sqrt(np.mean(deviations(after) ** 2)), rtol=1e-5)
    assert (abs(info.sigma / SIGMA - 1) > 1e-3) == STRATEGIES[name].learns_sigma


# Memory --------------------------------------------------------------------------------------------------


@each("ars, top", "sep-cma-es")
def test_tell_never_holds_population_times_parameters(name):
    assert_tell_holds_no_members(STRATEGIES[name].make(256))


# Errors --------------------------------------------------------------------------------------------------


@EACH
def test_what_cannot_be_is_one_line_with_the_value(name):
    make = STRATEGIES[name].make
    for population in (0, 1, 8.0, None):
        assert str(population) in message(make, population)
    es, state = begun(name)
    assert "0 to 9" in message(es.ask, state, KEY, [0, 10])
    assert "(10,)" in message(es.tell, state, KEY, np.zeros((5, 2)))
    assert "'layer/1'" in message(es.init, {"layer": [np.ones(2, np.float32), np.arange(3)]})


@pytest.mark.parametrize("name", PAIRED)
def test_pairs_need_an_even_population(name):
    assert "52" in message(STRATEGIES[name].make, 51)


@pytest.mark.parametrize("name", [name for name, case in STRATEGIES.items() if case.learns_sigma])
def test_sigma_cannot_be_learnt_without_sizes_or_members(name):
    make = {"snes": ng.snes, "pgpe": ng.pgpe, "cma-es": ng.cma_es, "sep-cma-es": ng.sep_cma_es}[name.partition(",")[0]]
    assert "gaussian or table" in message(make, 10, noise="rademacher")
    assert "node" in message(make, None, perturbation=ng.node())
    assert "sigma" in message(make, 10, -1.0)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: ng.ars(10, top=6), ["top", "1 to 5", "6"]),
        (lambda: ng.ars(10, top=0), ["top", "1 to 5", "0"]),
        (lambda: ng.ars(10, top=2.0), ["top", "2.0"]),
        (lambda: ng.ars(perturbation=ng.node(), top=4), ["top", "4", "node", "leave top out"]),
        (lambda: ng.ars(perturbation=ng.lowrank(group=8), top=4), ["top", "4", "lowrank"]),
        (lambda: ng.ars(perturbation=ng.lowrank(group=0, directions=8), top=9), ["top", "1 to 8", "9"]),
        (lambda: ng.ars(10, perturbation=dense(0.1, mirrored=False)), ["ars", "mirrored"]),
        (lambda: ng.ars(10, weight_decay=-1.0), ["weight_decay", "-1.0"]),
        (lambda: ng.sep_cma_es(10, perturbation=dense(0.1)), ["sep-cma-es", "mirrored"]),
        (lambda: ng.snes(10, lr=0.0), ["lr", "0.0"]),
        (lambda: ng.snes(10, lr_sigma=float("nan")), ["lr_sigma", "nan"]),
        (lambda: ng.pgpe(10, lr_sigma=-0.1), ["lr_sigma", "-0.1"]),
        (lambda: ng.pgpe(10, shaping="ranks"), ["'ranks'", "utilities"]),
    ],
)
def test_settings_of_one_strategy_that_cannot_be(make, words):
    text = message(make)
    assert all(word in text for word in words), text


# They optimise -------------------------------------------------------------------------------------------


def sphere(x):
    return -jnp.sum((x - jnp.linspace(0.5, 1.5, len(x))) ** 2)


def rosenbrock(x):
    """Rosenbrock (1960), in any dimension; from −1 in each the valley is found at once, its end is not."""
    return -jnp.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


@pytest.mark.parametrize(
    ("dimension", "generations"),
    [(2, 300), pytest.param(12, 600, marks=pytest.mark.slow), pytest.param(60, 2000, marks=pytest.mark.slow)],
)
@EACH
@pytest.mark.slow
def test_it_climbs_a_sphere_and_rosenbrocks_valley(name, dimension, generations):
    es = STRATEGIES[name].make(32)

    def fitness_of(which, x):
        return jnp.where(which == 0, sphere(x), rosenbrock(x))

    @jax.jit
    @jax.vmap
    def climbed(key, which):
        """The loss at the end, as a share of the one at the start."""
        start = jnp.full(dimension, -1.0)

        def step(state, _):
            fitness = jax.vmap(lambda x: fitness_of(which, x))(es.ask(state, key))
            return es.tell(state, key, fitness)[0], None

        final = jax.lax.scan(step, es.init(start), length=generations)[0]
        return fitness_of(which, final.params) / fitness_of(which, start)

    keys, which = jax.random.split(jax.random.key(0), 6), jnp.arange(6) % 2
    left = np.asarray(climbed(keys, which))
    assert np.all(left < 0.02), left
