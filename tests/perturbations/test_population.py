"""A local population in units, tiles and chunks: the same numbers however it is cut, and no large arrays."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend import core

import nograd as ng
from nograd.core import chunks
from nograd.core.types import ConfigError
from nograd.perturbations.population import (
    by_pairs,
    by_tiles,
    local_population,
    population_both,
    population_estimate,
    population_fitness,
)

KEY = jax.random.key(8)
RNG = np.random.default_rng(0)
PARAMS = {
    "b": RNG.normal(size=5).astype("f4"),
    "v": RNG.normal(size=(5,)).astype("f4"),
    "w": RNG.normal(size=(4, 5)).astype("f4"),
}
BATCH = (RNG.normal(size=(12, 4)).astype("f4"), RNG.normal(size=12).astype("f4"))
KINDS = {
    "lowrank": ng.lowrank(2, 0.1, 4, 2),
    "lowrank on the whole batch": ng.lowrank(1, 0.1, 96, 0),
    "lowrank, not mirrored": ng.lowrank(1, 0.1, 3, 1, mirrored=False),
    "node": ng.node(0.1, 4),
    "node, not mirrored": ng.node(0.1, 3, noise="gaussian", mirrored=False),
}


def some_of(cases, fast):
    return [case if case in fast else pytest.param(case, marks=pytest.mark.slow) for case in cases]


UNITS = {"lowrank": 6, "lowrank on the whole batch": 3}


def fitness_of(params, x, y):
    return -jnp.square(jnp.tanh(x @ params["w"] + params["b"]) @ params["v"] - y)


def population(name, tile=None):
    local = local_population(KINDS[name], fitness_of, PARAMS, *BATCH)
    return local if tile is None else local._replace(tile=tile, plan=chunks.plan(-(-local.units // tile)))


def own_weights(pairs):
    """From each pair alone."""
    return jnp.tanh(pairs) + jnp.arange(pairs.shape[-1])


def run(local):
    @jax.jit
    def both(params, batch):
        fitness = by_pairs(local, population_fitness(local, params, batch, KEY))
        return fitness, population_estimate(local, params, batch, KEY, by_tiles(local, own_weights(fitness)))

    @jax.jit
    def one_pass(params, batch):
        fitness, total = population_both(local, params, batch, KEY, own_weights)
        return by_pairs(local, fitness), total

    return both(PARAMS, BATCH), one_pass(PARAMS, BATCH)


def assert_trees_close(left, right):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4), left, right)


@pytest.mark.parametrize("name", KINDS)
def test_a_population_has_its_members(name):
    local = population(name)
    units = UNITS.get(name, 12)
    perturbation = KINDS[name]
    assert local.units == units
    members = 192 if perturbation.group == 0 else units * perturbation.directions * perturbation.signs
    assert local.members == members
    assert local.evaluations == members * (12 if perturbation.group == 0 else perturbation.group)
    assert local.plan.units * local.tile >= units


WEIGHT_SPACE = {name: kind for name, kind in KINDS.items() if not name.startswith("node")}


@pytest.mark.parametrize("name", some_of(WEIGHT_SPACE, ["lowrank on the whole batch"]))
def test_one_pass_and_two_passes_agree(name):
    """Not for node: its single pass takes the fitness without noise as its baseline, two passes the pair's mean."""
    (fitness, estimate), (fitness_at_once, at_once) = run(population(name))
    assert fitness.shape == (population(name).members // KINDS[name].signs, KINDS[name].signs)
    np.testing.assert_allclose(fitness_at_once, fitness, rtol=1e-5, atol=1e-6)
    assert_trees_close(at_once, estimate)


@pytest.mark.parametrize(
    ("name", "tile"),
    [case if case in [("node", 5)] else pytest.param(*case, marks=pytest.mark.slow)
     for case in itertools.product([*list(KINDS)[:2], "node"], [1, 2, 5])],
)  # fmt: skip
def test_the_tile_does_not_show(name, tile):
    """Not beyond the order of additions: every unit has its noise from its own address."""
    (fitness, estimate), (fitness_at_once, at_once) = run(population(name, tile))
    (expected, whole), (_, whole_at_once) = run(population(name, 4))
    np.testing.assert_allclose(fitness, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(fitness_at_once, expected, rtol=1e-5, atol=1e-6)
    assert_trees_close(estimate, whole)
    assert_trees_close(at_once, whole_at_once)


def test_a_batch_that_cannot_be_cut_is_refused():
    with pytest.raises(ConfigError) as error:
        local_population(KINDS["lowrank"], fitness_of, PARAMS, np.ones((7, 4)), np.ones(7))
    text = str(error.value)
    assert "\n" not in text
    assert all(word in text for word in ("batch of 7", "groups of 2", "batch 6", "group 0")), text


# Memory --------------------------------------------------------------------------------------------------

WIDTH, DIRECTIONS = 64, 8


def largest(jaxpr):
    """Elements of the largest value anywhere in a jaxpr."""
    sizes = [variable.aval.size for equation in jaxpr.eqns for variable in equation.outvars]
    inside = [
        largest(leaf.jaxpr if isinstance(leaf, core.ClosedJaxpr) else leaf)
        for equation in jaxpr.eqns
        for leaf in jax.tree.leaves(
            list(equation.params.values()), is_leaf=lambda p: isinstance(p, core.Jaxpr | core.ClosedJaxpr)
        )
        if isinstance(leaf, core.Jaxpr | core.ClosedJaxpr)
    ]
    return max([1, *sizes, *inside])


def largest_of(perturbation, batch):
    params = {name: np.ones((WIDTH, WIDTH), "f4") for name in ("w1", "w2", "w3")}

    def loss(p, x):
        return jnp.tanh(jnp.tanh(x @ p["w1"]) @ p["w2"]).sum(1) + jnp.cos(x @ p["w3"]).sum(1)

    gradient = ng.grad(loss, perturbation)
    return largest(jax.make_jaxpr(lambda p, x: gradient(p, x, key=KEY))(params, np.ones((batch, WIDTH), "f4")).jaxpr)


@pytest.mark.parametrize(
    "perturbation",
    [ng.node(0.1, DIRECTIONS), ng.node(0.1, DIRECTIONS, noise="gaussian"), ng.lowrank(1, 0.1, DIRECTIONS, 1),
     ng.lowrank(1, 0.1, DIRECTIONS, 4)],
    ids=["node", "node gaussian", "lowrank", "lowrank of groups"],
)  # fmt: skip
def test_no_array_of_population_times_parameters(perturbation):
    small, large, larger = (largest_of(perturbation, batch) for batch in (16, 128, 8192))
    # What a member has of its own is a layer's outputs, or its factors: WIDTH numbers, not WIDTH².
    for batch, size in ((16, small), (128, large)):
        assert size <= max(4 * batch * DIRECTIONS * 2 * WIDTH, 8 * WIDTH**2)
    assert large < 128 * DIRECTIONS * 2 * WIDTH**2 / 10
    assert larger <= max(8192 * WIDTH, 4 * 256 * DIRECTIONS * 2 * WIDTH)  # tiles: no more than the batch itself


def test_dense_noise_would_be_seen():
    perturbation = ng.lowrank(1, 0.1, DIRECTIONS, 1, densify=True)

    def loss(p, x):
        return (x @ jnp.tanh(p)).sum(1)

    gradient = ng.grad(loss, perturbation)
    jaxpr = jax.make_jaxpr(lambda p, x: gradient(p, x, key=KEY))(
        np.ones((WIDTH, WIDTH), "f4"), np.ones((16, WIDTH), "f4")
    )
    assert largest(jaxpr.jaxpr) >= 16 * DIRECTIONS * WIDTH**2
