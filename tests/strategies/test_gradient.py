"""nograd.grad and value_and_grad as drop-ins: under jit, vmap, scan and shard_map, with lost members; errors."""

import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.flatten_util import ravel_pytree

import nograd as ng
from nograd.core.types import ConfigError

KEY = jax.random.key(6)
RNG = np.random.default_rng(0)
PARAMS = {"b": RNG.normal(size=4).astype("f4"), "w": RNG.normal(size=(3, 4)).astype("f4"), "v": np.ones((4, 2), "f4")}
X, Y = RNG.normal(size=(8, 3)).astype("f4"), RNG.normal(size=8).astype("f4")
KINDS = {
    "dense": ng.dense(0.1, directions=6),
    "lowrank": ng.lowrank(1, 0.1, 4, 2),
    "lowrank on the whole batch": ng.lowrank(1, 0.1, 4, 0),
    "node": ng.node(0.1, 4),
    "node, not mirrored": ng.node(0.1, 4, mirrored=False),
}


def slow(*values):
    return pytest.param(*values, marks=pytest.mark.slow)


def some_of(cases, fast):
    return [case if case in fast else slow(case) for case in cases]


def loss(params, x, y):
    return jnp.square(jnp.tanh(jnp.tanh(x @ params["w"] + params["b"]) @ params["v"]).sum(-1) - y)


def assert_close(actual, expected, tolerance=1e-5):
    actual, expected = ravel_pytree(actual)[0], ravel_pytree(expected)[0]
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=tolerance * max(1, np.abs(expected).max()))


# Transformations -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", some_of(KINDS, ["node"]))
def test_value_and_gradient_are_like_those_of_jax(name):
    both = jax.jit(ng.value_and_grad(loss, KINDS[name]))
    value, gradient = both(PARAMS, X, Y, key=KEY)
    assert value.shape == ()
    assert jax.tree.map(jnp.shape, gradient) == jax.tree.map(jnp.shape, PARAMS)
    assert {leaf.dtype for leaf in jax.tree.leaves((value, gradient))} == {jnp.dtype("float32")}
    assert_close(jax.jit(ng.grad(loss, KINDS[name]))(PARAMS, X, Y, key=KEY), gradient)
    # The mean loss of the members: the loss itself, and what curvature and (not mirrored) slope add to it.
    assert abs(value - jnp.mean(loss(PARAMS, X, Y))) < 0.5
    other = both(PARAMS, X, Y, key=jax.random.key(7))[1]
    assert np.all(ravel_pytree(other)[0] != ravel_pytree(gradient)[0])


@pytest.mark.slow
@pytest.mark.parametrize("name", [slow("dense"), slow("lowrank"), "node"])
def test_under_vmap_over_keys_and_over_parameters(name):
    gradient = ng.grad(loss, KINDS[name])
    keys = jax.random.split(KEY, 2)
    params = jax.tree.map(lambda leaf: jnp.stack([leaf, 2 * leaf]), PARAMS)

    @jax.jit
    def all_of(params, keys):
        over_keys = jax.vmap(lambda key: gradient(PARAMS, X, Y, key=key))(keys)
        over_both = jax.vmap(lambda p, key: gradient(p, X, Y, key=key))(params, keys)
        alone = [gradient(PARAMS, X, Y, key=keys[1]), gradient(jax.tree.map(lambda p: p[1], params), X, Y, key=keys[1])]
        return over_keys, over_both, alone

    over_keys, over_both, alone = all_of(params, keys)
    for batched, single in zip((over_keys, over_both), alone, strict=True):
        assert_close(jax.tree.map(lambda leaf: leaf[1], batched), single, 1e-4)


@pytest.mark.parametrize("name", ["node", slow("lowrank")])
def test_a_loop_of_optax_under_scan_reduces_the_loss(name):
    """A loss without a gradient: the activations are signs."""

    def steps_loss(params, x, y):
        return jnp.square(jnp.sign(x @ params["w"] + params["b"]) @ params["v"] @ jnp.ones(2) - y)

    optimizer, target = optax.adam(0.03), np.sign(X[:, 0])
    both = ng.value_and_grad(steps_loss, KINDS[name]._replace(sigma=0.3))

    @jax.jit
    def train(params):
        def step(carry, key):
            params, state = carry
            value, gradient = both(params, X, target, key=key)
            updates, state = optimizer.update(gradient, state, params)
            return (optax.apply_updates(params, updates), state), value

        return jax.lax.scan(step, (params, optimizer.init(params)), jax.random.split(KEY, 300))

    (params, _), values = train(jax.tree.map(jnp.asarray, PARAMS))
    assert np.mean(values[-20:]) < np.mean(values[:20]) / 3
    assert jnp.mean(steps_loss(params, X, target)) < 0.5


SHARDED = """
import jax, jax.numpy as jnp, numpy as np
from functools import partial
from jax.sharding import AxisType, PartitionSpec as P
import nograd as ng
from test_gradient import KEY, KINDS, PARAMS, X, Y, loss

assert len(jax.devices()) == 2
mesh = jax.make_mesh((2,), ("batch",), axis_types=(AxisType.Auto,))
for name, perturbation in KINDS.items():
    gradient = ng.grad(loss, perturbation)

    @partial(jax.shard_map, mesh=mesh, in_specs=(P(), P("batch"), P("batch")), out_specs=P(), check_vma=False)
    def sharded(params, x, y):
        own = gradient(params, x, y, key=jax.random.fold_in(KEY, jax.lax.axis_index("batch")))
        return jax.tree.map(lambda leaf: jax.lax.pmean(leaf, "batch"), own)

    halves = [jax.jit(gradient)(PARAMS, X[i::2], Y[i::2], key=jax.random.fold_in(KEY, i)) for i in range(2)]
    actual = jax.jit(sharded)(PARAMS, np.concatenate([X[::2], X[1::2]]), np.concatenate([Y[::2], Y[1::2]]))
    for leaf, *own in zip(jax.tree.leaves(actual), *map(jax.tree.leaves, halves), strict=True):
        np.testing.assert_allclose(leaf, sum(own) / 2, rtol=1e-3, atol=1e-4)
    print(name)
"""


