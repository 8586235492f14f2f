"""Where `jax.grad` is zero because something is held constant or not used, `nograd.grad` is zero too, exactly."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import nograd as ng
from nograd.core.types import ConfigError, InterpretError

KEY = jax.random.key(0)
PERTURBATIONS = {
    "dense": ng.dense(0.05, directions=16),
    "lowrank": ng.lowrank(1, 0.05, directions=8, group=2),
    "lowrank, whole batch": ng.lowrank(1, 0.05, directions=8, group=0),
    "node": ng.node(0.05, directions=8),
}


def each(cases, *fast):
    """All cases, of which these are not left for the slow suite."""
    return [pytest.param(case, marks=[] if case in fast else [pytest.mark.slow]) for case in cases]


stop = jax.lax.stop_gradient
PARAMS = {
    "a": 0.1 * jnp.arange(12.0).reshape(4, 3),
    "b": {"w": jnp.ones((3, 3)), "v": jnp.full(3, 0.3)},
    "unused": jnp.ones((2, 2)),
}
X = jnp.asarray(np.random.default_rng(0).normal(size=(8, 4)), jnp.float32)


def in_a_call(p, x):
    frozen = jax.jit(lambda x, a: jnp.tanh(x @ stop(a)))(x, p["a"])
    return jnp.sum((frozen @ p["b"]["w"] + p["b"]["v"]) ** 2, 1)


def of_features(p, x):
    return jnp.sum((stop(jnp.tanh(x @ p["a"] + p["b"]["v"])) @ p["b"]["w"]) ** 2, 1)


def of_half(p, x):
    return jnp.sum((x @ p["a"] * stop(p["b"]["v"]) + jax.nn.softmax(x @ p["a"])) ** 2, 1)


def of_a_tree(p, x):
    q = jax.tree.map(stop, p["b"])
    return jnp.sum(jax.nn.relu(x @ p["a"]) @ q["w"] + q["v"], 1)


@jax.custom_jvp
def doubled(x):
    return 2 * stop(x)


doubled.defjvp(lambda primals, tangents: (doubled(*primals), 0 * tangents[0]))


def in_a_custom_rule(p, x):
    return jnp.sum((x @ p["a"] + doubled(p["b"]["v"])) ** 2, 1)


CASES = [in_a_call, of_features, of_half, of_a_tree, in_a_custom_rule]


@pytest.mark.parametrize("name", each(PERTURBATIONS, "lowrank"))
def test_the_gradient_is_zero_where_that_of_jax_is(name):
    """All cases in one loss, each with parameters of its own."""
    params = {case.__name__: PARAMS for case in CASES}
    loss = lambda p, x: sum(case(p[case.__name__], x) for case in CASES)  # noqa: E731
    wanted = jax.grad(lambda p: loss(p, X).mean())(params)
    found = jax.jit(lambda p: ng.grad(loss, PERTURBATIONS[name])(p, X, key=KEY))(params)
    for leaf, own in zip(jax.tree.leaves(wanted), jax.tree.leaves(found), strict=True):
        assert own.dtype == leaf.dtype
        assert np.any(np.asarray(own)) == np.any(np.asarray(leaf))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["dense", "node"])
def test_what_is_stopped_stays_at_the_mean_and_the_rest_has_its_gradient(name):
    """x + stop_gradient(…) of the same parameter: the slope of the first alone, in a mean over keys."""
    loss = lambda p, x: jnp.sum(x * p["w"] + 5.0 * stop(x * p["w"]), 1)  # noqa: E731
    params = {"w": jnp.array([1.0, -2.0, 0.5, 0.0])}
    wanted = jax.grad(lambda p: loss(p, X).mean())(params)["w"]
    estimate = jax.jit(jax.vmap(lambda key: ng.grad(loss, PERTURBATIONS[name])(params, X, key=key)["w"]))
    found = np.asarray(estimate(jax.random.split(KEY, 200)))
    error = found.std(0, ddof=1) / np.sqrt(len(found)) + 1e-5
    assert np.all(np.abs(found.mean(0) - wanted) < 5 * error)


def test_a_stop_inside_of_a_loop_is_an_error_and_not_a_wrong_gradient():
    def loss(p, x):
        return jax.lax.scan(lambda total, _: (total + stop(x @ p["a"]).sum(1), None), jnp.zeros(len(x)), length=2)[0]

    with pytest.raises(InterpretError, match="move it out of the loop"):
        jax.eval_shape(lambda: ng.grad(loss, PERTURBATIONS["dense"])(PARAMS, X, key=KEY))


@pytest.mark.parametrize("kind", each([jnp.float16, jnp.bfloat16, jnp.int32, jnp.bool_], jnp.bool_))
@pytest.mark.parametrize("name", each(["dense", "lowrank", "node"], "node"))
def test_losses_of_any_real_type(name, kind):
    loss = lambda p, x: (10 * jnp.sum((x @ p["a"]) ** 2, 1)).astype(kind)  # noqa: E731
    value, found = ng.value_and_grad(loss, PERTURBATIONS[name])(PARAMS, X, key=KEY)
    assert value.dtype == jnp.float32
    assert np.isfinite(value)
    assert all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves(found))


OF_OTHERS = {
    "mean": lambda f: f - f.mean(),
    "rank": lambda f: jnp.argsort(jnp.argsort(f)).astype(jnp.float32),
    "softmax": jax.nn.softmax,
    "largest": lambda f: f / jnp.max(jnp.abs(f)),
    "neighbour": lambda f: f + jnp.roll(f, 1),
}


@pytest.mark.parametrize("other", each(OF_OTHERS, "rank", "largest"))
def test_a_loss_that_depends_on_the_rest_of_the_batch_is_refused_where_examples_count_alone(other):
    loss = lambda p, x: OF_OTHERS[other](jnp.sum((x @ p["a"]) ** 2, 1))  # noqa: E731
    with pytest.raises(ConfigError, match=r"use nograd\.dense"):
        jax.eval_shape(lambda: ng.grad(loss, PERTURBATIONS["node"])(PARAMS, X, key=KEY))
    jax.eval_shape(lambda: ng.grad(loss, PERTURBATIONS["dense"])(PARAMS, X, key=KEY))
