"""sep-CMA-ES against pycma, by the author of CMA-ES: the same parameters, and as many evaluations to a target."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import nograd as ng
from nograd.strategies.sep_cma_es import constants
from nograd.strategies.shaping import recombination_weights

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    cma = pytest.importorskip("cma")

TARGET, SEEDS = 1e-8, 6
OPTIONS = {"CMA_diagonal": True, "CMA_active": False, "verbose": -9}


def sphere(x):
    return (x**2).sum()


def ellipsoid(x):
    """Axes of lengths 1 to 10³, along the coordinates."""
    return (10.0 ** (6 * np.arange(len(x)) / (len(x) - 1)) * x**2).sum()


@pytest.mark.parametrize(("population", "n"), [(10, 10), (12, 20), (15, 40), (32, 200)])
def test_the_parameters_are_pycmas(population, n):
    """Not below 4 dimensions, where pycma damps more, nor in many, where it has another rule for the step size."""
    es = cma.CMAEvolutionStrategy(np.ones(n), 0.5, OPTIONS | {"popsize": population, "AdaptSigma": True})
    es.optimize(sphere, iterations=1)
    ours, theirs, step = constants(population, n), es.sp, es.adapt_sigma
    np.testing.assert_allclose(recombination_weights(population), np.maximum(theirs.weights, 0), rtol=1e-12)
    np.testing.assert_allclose(
        [ours.mu_eff, ours.c_sigma, ours.d_sigma, ours.c_c],
        [theirs.weights.mueff, step.cs, step.damps, theirs.cc],
        rtol=1e-12,
    )
    # For the whole matrix theirs; for its diagonal (n + 2)/3 times as large (Ros & Hansen 2008).
    larger = (n + 2) / 3
    np.testing.assert_allclose([ours.c_1, ours.c_mu], [larger * theirs.c1, min(1 - ours.c_1, larger * theirs.cmu)])
    np.testing.assert_allclose(ours.chi, es.const.chiN, rtol=1e-12)


@pytest.mark.parametrize("function", [sphere, pytest.param(ellipsoid, marks=pytest.mark.slow)])
def test_it_takes_no_more_evaluations_to_the_target(function):
    n, population, generations = 10, 10, 900

    def theirs(seed):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            es = cma.CMAEvolutionStrategy(
                np.ones(n), 0.5, OPTIONS | {"popsize": population, "seed": seed + 1, "ftarget": TARGET}
            )
            es.optimize(function)
        assert "ftarget" in es.stop()
        return es.result.evaluations

    strategy = ng.sep_cma_es(population, 0.5)

    @jax.jit
    @jax.vmap
    def ours(key):
        def step(state, _):
            loss = jax.vmap(function)(strategy.ask(state, key))
            return strategy.tell(state, key, -loss)[0], jnp.min(loss)

        best = jax.lax.scan(step, strategy.init(jnp.ones(n)), length=generations)[1]
        return (1 + jnp.argmax(best < TARGET)) * population, jnp.min(best)

    evaluations, reached = map(np.asarray, ours(jax.random.split(jax.random.key(0), SEEDS)))
    assert np.all(reached < TARGET)
    ratio = evaluations.mean() / np.mean([theirs(seed) for seed in range(SEEDS)])
    assert 0.5 < ratio < 1.2, ratio
