"""The margin of CMA-ES against a twin in NumPy, and its law: no whole number and no choice freezes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

import nograd as ng
from nograd.strategies.margin import ahead_margin, interval_margin, with_margin
from nograd.tasks.bounds import space_of

ALPHAS = st.floats(1e-4, 0.3)
DEVIATIONS = st.floats(-30, 5).map(lambda power: 10.0**power)


def twin(m, s, low, high, alpha):
    """Hamano et al. 2022, algorithm 1, of a coordinate between two thresholds."""
    p = np.array([norm.cdf((low - m) / s), 0.0, norm.cdf((m - high) / s)])
    p[1] = 1 - p[0] - p[2]
    raised = np.maximum(p, alpha / 2)
    raised += (1 - raised.sum()) / (raised.sum() - 3 * alpha / 2) * (raised - alpha / 2)
    q_low, q_high = norm.isf(raised[[0, 2]])
    s = (high - low) / (q_low + q_high)
    return low + s * q_low, s


@given(st.floats(-0.4999, 0.4999), st.floats(-3, 1).map(lambda p: 10.0**p), ALPHAS)
@settings(deadline=None, max_examples=50)
def test_the_twin_corrects_as_much(mean, deviation, alpha):
    with jax.enable_x64(True):
        found = interval_margin(jnp.float64(mean), jnp.float64(deviation), -0.5, 0.5, alpha)
    low, high = norm.cdf((-0.5 - mean) / deviation), norm.sf((0.5 - mean) / deviation)
    kept = low >= alpha / 2 and high >= alpha / 2
    expected = (mean, deviation) if kept else twin(mean, deviation, -0.5, 0.5, alpha)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-9)


@given(st.floats(-40, 40), DEVIATIONS, ALPHAS, st.integers(2, 30))
@settings(deadline=None, max_examples=50)
def test_a_whole_number_is_left_with_the_probability_of_the_margin(z, deviation, alpha, count):
    """Wherever the mean is, mirrored or not, and however small the deviation: by the values that members have."""
    with jax.enable_x64(True):
        leaf = ng.integers(-3, count - 4)
        mean, factor = leaf.margin(jnp.float64(z), lambda: jnp.full((1, 1), deviation**2), alpha)
        spread = float(factor) * deviation
        places = np.linspace(alpha / 20, 1 - alpha / 20, 20_001)
        values = np.asarray(jax.vmap(leaf.value)(mean + spread * norm.ppf(places)))
        others = np.mean(values != int(leaf.value(mean)))
    assert others >= 0.8 * alpha
    assert np.isfinite([float(mean), spread]).all()


@given(
    st.lists(st.floats(-20, 20, allow_subnormal=False), min_size=4, max_size=4),
    DEVIATIONS,
    ALPHAS,
    st.integers(0, 10**6),
)
@settings(deadline=None, max_examples=60)
def test_each_option_overtakes_the_first_with_the_probability_of_the_margin(scores, deviation, alpha, seed):
    factor = deviation * np.random.default_rng(seed).normal(size=(4, 4))
    with jax.enable_x64(True):
        raised = np.asarray(ahead_margin(jnp.array(scores), jnp.array(factor @ factor.T), alpha))
    first = int(np.argmax(scores))
    assert raised[first] == scores[first]
    assert np.all(raised >= scores)
    for other in set(range(4)) - {first}:
        apart = np.linalg.norm(factor[first] - factor[other])
        gap = raised[first] - raised[other]
        assert gap <= -norm.ppf(alpha) * apart * (1 + 1e-6) + 1e-9 * max(1.0, abs(scores[first]))


MAKERS = {
    "cma-es": lambda: ng.cma_es(8, 0.3),
    "sep-cma-es": lambda: ng.sep_cma_es(8, 0.3),
    "snes": lambda: ng.snes(8, 0.3),
    "openai-es": lambda: ng.openai_es(8, 0.3, noise="gaussian"),
}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] if name != "sep-cma-es" else []) for name in MAKERS]
)
def test_a_rule_that_needs_no_correction_takes_its_own_steps(name):
    """Of real numbers alone the margin changes nothing."""
    with jax.enable_x64(True):
        space, _ = space_of({"a": np.ones(3), "b": 0.5}, None, None)
        plain = MAKERS[name]()
        key, states = jax.random.key(1), []

        def generation(es, state):
            members = es.ask(state, key)
            return es.tell(state, key, -jnp.square(members[0] - 1).sum(1) - members[1] ** 2)[0]

        for es in (plain, with_margin(plain, space.size, space.margin)):
            steps = lambda state, es=es: jax.lax.scan(lambda s, _: (generation(es, s), None), state, length=4)[0]  # noqa: E731
            states.append(jax.jit(steps)(es.init(space.origin())))
    for own, other in zip(jax.tree.leaves(states[0].params), jax.tree.leaves(states[1].params), strict=True):
        np.testing.assert_allclose(own, other, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    "name", ["cma-es", *(pytest.param(name, marks=pytest.mark.slow) for name in ("sep-cma-es", "snes"))]
)
def test_members_keep_leaving_a_value_that_is_the_best(name):
    """Over generations in which sigma falls to nothing, a member in α of them has another value."""
    space, _ = space_of({"n": ng.integers(0, 9), "kind": ng.choice("a", "b"), "x": 1.0}, None, None)
    with jax.enable_x64(True):
        es = with_margin(MAKERS[name](), space.size, space.margin)
        key = jax.random.key(0)

        def generation(state, _):
            members = es.ask(state, key)
            kind, n, x = jax.vmap(space.values)(members)
            wrong = jnp.stack([kind != 0, n != 4], 1)
            after, _ = es.tell(state, key, -(wrong.sum(1) + jnp.square(x)))
            return after, (wrong.mean(0), jnp.abs(x).max())

        _, (wrong, x) = jax.jit(lambda s: jax.lax.scan(generation, s, length=300))(es.init(space.origin()))
    assert float(x[-1]) < 1e-3
    rate, least = np.asarray(wrong)[200:].mean(0), 1 / (8 * space.size)
    assert np.all(rate > 0.5 * least)
    assert np.all(rate < 10 * least)
