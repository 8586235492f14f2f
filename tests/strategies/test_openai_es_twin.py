"""OpenAI-ES against its twin in NumPy, which knows nothing of the library but the draws ε."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from asking import GENERATIONS, KEY, LR, POPULATION, SIGMA, SIZE, START, fitness_of
from scipy.stats import rankdata

from nograd.config import axes
from nograd.strategies.openai_es import openai_es

SHAPINGS = axes.SHAPINGS.builders()


def utilities(f):
    """Wierstra et al. 2014."""
    u = np.maximum(0, np.log(len(f) / 2 + 1) - np.log(rankdata(-f)))
    return u / u.sum() - 1 / len(f)


def twin(epsilons, mirrored, shaping, adam, decay):
    """Algorithm 1 of Salimans et al. 2017 in float64, for the draws of each generation."""
    theta, first, second = START.astype(np.float32).astype(np.float64), 0.0, 0.0
    for t, epsilon in enumerate(epsilons, start=1):
        epsilon = np.stack([epsilon, -epsilon], axis=1).reshape(-1, SIZE) if mirrored else epsilon
        f = fitness_of(theta + SIGMA * epsilon, np)
        w = {
            "raw": f,
            "standardized": (f - f.mean()) / f.std(),
            "centered_rank": (rankdata(f) - 1) / (len(f) - 1) - 0.5,
            "sign": np.sign(f - (f.reshape(-1, 2).mean(1).repeat(2) if mirrored else f.mean())) / (1 + mirrored),
            "utilities": utilities(f),
        }[shaping]
        descent = -(w @ epsilon) / (len(f) * SIGMA) + decay * theta
        if adam:  # Kingma & Ba 2015
            first = 0.9 * first + 0.1 * descent
            second = 0.999 * second + 0.001 * descent**2
            descent = first / (1 - 0.9**t) / (np.sqrt(second / (1 - 0.999**t)) + 1e-8)
        theta = theta - LR * descent
    return theta


def combinations():
    """All of them; every day each shaping once, and both optimizers with members in pairs and single."""
    for mirrored, shaping, adam in itertools.product([True, False], SHAPINGS, [True, False]):
        slow = adam == (shaping in ("raw", "sign")) or mirrored == (shaping in ("standardized", "sign"))
        name = f"{'mirrored' if mirrored else 'single'} {shaping} {'adam with weight decay' if adam else 'sgd'}"
        yield pytest.param(mirrored, shaping, adam, id=name, marks=[pytest.mark.slow] if slow else [])


@pytest.mark.parametrize(("mirrored", "shaping", "adam"), list(combinations()))
def test_the_twin_takes_the_same_steps(mirrored, shaping, adam):
    decay = 0.1 if adam else 0.0
    optimizer = optax.adam(LR) if adam else optax.sgd(LR)
    es = openai_es(POPULATION, SIGMA, optimizer, mirrored=mirrored, shaping=shaping, weight_decay=decay)

    def generation(state, _):
        members = es.ask(state, KEY)
        after, _ = es.tell(state, KEY, fitness_of(members, jnp))
        return after, (members - state.params) / SIGMA

    state, epsilons = jax.jit(lambda s: jax.lax.scan(generation, s, length=GENERATIONS))(es.init(START.astype("f4")))
    epsilons = np.asarray(epsilons, np.float64)[:, :: 2 if mirrored else 1]
    expected = twin(epsilons, mirrored, shaping, adam, decay)
    np.testing.assert_allclose(state.params, expected, rtol=0, atol=1e-5)
    assert np.linalg.norm(expected - START) > 0.05