@pytest.mark.slow
def test_under_shard_map_on_two_devices(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "--xla_force_host_platform_device_count=2")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(("tests/strategies", "tests/support")))
    done = subprocess.run([sys.executable, "-c", SHARDED], capture_output=True, text=True, check=False)
    assert done.stdout.split("\n")[:-1] == list(KINDS), done.stderr[-2000:]


# Lost members --------------------------------------------------------------------------------------------


BASE = np.asarray(loss(PARAMS, X, Y))


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        slow("lowrank", np.inf),
        slow("lowrank", np.nan),
        ("node", np.nan),
        slow("node", np.inf),
        slow("node, not mirrored", np.nan),
    ],
)
def test_a_lost_example_drops_out_with_its_unit(name, bad):
    """A NaN loss, from a NaN input: the estimate is that of the others, whose noise stays what it was."""
    both = ng.value_and_grad(loss, KINDS[name])
    damaged = X.copy()
    damaged[7] = bad
    kept = 6 if name == "lowrank" else 7  # the group of the lost one goes with it
    assert_close(*jax.jit(lambda x: (both(PARAMS, x, Y, key=KEY), both(PARAMS, X[:kept], Y[:kept], key=KEY)))(damaged))


@pytest.mark.parametrize("name", some_of(KINDS, ["node, not mirrored"]))
def test_lost_members_drop_out_of_value_and_gradient(name):
    """All members above a limit are NaN: the value is a mean below it."""
    limit = np.median(BASE) if "node" in name else BASE.max() + 0.02  # of those that have several examples

    def overflowing(params, x, y):
        own = loss(params, x, y)
        return jnp.where(own > limit, jnp.nan, own)

    both = ng.value_and_grad(overflowing, KINDS[name])
    value, gradient = jax.jit(both)(PARAMS, X, Y, key=KEY)
    assert value < limit
    assert all(jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves(gradient))
    assert ravel_pytree(gradient)[0].any()


@pytest.mark.parametrize("name", [slow("dense"), slow("lowrank"), "node"])
def test_with_no_member_left_the_value_is_nan_and_nothing_moves(name):
    value, gradient = jax.jit(ng.value_and_grad(lambda *a: loss(*a) * jnp.nan, KINDS[name]))(PARAMS, X, Y, key=KEY)
    assert jnp.isnan(value)
    assert all(jnp.all(leaf == 0) for leaf in jax.tree.leaves(gradient))


@pytest.mark.parametrize("name", some_of(KINDS, ["node"]))
def test_parameters_that_do_not_enter_have_no_gradient(name):
    value, gradient = jax.jit(ng.value_and_grad(lambda p, x, y: y, KINDS[name]))(PARAMS, X, Y, key=KEY)
    np.testing.assert_allclose(value, Y.mean(), rtol=1e-5)
    np.testing.assert_allclose(ravel_pytree(gradient)[0], 0, atol=1e-5)


# Errors --------------------------------------------------------------------------------------------------


def inputs_of(batch):
    return PARAMS, np.ones((batch, 3), "f4"), np.ones(batch, "f4")


@pytest.mark.parametrize(
    ("name", "function", "arguments", "words"),
    [
        ("node", lambda *a: jnp.mean(loss(*a)), inputs_of(8), ("(8,)", "()", "take no mean")),
        ("dense", lambda *a: jnp.mean(loss(*a)), inputs_of(8), ("(8,)", "()", "take no mean")),
        ("lowrank", lambda *a: loss(*a)[:, None], inputs_of(8), ("(8,)", "(8, 1)")),
        ("node", lambda *a: (loss(*a), 1.0), inputs_of(8), ("(8,)",)),
        ("lowrank", loss, inputs_of(7), ("batch of 7", "groups of 2", "batch 6", "group 0")),
        ("node", loss, (PARAMS, X, Y[:5]), ("same leading axis", "8", "5")),
        ("node", lambda p: loss(p, X, Y), (PARAMS,), ("leading axis",)),
        ("dense", loss, ({**PARAMS, "n": np.int32(3)}, X, Y), ("'n'", "int32", "floating-point")),
        ("node", lambda p, s: loss(p, X, Y), (PARAMS, 3.0), ("leading axis",)),
    ],
)
def test_errors_are_one_line(name, function, arguments, words):
    with pytest.raises(ConfigError) as error:
        ng.grad(function, KINDS[name])(*arguments, key=KEY)
    text = str(error.value)
    assert "\n" not in text
    assert all(word in text for word in words), text


@pytest.mark.parametrize("perturbation", [ng.node(), ng.lowrank()], ids=["node", "lowrank"])
def test_ask_and_tell_take_dense_noise_only(perturbation):
    es = ng.openai_es(perturbation=perturbation)
    state = es.init(PARAMS)
    for call in (lambda: es.ask(state, KEY), lambda: es.tell(state, KEY, jnp.ones(4))):
        with pytest.raises(ConfigError) as error:
            call()
        text = str(error.value)
        assert "\n" not in text
        assert type(perturbation).__name__.lower() in text
        assert "nograd.grad" in text
