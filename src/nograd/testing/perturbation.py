"""Laws of a perturbation: draws depend on their key only, and the estimate is linear in the weights and unbiased."""

from collections.abc import Callable
from typing import Any

import jax
import jax.flatten_util
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from nograd.core.types import Params
from nograd.perturbations.base import Perturbation
from nograd.perturbations.population import by_pairs, by_tiles, population_estimate, population_fitness
from nograd.testing.laws import Law, bits, flat, laws_of, require

_KEY = jax.random.key
_BATCH: tuple[Any, Any] = (
    np.random.default_rng(1).normal(size=(16, 4)).astype(np.float32),
    np.random.default_rng(2).normal(size=16).astype(np.float32),
)
_KEYS = 400  # number of draws over which the estimate is averaged


def perturbation_laws(make: Callable[[], Perturbation]) -> list[Law]:
    """The laws of a perturbation, to be called one by one.

    Args:
        make: returns a perturbation with a small σ (0.01 to 0.1) and few directions, for a batch of 16 examples. If it
            has a group, 16 must be divisible by it.
    """
    laws = (
        equal_keys_give_equal_bits,
        without_weights_nothing_is_estimated,
        the_estimate_is_linear_in_the_weights,
        the_estimate_agrees_with_the_gradient,
        however_a_population_is_cut_it_has_the_same_members,
    )
    return laws_of(laws, make)


def equal_keys_give_equal_bits(make: Callable[[], Perturbation]) -> None:
    """Equal keys give equal members, and another key gives other members."""
    sampled = _sampled(make(), jnp.tanh)
    first, again, other = (sampled(_KEY(seed)) for seed in (0, 0, 1))
    require(bits(first) == bits(again), "the same key has given other bits")
    require(bits(first[0]) != bits(other[0]), "another key must give other members")


def without_weights_nothing_is_estimated(make: Callable[[], Perturbation]) -> None:
    """Σ 0 · ε = 0, as a tree like the parameters."""
    total = _sampled(make(), jnp.zeros_like)(_KEY(0))[1]
    structures: list[Any] = list(map(jax.tree.structure, (total, _params())))
    require(structures[0] == structures[1], "the estimate must be a tree as the parameters")
    shapes = [leaf.shape for leaf in jax.tree.leaves(total)] == [leaf.shape for leaf in jax.tree.leaves(_params())]
    require(shapes, "the estimate must have the shapes of the parameters")
    require(not flat(total).any(), "without weights the estimate must be 0")


def the_estimate_is_linear_in_the_weights(make: Callable[[], Perturbation]) -> None:
    """Σ 3w · ε = 3 Σ w · ε."""
    perturbation = make()
    once, thrice = (_sampled(perturbation, lambda f, by=by: by * _apart(f))(_KEY(0))[1] for by in (1.0, 3.0))  # type: ignore[misc]
    np.testing.assert_allclose(flat(thrice), 3 * flat(once), rtol=1e-4, atol=1e-4)


def the_estimate_agrees_with_the_gradient(make: Callable[[], Perturbation]) -> None:
    """The mean of Σ f ε / (members · σ) is the gradient, within 5 standard errors and a smoothing error of order σ²."""
    perturbation = make()

    def estimate(key: Array) -> Array:
        fitness, total = perturbation.sampled(_values, _params(), _BATCH, key, lambda fitness: fitness)
        return jax.flatten_util.ravel_pytree(total)[0] / (fitness.size * perturbation.sigma)

    drawn = np.asarray(jax.jit(jax.vmap(estimate))(jax.random.split(_KEY(3), _KEYS)), np.float64)
    wanted = flat(jax.grad(lambda params: jnp.mean(_values(params, *_BATCH)))(_params()))
    error = drawn.std(axis=0, ddof=1) / _KEYS**0.5
    away = np.abs(drawn.mean(axis=0) - wanted) - 10 * perturbation.sigma**2
    require(bool(np.all(away < 5 * error)), f"the mean estimate is off by {np.max(away / error):.1f} standard errors")


def however_a_population_is_cut_it_has_the_same_members(make: Callable[[], Perturbation]) -> None:
    """Fitness and estimate of a local population do not depend on how the batch is divided into tiles."""
    perturbation, found = make(), []
    for count in (1, 2, 4):
        local = perturbation.layout(_one, _params(), *_BATCH, count=count)
        if local is None:  # a dense perturbation has no tiles
            return
        fitness = jax.jit(lambda local=local: by_pairs(local, population_fitness(local, _params(), _BATCH, _KEY(0))))()
        weights = by_tiles(local, jnp.tanh(jnp.asarray(np.asarray(fitness))))
        found.append((fitness, population_estimate(local, _params(), _BATCH, _KEY(0), weights)))
    for fitness, total in found[1:]:
        np.testing.assert_allclose(flat(fitness), flat(found[0][0]), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(flat(total), flat(found[0][1]), rtol=1e-3, atol=1e-4)


def _apart(fitness: Array) -> Array:
    """Weights that differ between the members of a pair, independent of their fitness."""
    return jnp.ones_like(fitness) * (jnp.arange(fitness.shape[-1]) + 1.0)


def _sampled(perturbation: Perturbation, weights: Callable[[Array], Array]) -> Callable[[Array], tuple[Array, Params]]:
    return jax.jit(lambda key: perturbation.sampled(_values, _params(), _BATCH, key, weights))


def _params() -> dict[str, Array]:
    draws = np.random.default_rng(0)
    return {name: jnp.asarray(draws.normal(size=size), jnp.float32) for name, size in (("w", (4, 5)), ("v", (5,)))}


def _one(params: Params, x: Array, y: Array) -> Array:
    return _values(params, x[None], y[None])[0]


def _values(params: Params, x: Array, y: Array) -> Array:
    return -jnp.square(jnp.tanh(x @ params["w"]) @ params["v"] / 2 - y)
