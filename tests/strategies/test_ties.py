"""Equal fitness is treated alike: it moves no distribution, whatever share of the population is tied."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nograd as ng
from nograd.config import axes
from nograd.strategies.shaping import TopK, centred, recombination, weights

SHAPINGS = axes.SHAPINGS.builders()

KEY = jax.random.key(3)
PARAMS = {"w": jnp.linspace(-1.0, 1.0, 8), "b": jnp.ones(2)}
SGD = optax.sgd(0.1)
STRATEGIES = {
    **{f"openai-es, {name}": lambda name=name: ng.openai_es(12, 0.1, SGD, shaping=name) for name in SHAPINGS},
    "pgpe, centered_rank": lambda: ng.pgpe(12, 0.1, SGD),
    "pgpe, raw": lambda: ng.pgpe(12, 0.1, SGD, shaping="raw"),
    "pgpe, single": lambda: ng.pgpe(12, 0.1, SGD, mirrored=False),
    "ars": lambda: ng.ars(12, 0.1),
    "ars, top": lambda: ng.ars(12, 0.1, top=2),
    "snes": lambda: ng.snes(12, 0.1),
    "snes, single": lambda: ng.snes(12, 0.1, mirrored=False),
    "sep-cma-es": lambda: ng.sep_cma_es(12, 0.1),
}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(
            name, marks=pytest.mark.slow if name in ("pgpe, raw", "pgpe, single", "snes, single", "ars") else ()
        )
        for name in STRATEGIES
    ],
)
def test_a_flat_fitness_leaves_the_distribution_as_it_is(name):
    """Also after generations that told something, and where the equal numbers are not round."""
    es = STRATEGIES[name]()
    tell = jax.jit(es.tell)
    state = es.init(PARAMS)
    for generation in range(2):
        state, _ = tell(state, KEY, jnp.asarray(np.random.default_rng(generation).normal(size=12)))
    before = es.distribution(state)
    for value in (0.0, 1 / 3, -1e30):
        after, _ = tell(state, KEY, jnp.full(12, value))
        for old, new in zip(jax.tree.leaves(before), jax.tree.leaves(es.distribution(after)), strict=True):
            np.testing.assert_array_equal(old, new)


TIED = st.lists(st.integers(0, 3), min_size=10, max_size=10)  # ten units: one compilation
RULES = {**SHAPINGS, "centred": centred, "recombination": recombination, "top": TopK(3), "top, all but one": TopK(9)}
COMPILED = {name: jax.jit(lambda f, rule=rule: weights(rule, f)[0]) for name, rule in RULES.items()}


@pytest.mark.parametrize("name", RULES)
@settings(max_examples=40, deadline=None)
@given(better=TIED, worse=TIED, order=st.permutations(range(10)))
def test_weights_follow_the_fitness_and_not_the_place(name, better, worse, order):
    """In whatever order units come, each has the same weights; units of equal fitness have equal ones."""
    fitness = np.array([better, worse], np.float32).T
    given_order = np.asarray(COMPILED[name](fitness))
    np.testing.assert_allclose(np.asarray(COMPILED[name](fitness[order])), given_order[order], rtol=0, atol=1e-6)
    seen: dict[tuple[float, ...], np.ndarray] = {}
    for row, own in zip(map(tuple, fitness.tolist()), given_order, strict=True):
        np.testing.assert_array_equal(seen.setdefault(row, own), own)


def test_directions_that_tie_for_the_last_place_share_it():
    fitness = jnp.array([[5.0, 0.0], [3.0, 0.0], [3.0, 0.0], [1.0, 0.0]])
    shaped = TopK(2)(fitness, jnp.ones((4, 2), bool))
    assert float(shaped[1, 0]) == float(shaped[2, 0]) > 0
    assert float(shaped[3, 0]) == float(shaped[3, 1]) == 0.0
    one = TopK(2)(fitness.at[2, 0].set(2.9), jnp.ones((4, 2), bool))
    assert float(one[2, 0]) == 0.0


def log_sigma(es, levels, generations=150, runs=64):
    """(mean, standard error) of log σ/σ₀ after generations whose fitness has nothing to do with the members."""

    def one(key):
        def step(state, number):
            draw = jax.random.randint(jax.random.fold_in(key, number), (es.population,), 0, levels)
            return es.tell(state, key, draw.astype(jnp.float32))[0], None

        state = jax.lax.scan(step, es.init(PARAMS), jnp.arange(generations))[0]
        scales = jnp.concatenate([jnp.ravel(leaf) for leaf in jax.tree.leaves(es.distribution(state).scale)])
        return jnp.mean(jnp.log(scales / 0.1))

    found = np.asarray(jax.jit(jax.vmap(one))(jax.random.split(KEY, runs)))
    return found.mean(), found.std(ddof=1) / np.sqrt(runs)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sep-cma-es", "snes", "snes, single", "pgpe, centered_rank"])
def test_sigma_does_not_fade_where_fitness_is_only_ties(name):
    """With two values of fitness, σ goes where it goes with distinct ones: within errors, never further down."""
    es = STRATEGIES[name]()
    (tied, error), (distinct, other) = log_sigma(es, 2), log_sigma(es, 1 << 20)
    assert tied > min(distinct, 0.0) - 5 * np.hypot(error, other) - 0.05
