"""ARS, SNES, PGPE and sep-CMA-ES against their twins in NumPy, which know nothing of the library but the draws ε."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from asking import GENERATIONS, KEY, LR, POPULATION, SIGMA, SIZE, START, fitness_of

import nograd as ng


def places(f):
    """0 for the best."""
    return np.argsort(np.argsort(-f))


def ars(theta, epsilons, top):
    """Mania, Guy & Recht 2018, Algorithm 2, V1-t. Epsilons are [units, 2, size], a pair's both halves."""
    for epsilon in epsilons:
        r = fitness_of(theta + SIGMA * epsilon, np)
        best = np.argsort(-r.max(1))[:top]
        theta = theta + LR / (top * r[best].std()) * ((r[best, 0] - r[best, 1]) @ epsilon[best, 0])
    return theta, None


def snes(theta, epsilons, lr=0.9, lr_sigma=None):
    """Schaul, Glasmachers & Schmidhuber 2011, Algorithm 2, with the parameters of Wierstra et al. 2014."""
    sigma, d = np.full(SIZE, SIGMA), SIZE
    lr_sigma = lr_sigma or (3 + np.log(d)) / (5 * np.sqrt(d))
    for s in epsilons.reshape(len(epsilons), -1, SIZE):
        f = fitness_of(theta + sigma * s, np)
        u = np.maximum(0, np.log(len(f) / 2 + 1) - np.log(np.arange(1, len(f) + 1)))
        u = (u / u.sum() - 1 / len(f))[places(f)]
        theta = theta + lr * sigma * (u @ s)
        sigma = sigma * np.exp(lr_sigma / 2 * (u @ (s**2 - 1)))
    return theta, sigma


def pgpe(theta, epsilons, raw, lr_sigma=0.3):
    """Sehnke et al. 2010: Δμ = α (r − b)(θ − μ) and Δσ = α_σ (r − b)((θ − μ)² − σ²)/σ, the mean over all members."""
    sigma = np.full(SIZE, SIGMA)
    for epsilon in epsilons.reshape(len(epsilons), -1, SIZE):
        step = sigma * epsilon
        f = fitness_of(theta + step, np)
        w = f - f.mean() if raw else 0.5 - places(f) / (len(f) - 1)
        theta = theta + LR * (w @ step) / len(f)
        change = lr_sigma * (w @ ((step**2 - sigma**2) / sigma)) / len(f)
        sigma = sigma + np.clip(change, -0.2 * sigma, 0.2 * sigma)
    return theta, sigma


def sep_cma_es(m, epsilons):
    """Hansen 2016, Algorithm with table 1, the matrix a diagonal and its learning rates (n + 2)/3 times as large."""
    n, lam = SIZE, POPULATION
    w = np.log((lam + 1) / 2) - np.log(np.arange(1, lam // 2 + 1))
    w /= w.sum()
    mu = 1 / (w**2).sum()
    cs, cc = (mu + 2) / (n + mu + 3), (4 + mu / n) / (n + 4 + 2 * mu / n)
    c1 = (n + 2) / 3 * 2 / ((n + 1.3) ** 2 + mu)
    cmu = min(1 - c1, (n + 2) / 3 * 2 * (0.25 + mu - 2 + 1 / mu) / ((n + 2) ** 2 + mu))
    damps = 1 + cs + 2 * max(0, np.sqrt((mu - 1) / (n + 1)) - 1)
    chi = np.sqrt(n) * (1 - 1 / (4 * n) + 1 / (21 * n**2))
    sigma, c, ps, pc = SIGMA, np.ones(n), np.zeros(n), np.zeros(n)
    for t, epsilon in enumerate(epsilons.reshape(len(epsilons), -1, SIZE)):
        y = np.sqrt(c) * epsilon
        y = y[np.argsort(-fitness_of(m + sigma * y, np))[: lam // 2]]
        m = m + sigma * (w @ y)
        ps = (1 - cs) * ps + np.sqrt(cs * (2 - cs) * mu) * (w @ y) / np.sqrt(c)
        hs = float((ps**2).sum() / (1 - (1 - cs) ** (2 * (t + 1))) / n < 2 + 4 / (n + 1))
        pc = (1 - cc) * pc + hs * np.sqrt(cc * (2 - cc) * mu) * (w @ y)
        c = (1 - c1 * (1 - (1 - hs) * cc * (2 - cc)) - cmu) * c + c1 * pc**2 + cmu * (w @ y**2)
        sigma *= np.exp(min(1, cs / damps * (np.linalg.norm(ps) / chi - 1)))
    return m, sigma * np.sqrt(c)


SGD = optax.sgd(LR)
TWINS = {
    "ars": (lambda: ng.ars(POPULATION, SIGMA, SGD), lambda e: ars(START, e, POPULATION // 2)),
    "ars, top 3": (lambda: ng.ars(POPULATION, SIGMA, SGD, top=3), lambda e: ars(START, e, 3)),
    "snes": (lambda: ng.snes(POPULATION, SIGMA, lr=0.9), lambda e: snes(START, e)),
    "snes, single": (
        lambda: ng.snes(POPULATION - 1, SIGMA, lr=0.9, lr_sigma=0.4, mirrored=False),
        lambda e: snes(START, e, lr_sigma=0.4),
    ),
    "pgpe": (lambda: ng.pgpe(POPULATION, SIGMA, SGD, lr_sigma=0.3), lambda e: pgpe(START, e, False)),
    "pgpe, single, raw": (
        lambda: ng.pgpe(POPULATION, SIGMA, SGD, lr_sigma=0.3, mirrored=False, shaping="raw"),
        lambda e: pgpe(START, e, True),
    ),
    "sep-cma-es": (lambda: ng.sep_cma_es(POPULATION, SIGMA), lambda e: sep_cma_es(START, e)),
}


@pytest.mark.parametrize("name", TWINS)
def test_the_twin_takes_the_same_steps(name):
    make, twin = TWINS[name]
    es = make()

    def generation(state, _):
        members = es.ask(state, KEY)
        after, _ = es.tell(state, KEY, fitness_of(members, jnp))
        return after, (members - state.params) / getattr(state, "scale", SIGMA)

    run = jax.jit(lambda s: jax.lax.scan(generation, s, length=GENERATIONS))
    state, epsilons = run(es.init(START.astype(np.float32)))
    epsilons = np.asarray(epsilons, np.float64).reshape(GENERATIONS, es.units, es.dense.members, SIZE)
    theta, sigma = twin(epsilons)
    np.testing.assert_allclose(state.params, theta, rtol=0, atol=2e-5)
    assert np.linalg.norm(theta - START) > 0.05
    if sigma is not None:
        np.testing.assert_allclose(state.scale, sigma, rtol=2e-4)
        assert np.abs(np.log(sigma / SIGMA)).max() > 0.05


def test_a_sigma_of_pgpe_changes_by_a_fifth_at_the_most():
    es = ng.pgpe(POPULATION, SIGMA, SGD, lr_sigma=1000.0)
    state = es.init(START.astype(np.float32))
    after, _ = jax.jit(lambda state: es.tell(state, KEY, fitness_of(es.ask(state, KEY), jnp)))(state)
    change = np.asarray(after.scale) / SIGMA - 1
    np.testing.assert_allclose(np.abs(change), 0.2, rtol=1e-5)
    assert len(np.unique(np.sign(change))) == 2
