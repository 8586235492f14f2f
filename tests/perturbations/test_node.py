"""Node perturbation: where noise goes, that the layers carry the whole gradient and nothing leaks, what is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree
from lifting_cases import CASES
from networks import FRAMEWORKS

import nograd as ng
from nograd.core.types import ConfigError, InterpretError
from nograd.perturbations.jaxpr.flatten import flat_jaxpr
from nograd.perturbations.jaxpr.walk import Walk, refuse
from nograd.perturbations.node import node
from nograd.perturbations.node_network import arguments
from nograd.perturbations.population import local_population, population_both

KEY = jax.random.fold_in(jax.random.key(4), 2)


def normal(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def some_of(cases, fast):
    return [name if name in fast else pytest.param(name, marks=pytest.mark.slow) for name in cases]


def sites_of(loss, params, *example, **settings):
    return node(**settings).prepare(loss, params, example)


# The layers carry the whole gradient ---------------------------------------------------------------------


def scalar(function):
    """A weighted sum of all outputs that are floats."""

    def value(params, *inputs):
        leaves = jax.tree.leaves(function(params, *inputs))
        floats = [leaf for leaf in leaves if jnp.issubdtype(jnp.result_type(leaf), jnp.floating)]
        return sum(
            (jnp.vdot(leaf, jnp.cos(jnp.arange(jnp.size(leaf))).reshape(jnp.shape(leaf))) for leaf in floats), 0.0
        )

    return value


def assert_layers_carry_the_gradient(loss, params, inputs, monkeypatch):
    """Σ over sites of the layer's transpose of ∂loss/∂noise is jax.grad, and without noise the loss is the loss.

    What the fitness differences estimate is ∂loss/∂noise: here it comes from `jax.grad`, through the whole walk, of
    which all before the first noise is done first.
    """
    sites = sites_of(loss, params, *inputs, densify=True)
    zeros = [jnp.zeros(site.shape) for site in sites]

    def walk(params, noise):
        left = iter(noise)
        closed, given = flat_jaxpr(loss, params, *inputs)[0], arguments(params, inputs)
        known = Walk(closed, given, refuse).before_noise()
        walk = Walk(closed, given, lambda shape, kind, *_: next(left).astype(kind), known)
        (value,) = walk.run()
        return value, walk.layers

    def slopes_of(params):
        with monkeypatch.context() as patch:
            patch.setattr(jax.lax, "stop_gradient", lambda value: value)
            return jax.grad(lambda noise: walk(params, noise)[0])(zeros)

    @jax.jit
    def both(params):
        slopes = slopes_of(params)
        carried = jax.grad(lambda p: sum(jnp.vdot(y, g) for y, g in zip(walk(p, zeros)[1], slopes, strict=True)))(
            params
        )
        return (carried, walk(params, zeros)[0]), (jax.grad(loss)(params, *inputs), loss(params, *inputs))

    actual, expected = (ravel_pytree(tree)[0] for tree in both(params))
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())
    return sites


# Those with a derivative of their own, or with none, have no `jax.grad` to agree with.
SMOOTH = sorted(set(CASES) - {
    "custom jvp soft_step", "custom vjp", "argmax and comparison", "accuracy", "rounding to integers", "random numbers",
})  # fmt: skip


@pytest.mark.parametrize("name", some_of(SMOOTH, ("scan over layers", "loop and branch")))
def test_layers_carry_the_gradient(name, monkeypatch):
    function, params, inputs = CASES[name]()
    assert_layers_carry_the_gradient(scalar(function), jax.tree.map(jnp.asarray, params), inputs, monkeypatch)


@pytest.mark.parametrize("name", some_of(FRAMEWORKS, ("linen words",)))
def test_layers_of_the_frameworks_carry_the_gradient(name, monkeypatch):
    network = FRAMEWORKS[name]()
    sites = assert_layers_carry_the_gradient(scalar(network.loss), network.params, network.inputs, monkeypatch)
    assert node().fallbacks(sites) == []  # no parameter of a usual layer has noise of its own


# Where noise goes ----------------------------------------------------------------------------------------

W1, W2, B = normal(0, 3, 4), normal(1, 4, 5), normal(2, 4)
X, Y = normal(3, 6, 3), normal(4, 6)
PARAMS = {"b": B, "w1": W1, "w2": W2}


def mlp_loss(params, x, y):
    return jnp.square(jnp.tanh(jnp.tanh(x @ params["w1"] + params["b"]) @ params["w2"]).sum(-1) - y)


def shapes_and_names(sites):
    return [(site.shape, site.parameter) for site in sites]


def test_a_site_a_layer():
    sites = sites_of(mlp_loss, PARAMS, X[0], Y[0])
    assert shapes_and_names(sites) == [((4,), None), ((5,), None)]
    assert [site.first for site in sites] == [True, False]


def test_linear_layers_in_a_row_have_a_site_each():
    sites = sites_of(lambda p, x: jnp.sum((x @ p["w1"] @ p["w2"]) ** 2), PARAMS, X[0])
    assert shapes_and_names(sites) == [((4,), None), ((5,), None)]


def test_bias_residual_and_scale_share_the_site_of_their_sum():
    params = {"b": B, "g": B, "w": normal(5, 4, 4)}

    def loss(p, x):
        h = jnp.tanh(x)
        return jnp.sum(jnp.tanh((h @ p["w"] + p["b"]) * 0.5 + h * p["g"] + x))

    assert shapes_and_names(sites_of(loss, params, normal(6, 4))) == [((4,), None)]


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda p, x: jnp.sum(jnp.tanh((x @ p["w"]) / p["t"])), ["t"]),
        (lambda p, x: jnp.sum(jnp.tanh((x @ p["w"]) * jnp.exp(p["t"]))), ["t"]),
        (lambda p, x: jnp.sum(jax.nn.softmax((x @ p["w"]) * jax.nn.softplus(p["t"]))[0]), ["t"]),
        (lambda p, x: jnp.sum(jnp.tanh(x @ (p["w"] * p["t"]))), ["t"]),
        (lambda p, x: jnp.sum(jnp.tanh(x @ p["w"] * p["t"])), []),  # t scales a layer's output: a layer of its own
        (lambda p, x: jnp.sum(jnp.tanh(x @ p["w"] + p["t"])), []),
    ],
)
def test_a_learned_temperature_falls_back_to_noise_of_its_own(make, expected, monkeypatch):
    params = {"t": jnp.float32(0.7), "w": normal(7, 3, 3)}
    sites = assert_layers_carry_the_gradient(make, jax.tree.map(jnp.asarray, params), (X[0],), monkeypatch)
    assert node().fallbacks(sites) == expected
    batch = (jnp.asarray(X),)
    local = local_population(node(), make, params, *batch)
    assert local.fallbacks == expected


def test_of_two_parameters_the_smaller_one_has_noise_of_its_own():
    params = {"left": jnp.ones((80, 2)), "right": jnp.ones((2, 3000))}
    sites = sites_of(lambda p, x: jnp.sum(jnp.tanh(x @ (p["left"] @ p["right"]))), params, jnp.ones(80))
    assert node().fallbacks(sites) == ["left"]


# The estimate --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("noise", ["rademacher", "gaussian"])
@pytest.mark.parametrize(("mirrored", "block"), [(True, 6), (False, 6), (True, 2)])
def test_fitness_and_estimate_are_those_of_a_numpy_twin(noise, mirrored, block):
    perturbation = node(0.3, 6, noise=noise, mirrored=mirrored)
    sites = perturbation.prepare(mlp_loss, PARAMS, (X[0], Y[0]))
    drawn = jax.jit(lambda: perturbation.draw(sites, PARAMS, KEY, 0, 6))()
    weights = np.random.default_rng(0).normal(size=(6, 6, 1 + mirrored)).astype(np.float32)

    def given(values, first):
        return jax.lax.dynamic_slice_in_dim(weights, first, values.shape[1], axis=1)

    @jax.jit
    def ours(params):
        inputs = (X[:, None], Y[:, None])
        alone = perturbation.fitness(sites, mlp_loss, params, inputs, drawn, False, block)
        values, total = perturbation.both(sites, mlp_loss, params, inputs, drawn, given, False, block)
        return alone, values, perturbation.laid_out(total, params)

    alone, values, total = ours(jax.tree.map(jnp.asarray, PARAMS))
    xi1, xi2 = (np.asarray(frame.all(), np.float64) for frame in drawn)
    expected = jax.tree.map(np.zeros_like, PARAMS)
    for u in range(6):
        for d in range(6):
            for s in range(1 + mirrored):
                sign = 1 - 2 * s
                h = np.tanh(X[u] @ W1 + B + sign * 0.3 * xi1[u, d])
                out = np.tanh(h @ W2 + sign * 0.3 * xi2[u, d]).sum()
                np.testing.assert_allclose([alone[u, d, s], values[u, d, s]], (out - Y[u]) ** 2, rtol=1e-3, atol=1e-4)
                w = sign * weights[u, d, s]
                expected["b"] += w * xi1[u, d]
                expected["w1"] += w * np.outer(X[u], xi1[u, d])
                expected["w2"] += w * np.outer(h, xi2[u, d])
    for name, leaf in expected.items():
        np.testing.assert_allclose(total[name], leaf, rtol=1e-4, atol=1e-4)


def first_layer(weights, w2):
    """The share of the first layer in an estimate with these weights in place of the fitness."""
    perturbation = node(0.3, 8)
    batch = (jnp.asarray(X), jnp.asarray(Y))

    def run(params):
        local = local_population(perturbation, mlp_loss, params, *batch)
        return population_both(local, params, batch, KEY, lambda pairs: weights[: pairs.shape[0]])[1]["w1"]

    return np.asarray(jax.jit(run)({**PARAMS, "w2": w2}))


def test_nothing_is_propagated_backward(monkeypatch):
    """With weights given, a layer's estimate is that of its own input and noise: no later layer has a part in it."""
    weights = normal(8, 48, 2)
    here, limits = (first_layer(weights, w2) for w2 in (W2, 3 * W2[:, ::-1]))
    np.testing.assert_array_equal(here, limits)
    # And this test sees a leak where there is one.
    monkeypatch.setattr(jax.lax, "stop_gradient", lambda value: value)
    leaking = [first_layer(weights, w2) for w2 in (W2, 3 * W2[:, ::-1])]
    assert np.abs(leaking[0] - here).max() > 0.1
    assert np.abs(leaking[0] - leaking[1]).max() > 0.1


