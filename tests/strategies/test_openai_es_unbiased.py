"""The mean of many raw-shaped estimates is the gradient of the smoothed objective, within standard errors."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.flatten_util import ravel_pytree

from nograd.perturbations import noise
from nograd.perturbations.dense import dense
from nograd.strategies.openai_es import openai_es

pytestmark = pytest.mark.slow  # minutes in all: before a release

KINDS = {"gaussian": noise.gaussian(), "rademacher": noise.rademacher(), "table": noise.table(1 << 20)}
KEY = jax.random.key(23)
POPULATION = 64


def estimates(perturbation, params, fitness_of, generations):
    """[generations, parameters]: g of each, from the step of sgd(1.0)."""
    es = openai_es(POPULATION, optimizer=optax.sgd(1.0), perturbation=perturbation, shaping="raw")
    start = es.init(params)

    @jax.jit
    def run():
        def one(generation):
            state = start._replace(generation=generation)
            after, _ = es.tell(state, KEY, jax.vmap(fitness_of)(es.ask(state, KEY)))
            return ravel_pytree(after.params)[0] - ravel_pytree(params)[0]

        return jax.lax.map(one, jnp.arange(generations))

    return np.asarray(run(), np.float64)


def mean_and_error(samples):
    return samples.mean(axis=0), samples.std(axis=0) / np.sqrt(len(samples))


def assert_agree(estimate, gradient):
    """Two (mean, standard error) agree, and would not if one were half as large again."""
    error = np.sqrt(estimate[1] ** 2 + gradient[1] ** 2)
    assert np.all(np.abs(estimate[0] - gradient[0]) < 5 * error)
    assert np.linalg.norm(error) * 5 < np.linalg.norm(gradient[0]) / 2


def all_but_for_a_release(*fast):
    """Every noise, mirrored and not, of which these are quick enough for every day."""
    cases = itertools.product(KINDS, [True, False])
    return [pytest.param(*case, marks=[] if case in fast else [pytest.mark.slow]) for case in cases]


@pytest.mark.parametrize(("kind", "mirrored"), all_but_for_a_release(("table", True), ("gaussian", False)))
def test_of_a_quadratic_it_is_the_gradient_itself(kind, mirrored):
    """F = E[f(θ + σε)] = f(θ) + constant for a quadratic f, so ∇F = ∇f for any ε of variance 1."""
    rng = np.random.default_rng(0)
    root = rng.normal(size=(5, 5))
    matrix, goal = (root @ root.T / 5).astype(np.float32), rng.normal(size=5).astype(np.float32)
    params = jnp.asarray(rng.normal(size=5), jnp.float32)

    def fitness_of(p):
        return -0.5 * (p - goal) @ matrix @ (p - goal)

    sampled = mean_and_error(estimates(dense(0.3, KINDS[kind], mirrored), params, fitness_of, 1000))
    assert_agree(sampled, (-matrix @ (params - goal), 0.0))


RNG = np.random.default_rng(4)
NETWORK = jax.tree.map(
    lambda shape: jnp.asarray(RNG.normal(size=shape), jnp.float32),
    {"w1": (2, 4), "b1": (4,), "w2": (4,)},
    is_leaf=lambda value: isinstance(value, tuple),
)
X = RNG.normal(size=(6, 2)).astype(np.float32)
Y = RNG.normal(size=6).astype(np.float32)
SIGMA = 0.4


def network_fitness(params):
    outputs = jnp.tanh(X @ params["w1"] + params["b1"]) @ params["w2"]
    return -jnp.mean((outputs - Y) ** 2)


@pytest.fixture(scope="module")
def smoothed_gradients():
    """∇F by `jax.grad`, (mean, standard error), for the two distributions; draws of JAX's own generator.

    Of ε ~ N(0, I): E[f(θ + σε) ε]/σ = E[∇f(θ + σε)], Stein's identity. Of signs, coordinate by coordinate,
    E[f ε]/σ is the mean of (f(εᵢ = 1) − f(εᵢ = −1))/2σ, so that of ∂f over εᵢ uniform in [−1, 1].
    """
    theta, unravel = ravel_pytree(NETWORK)
    gradient = jax.grad(lambda flat: network_fitness(unravel(flat)))

    def of_normals(key):
        return gradient(theta + SIGMA * jax.random.normal(key, theta.shape))

    def of_signs(key):
        signs, uniform = jax.random.rademacher(key, theta.shape, jnp.float32), jax.random.fold_in(key, 1)
        own = jnp.diag(jax.random.uniform(uniform, theta.shape, minval=-1) - signs)
        return jnp.diag(jax.vmap(lambda change: gradient(theta + SIGMA * (signs + change)))(own))

    keys = jax.random.split(jax.random.key(5), 1 << 15)
    samples = {
        name: np.asarray(jax.jit(lambda k, f=function: jax.lax.map(f, k, batch_size=256))(keys), np.float64)
        for name, function in (("gaussian", of_normals), ("rademacher", of_signs))
    }
    return {name: mean_and_error(values) for name, values in samples.items()}


@pytest.mark.parametrize(("kind", "mirrored"), all_but_for_a_release(("rademacher", True)))
def test_of_a_network_it_is_the_gradient_of_the_smoothed_loss(kind, mirrored, smoothed_gradients):
    sampled = mean_and_error(estimates(dense(SIGMA, KINDS[kind], mirrored), NETWORK, network_fitness, 2000))
    assert_agree(sampled, smoothed_gradients["rademacher" if kind == "rademacher" else "gaussian"])


def test_smoothing_shows_in_the_gradient(smoothed_gradients):
    """The plain gradient would not pass for the smoothed one, nor one distribution's for the other's."""
    plain = ravel_pytree(jax.grad(network_fitness)(NETWORK))[0]
    means = [smoothed_gradients[name] for name in ("gaussian", "rademacher")]
    for mean, error in means:
        assert np.max(np.abs(plain - mean) / error) > 10
    (left, left_error), (right, right_error) = means
    assert np.max(np.abs(left - right) / np.sqrt(left_error**2 + right_error**2)) > 5
