"""Dense perturbation: the members of a unit, their evaluation, and their weighted noise."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nograd.core.types import ConfigError
from nograd.models import mlp
from nograd.perturbations import dense as module
from nograd.perturbations import noise
from nograd.perturbations.dense import dense, evaluator

KINDS = {"gaussian": noise.gaussian(), "rademacher": noise.rademacher(), "table": noise.table(1 << 12)}
MODEL = mlp(6).build((4,), 3)
RNG = np.random.default_rng(0)
PARAMS = jax.tree.map(
    lambda leaf: jnp.asarray(RNG.normal(size=leaf.shape), jnp.float32), jax.eval_shape(MODEL.init, jax.random.key(0))
)
X = RNG.normal(size=(5, 4)).astype(np.float32)
Y = np.arange(5) % 3


def objective(params, x, y):
    return jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(MODEL.apply(params, x)), y[:, None], axis=1))


member_params = jax.jit(module.member_params, static_argnums=0)
weighted_noise = jax.jit(module.weighted_noise, static_argnums=0)


def key_of(unit):
    return jax.random.fold_in(jax.random.key(3), unit)


def assert_trees_close(actual, expected, **tolerance):
    jax.tree.map(lambda left, right: np.testing.assert_allclose(left, right, **tolerance), actual, expected)


@pytest.mark.parametrize("name", KINDS)
def test_members_of_a_pair_lie_symmetrically_around_the_mean(name):
    perturbation = dense(0.3, KINDS[name])
    shared = perturbation.noise.prepare()
    plus, minus = (member_params(perturbation, shared, key_of(0), PARAMS, jnp.int32(m)) for m in (0, 1))
    epsilon = jax.jit(perturbation.noise.draw)(shared, key_of(0), PARAMS)
    plus, minus = jax.tree.map(np.asarray, (plus, minus))
    average = jax.tree.map(lambda left, right: (left + right) / 2, plus, minus)
    assert_trees_close(average, PARAMS, rtol=0, atol=1e-6)
    half = jax.tree.map(lambda left, right: (left - right) / 2, plus, minus)
    assert_trees_close(half, jax.tree.map(lambda leaf: 0.3 * np.asarray(leaf), epsilon), rtol=0, atol=1e-6)


@pytest.mark.parametrize(("name", "mirrored"), [*((name, True) for name in KINDS), ("rademacher", False)])
def test_evaluator_is_the_objective_at_each_member(name, mirrored):
    perturbation = dense(0.2, KINDS[name], mirrored)
    shared = perturbation.noise.prepare()

    @jax.jit
    def both(key):
        members = jnp.arange(perturbation.members)
        params = jax.vmap(lambda member: member_params(perturbation, shared, key, PARAMS, member))(members)
        common, alone = (evaluator(perturbation, objective, PARAMS, X, Y, alone=alone) for alone in (False, True))
        return common(shared, key), alone(shared, key), jax.vmap(lambda p: objective(p, X, Y))(params)

    for unit in range(3):
        common, alone, expected = both(key_of(unit))
        assert common.shape == alone.shape == (1 + mirrored,)
        np.testing.assert_allclose(common, expected, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(alone, expected, rtol=1e-5, atol=1e-6)
        assert abs(expected[0] - objective(PARAMS, X, Y)) > 1e-3


@pytest.mark.parametrize("mirrored", [True, False])
def test_weighted_noise_is_the_sum_over_the_members(mirrored):
    perturbation = dense(0.25, "gaussian", mirrored)
    weights = jnp.array([0.7, -2.0][: perturbation.members])
    members = [member_params(perturbation, (), key_of(4), PARAMS, jnp.int32(m)) for m in range(len(weights))]
    params, weights, *members = jax.tree.map(np.asarray, (PARAMS, weights, *members))
    # Of each member its own ε: (member − θ)/σ.
    expected = jax.tree.map(
        lambda mean, *own: sum(w * (leaf - mean) / 0.25 for w, leaf in zip(weights, own, strict=True)), params, *members
    )
    assert_trees_close(weighted_noise(perturbation, (), key_of(4), weights, PARAMS), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("weights", [[1.0, 1.0], [0.0, 0.0], [-3.0, -3.0]])
def test_equal_fitness_of_a_pair_moves_nothing(weights):
    total = weighted_noise(dense(0.1), (), key_of(0), jnp.array(weights), PARAMS)
    assert all(np.all(leaf == 0) for leaf in jax.tree.leaves(total))


def test_parameters_of_low_precision_stay_so():
    params = jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16), PARAMS)
    moved = member_params(dense(0.1), (), key_of(0), params, jnp.int32(0))
    total = weighted_noise(dense(0.1), (), key_of(0), jnp.array([1.0, 0.0]), params)
    assert {leaf.dtype for leaf in jax.tree.leaves((moved, total))} == {jnp.dtype(jnp.bfloat16)}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"sigma": 0.0}, ("sigma", "0.0", "0.01 to 0.1")),
        ({"sigma": -0.5}, ("sigma", "-0.5", "0.01 to 0.1")),
        ({"sigma": float("nan")}, ("sigma", "nan", "0.01 to 0.1")),
        ({"sigma": float("inf")}, ("sigma", "inf", "0.01 to 0.1")),
        ({"noise": "cauchy"}, ("'cauchy'", "gaussian, rademacher, table")),
    ],
)
def test_errors_are_one_line_with_the_value_and_the_remedy(arguments, words):
    with pytest.raises(ConfigError) as error:
        dense(**arguments)
    text = str(error.value)
    assert "\n" not in text
    assert all(word in text for word in words), text


def test_noise_by_name_or_by_value():
    assert dense(0.1, "rademacher").noise.name == "rademacher"
    assert dense(0.1, KINDS["table"]).noise is KINDS["table"]
    assert (dense().members, dense(mirrored=False).members) == (2, 1)
