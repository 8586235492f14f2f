"""CMA-ES against a twin in NumPy and against pycma, by the author of CMA-ES."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from asking import GENERATIONS, KEY, POPULATION, SIGMA, SIZE, START, fitness_of

import nograd as ng
from nograd.core.types import ConfigError
from nograd.strategies.cma_es import constants, recombination_with_negative

TARGET, SEEDS = 1e-8, 4


def twin(m, z, lam, sigma):
    """Hansen 2016, figure 6 with table 1, written out; z are standard normal draws [generations, λ, n]."""
    n = len(m)
    raw = np.log((lam + 1) / 2) - np.log(np.arange(1, lam + 1))
    mu = (raw > 0).sum()
    mueff, mueff_minus = (raw[:mu].sum() ** 2 / (raw[:mu] ** 2).sum(), raw[mu:].sum() ** 2 / (raw[mu:] ** 2).sum())
    cs, cc = (mueff + 2) / (n + mueff + 3), (4 + mueff / n) / (n + 4 + 2 * mueff / n)
    c1 = 2 / ((n + 1.3) ** 2 + mueff)
    cmu = min(1 - c1, 2 * (0.25 + mueff + 1 / mueff - 2) / ((n + 2) ** 2 + mueff))
    damps = 1 + 2 * max(0, np.sqrt((mueff - 1) / (n + 1)) - 1) + cs
    low = min(1 + c1 / cmu, 1 + 2 * mueff_minus / (mueff + 2), (1 - c1 - cmu) / (n * cmu))
    w = np.where(raw > 0, raw / raw[:mu].sum(), low * raw / -raw[mu:].sum())
    chi = np.sqrt(n) * (1 - 1 / (4 * n) + 1 / (21 * n**2))
    c, ps, pc = np.eye(n), np.zeros(n), np.zeros(n)
    for t, draws in enumerate(z):
        values, vectors = np.linalg.eigh(c)
        root, inverse = (vectors * values**p @ vectors.T for p in (0.5, -0.5))
        y = draws @ root
        y = y[np.argsort(-fitness_of(m + sigma * y, np))]
        yw = w[:mu] @ y[:mu]
        m = m + sigma * yw
        ps = (1 - cs) * ps + np.sqrt(cs * (2 - cs) * mueff) * inverse @ yw
        hs = float(np.linalg.norm(ps) / np.sqrt(1 - (1 - cs) ** (2 * (t + 1))) < np.sqrt((2 + 4 / (n + 1)) * n))
        pc = (1 - cc) * pc + hs * np.sqrt(cc * (2 - cc) * mueff) * yw
        v = np.where(w >= 0, w, w * n / ((y @ inverse) ** 2).sum(1))
        delta = (1 - hs) * cc * (2 - cc)
        c = (1 + c1 * delta - c1 - cmu * w.sum()) * c + c1 * np.outer(pc, pc) + cmu * (v * y.T) @ y
        sigma *= np.exp(min(1, cs / damps * (np.linalg.norm(ps) / chi - 1)))
    return m, sigma**2 * c


def test_the_twin_takes_the_same_steps(optimized):
    es = ng.cma_es(POPULATION, SIGMA)
    assert constants(POPULATION, SIZE).every == 1  # the twin decomposes its matrix in each generation

    def generation(state, _):
        members = es.ask(state, KEY)
        draws = jnp.linalg.solve(state.scale.factor, (members - state.params).T).T
        return es.tell(state, KEY, fitness_of(members, jnp))[0], draws

    with jax.enable_x64(True):
        run = jax.jit(lambda state: jax.lax.scan(generation, state, length=GENERATIONS))
        state, draws = run(es.init(np.asarray(START, np.float64)))
        mean, covariance = twin(np.asarray(START, np.float64), np.asarray(draws), POPULATION, SIGMA)
        np.testing.assert_allclose(state.params, mean, rtol=1e-9)
        np.testing.assert_allclose(state.step_size**2 * state.covariance, covariance, rtol=1e-8, atol=1e-12)
    assert np.linalg.norm(mean - START) > 0.05
    assert np.linalg.cond(covariance) > 1.3


@pytest.mark.parametrize(("population", "n"), [(8, 5), (10, 10), (12, 20), (15, 40), (32, 200)])
def test_the_parameters_are_pycmas(population, n):
    cma = _pycma()
    es = cma.CMAEvolutionStrategy(np.ones(n), 0.5, {"popsize": population, "AdaptSigma": True, "verbose": -9})
    es.optimize(lambda x: (x**2).sum(), iterations=1)
    ours, theirs, step = constants(population, n), es.sp, es.adapt_sigma
    np.testing.assert_allclose(
        [ours.mu_eff, ours.c_sigma, ours.d_sigma, ours.c_c, ours.c_1, ours.c_mu, ours.chi],
        [theirs.weights.mueff, step.cs, step.damps, theirs.cc, theirs.c1, theirs.cmu, es.const.chiN],
        rtol=1e-9,
    )
    fitness, valid = -np.arange(population, dtype=np.float32)[:, None], np.ones((population, 1), bool)
    weights = np.asarray(recombination_with_negative(jnp.asarray(fitness), jnp.asarray(valid)))[:, 0]
    weights = np.where(weights < 0, ours.active * weights, weights)
    np.testing.assert_allclose(weights, theirs.weights, rtol=2e-5, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("n", [6, 20])
def test_it_takes_no_more_evaluations_to_the_target_than_pycma(n):
    """On an ellipsoid with axes of lengths 1 to 10³ in any direction."""
    rotation = np.linalg.qr(np.random.default_rng(0).normal(size=(n, n)))[0]
    lengths = 10.0 ** (6 * np.arange(n) / (n - 1))
    ellipsoid = lambda x: (lengths * (rotation @ x) ** 2).sum()  # noqa: E731
    population = 4 + int(3 * np.log(n))
    theirs = [_evaluations_of_pycma(ellipsoid, n, seed) for seed in range(SEEDS)]
    es = ng.cma_es(population, 0.5)

    def ours(key):
        def step(state, _):
            loss = jax.vmap(ellipsoid)(es.ask(state, key))
            return es.tell(state, key, -loss)[0], jnp.min(loss)

        best = jax.lax.scan(step, es.init(jnp.ones(n)), length=5 * max(theirs) // (2 * population))[1]
        return (1 + jnp.argmax(best < TARGET)) * population, jnp.min(best)

    with jax.enable_x64(True):
        evaluations, reached = map(np.asarray, jax.jit(jax.vmap(ours))(jax.random.split(jax.random.key(0), SEEDS)))
    assert np.all(reached < TARGET)
    assert 0.6 < evaluations.mean() / np.mean(theirs) < 1.2


def test_a_matrix_too_large_is_refused_with_the_strategy_that_can():
    with pytest.raises(ConfigError, match=r"10,001 × 10,001 numbers.*sep-cma-es"):
        ng.cma_es(8).init(jnp.zeros(10_001))


def _pycma():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("cma")


def _evaluations_of_pycma(function, n, seed):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        options = {"verbose": -9, "seed": seed + 1, "ftarget": TARGET}
        es = _pycma().CMAEvolutionStrategy(np.ones(n), 0.5, options)
        es.optimize(function)
    assert "ftarget" in es.stop()
    return es.result.evaluations