@pytest.mark.slow
def test_parameters_of_low_precision_stay_so():
    params = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.bfloat16), PARAMS)
    gradient = ng.grad(lambda p, x, y: mlp_loss(p, x.astype(jnp.bfloat16), y), node(0.1, 8))
    estimate = jax.jit(gradient)(params, X, Y, key=KEY)
    assert {leaf.dtype for leaf in jax.tree.leaves(estimate)} == {jnp.dtype(jnp.bfloat16)}
    assert all(jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves(estimate))


# What is refused -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "primitive"), [(jnp.round, "round"), (jnp.tanh, "tanh"), (lambda w: w**2, "integer_pow")]
)
def test_a_large_matrix_that_no_layer_output_carries_is_named(function, primitive):
    def loss(params, x):
        return jnp.sum(jnp.tanh(x @ function(params["layer"]["kernel"])), axis=-1)

    params = {"layer": {"kernel": jnp.ones((90, 100))}}
    with pytest.raises(InterpretError) as error:
        ng.grad(loss, node())(params, jnp.ones((2, 90)), key=KEY)
    text = str(error.value)
    assert "\n" not in text
    for word in (
        repr(primitive),
        "'layer/kernel'",
        "[90, 100]",
        "0.036 MB a member",
        "densify=True",
        "straight_through",
    ):
        assert word in text, text
    assert node().fallbacks(sites_of(loss, params, jnp.ones(90), densify=True)) == ["layer/kernel"]
    marked = ng.straight_through(function)
    sites = sites_of(lambda p, x: jnp.sum(jnp.tanh(x @ marked(p["layer"]["kernel"]))), params, jnp.ones(90))
    assert shapes_and_names(sites) == [((100,), None)]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"sigma": -1.0}, ("sigma", "-1.0", "0.01 to 0.1")),
        ({"directions": 0}, ("directions", "0", "32")),
        ({"directions": 2.5}, ("directions", "2.5", "32")),
        ({"noise": "table"}, ("'table'", "rademacher, gaussian")),
    ],
)
def test_errors_are_one_line_with_the_value_and_the_remedy(arguments, words):
    with pytest.raises(ConfigError) as error:
        node(**arguments)
    text = str(error.value)
    assert "\n" not in text
    assert all(word in text for word in words), text
