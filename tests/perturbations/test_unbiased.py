"""nograd.grad is an unbiased estimate of jax.grad, whatever the perturbation and whatever the network is made of."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree
from jax.scipy.stats import norm
from networks import CLASSES, FRAMEWORKS, WORDS, Network, classes, cross_entropy, normal, tokens
from unbiased import assert_unbiased

import nograd as ng

pytestmark = pytest.mark.slow  # minutes in all: before a release

SIGMA = 0.01  # small enough that smoothing does not show
X, Y = normal(30, 4, 3), classes()
LOW = ng.lowrank(1, SIGMA, 4, 1)
NODE = ng.node(SIGMA, 16)
DENSE = ng.dense(SIGMA, directions=128)


def slow(*values):
    return pytest.param(*values, marks=pytest.mark.slow)


# Every kind of noise -------------------------------------------------------------------------------------


PARAMS = {"w1": normal(31, 3, 6), "b1": normal(32, 6), "w2": normal(33, 6, CLASSES)}


def perceptron(params, x):
    return jnp.tanh(x @ params["w1"] + params["b1"]) @ params["w2"]


def centred_loss(params, x, y):
    """Less the loss at the mean, whose noise would hide the gradient where there is no mirrored half to take it off."""
    return cross_entropy(perceptron(params, x), y) - cross_entropy(perceptron(PARAMS, x), y)


LOWRANKS = list(itertools.product((1, 2), (0, 1, 4), ("rademacher", "gaussian"), (True, False)))
FAST_LOWRANKS = [(2, 4, "gaussian", False)]


@pytest.mark.parametrize(
    ("rank", "group", "noise", "mirrored"), [case if case in FAST_LOWRANKS else slow(*case) for case in LOWRANKS]
)
def test_lowrank(rank, group, noise, mirrored):
    directions, count = (32, 1500) if group == 0 else (6, 150)
    perturbation = ng.lowrank(rank, SIGMA, directions, group, noise=noise, mirrored=mirrored)
    assert_unbiased(centred_loss, perturbation, PARAMS, (X, Y), count)


NODES = list(itertools.product((1, 5, 8), ("rademacher", "gaussian"), (True, False)))
FAST_NODES = [(5, "rademacher", True)]


@pytest.mark.parametrize(
    ("directions", "noise", "mirrored"), [case if case in FAST_NODES else slow(*case) for case in NODES]
)
def test_node(directions, noise, mirrored):
    assert_unbiased(centred_loss, ng.node(SIGMA, directions, noise=noise, mirrored=mirrored), PARAMS, (X, Y), 200)


@pytest.mark.slow
@pytest.mark.parametrize(("noise", "mirrored"), [("rademacher", False), ("gaussian", True)])
def test_dense(noise, mirrored):
    assert_unbiased(centred_loss, ng.dense(SIGMA, noise, mirrored, directions=128), PARAMS, (X, Y), 100)


# Every kind of network -----------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("perturbation", [LOW, NODE, DENSE, ng.lowrank(2, SIGMA, 4, 4, noise="gaussian")])
@pytest.mark.parametrize("name", FRAMEWORKS)
def test_layers_of_the_frameworks(name, perturbation):
    made = FRAMEWORKS[name]()
    assert_unbiased(made.loss, perturbation, made.params, made.inputs, 100 if perturbation is DENSE else 300)


@jax.custom_vjp
def own_derivative(x):
    return jnp.sin(x)


own_derivative.defvjp(lambda x: (jnp.sin(x), x), lambda x, g: (g * jnp.cos(x),))


def tied_embedding(p, x):
    h = jnp.tanh(p["table"][x].mean(1) @ p["w"])
    return (h @ p["table"].T)[:, :CLASSES]


def same_matrix_twice(p, x):
    return jnp.tanh(jnp.tanh(x @ p["w"]) @ p["w"])


def siamese(p, x):
    left, right = (jnp.tanh(part @ p["w"]) for part in (x, x[:, ::-1]))
    return (left * right) @ p["v"]


def residual(p, x):
    h = x @ p["w"]
    return (jnp.tanh(h) @ p["v"] + h) @ p["w"]


def gated(p, x):
    return (jax.nn.sigmoid(x @ p["w"]) * (x @ p["v"]) + (x @ p["w"]) * (x @ p["v"])) @ p["v"]


def attention(p, x):
    x = x[:, :, None] * p["e"]
    q, k = x @ p["w"], x @ p["v"]
    return (q @ jnp.swapaxes(k, 1, 2) @ (x @ p["v"])).mean(1) / 4


def relu_and_own_derivative(p, x):
    return own_derivative(jax.nn.relu(x @ p["w"]) @ p["v"])


def rematerialised(p, x):
    return jax.checkpoint(lambda h: jnp.tanh(jax.checkpoint(jnp.tanh)(h @ p["w"]) @ p["v"]))(x)


def recurrent(p, x):
    """The weights are constants of the loop."""

    def step(h, token):
        h = jnp.tanh(token[:, None] * p["e"] + h @ p["w"])
        return h, h

    return jax.lax.scan(step, jnp.zeros((len(x), 3)), x.T)[0] @ p["v"]


def stacked(p, x):
    """The weights are what the loop runs over."""
    return jax.lax.scan(lambda h, layer: (jnp.tanh(h @ layer["w"] + layer["b"]), None), x, p["stack"])[0]


def temperature(p, x):
    return (x @ p["w"]) * jnp.exp(p["t"]) / jax.nn.softplus(p["t"])


SQUARE = {"w": normal(40, 3, 3), "v": normal(41, 3, 3)}
NETWORKS = {
    "tied embedding": (tied_embedding, {"table": normal(42, WORDS, 3), "w": SQUARE["w"]}, tokens()),
    "same matrix twice": (same_matrix_twice, {"w": SQUARE["w"]}, X),
    "siamese": (siamese, SQUARE, X),
    "residual": (residual, SQUARE, X),
    "gated": (gated, SQUARE, X),
    "attention": (attention, {"e": normal(43, 3), **SQUARE}, X),
    "relu and own derivative": (relu_and_own_derivative, SQUARE, X),
    "rematerialised": (rematerialised, SQUARE, X),
    "recurrent": (recurrent, {"e": normal(43, 3), **SQUARE}, X),
    "stacked": (stacked, {"stack": {"w": normal(44, 3, 3, 3), "b": normal(45, 3, 3)}}, X),
    "temperature": (temperature, {"t": np.float32(0.3), "w": SQUARE["w"]}, X),
}
FAST = {("stacked", "lowrank")}


def made_of(name):
    apply, params, x = NETWORKS[name]
    return Network(lambda p, x, y: cross_entropy(apply(p, x), y), jax.tree.map(jnp.asarray, params), (x, Y))


@pytest.mark.parametrize(
    ("name", "kind"),
    [case if case in FAST else slow(*case) for case in itertools.product(NETWORKS, ("node", "lowrank"))],
)
def test_what_networks_are_made_of(name, kind):
    made = made_of(name)
    count = 1500 if name == "temperature" else 300  # noise of its own for the temperature outweighs the layers'
    assert_unbiased(made.loss, NODE if kind == "node" else LOW, made.params, made.inputs, count)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["node", "lowrank"])
def test_densified_parameters(kind):
    """A matrix that enters a function which is not linear: noise of its own, of another variance, as unbiased."""
    perturbation = ng.node(SIGMA, 16, densify=True) if kind == "node" else ng.lowrank(1, SIGMA, 4, 1, densify=True)

    def loss(p, x, y):
        return cross_entropy(x @ jnp.tanh(p["w"]) @ p["v"], y)

    assert_unbiased(loss, perturbation, SQUARE, (X, Y), 300)


# Where there is no gradient ------------------------------------------------------------------------------

W1, B1, W2 = 0.3 * normal(50, 3, 2), 0.3 * normal(51, 2), normal(52, 2)
WIDE = 0.5  # σ, which smooths steps into error functions
TARGET = np.array([1, 0, 1, 1])


def zero_one(params, x, y):
    """Two neurons that are −1 or 1, a linear output, and whether its sign is wrong: no gradient anywhere."""
    h = jnp.sign(x @ params["w1"] + params["b1"])
    return jnp.where((h @ params["w2"] > 0) == (y > 0), 0.0, 1.0)


def smoothed_zero_one(params, x, y):
    """E[zero_one] over normal noise at both layers, by summing over the four states of the two neurons."""
    up = norm.cdf((x @ params["w1"] + params["b1"]) / WIDE)
    total = 0.0
    for states in itertools.product((-1.0, 1.0), repeat=2):
        state = jnp.array(states)
        chance = jnp.prod(jnp.where(state > 0, up, 1 - up), axis=1)
        right = norm.cdf(state @ params["w2"] / WIDE * jnp.where(y > 0, 1, -1))
        total = total + chance * (1 - right)
    return total


@pytest.mark.parametrize("mirrored", [True, slow(False)])
@pytest.mark.slow
def test_node_differentiates_the_smoothed_zero_one_loss(mirrored):
    params = {"b1": B1, "w1": W1, "w2": W2}
    gradient = jax.grad(lambda p: jnp.mean(smoothed_zero_one(p, X, TARGET)))(params)
    perturbation = ng.node(WIDE, 16, noise="gaussian", mirrored=mirrored)
    assert_unbiased(zero_one, perturbation, params, (X, TARGET), 300, gradient)


@pytest.mark.slow
def test_the_value_is_the_smoothed_loss():
    params = {"b1": B1, "w1": W1, "w2": W2}
    both = ng.value_and_grad(zero_one, ng.node(WIDE, 1024, noise="gaussian"))
    value, _ = jax.jit(both)(params, X, TARGET, key=jax.random.key(0))
    expected = float(jnp.mean(smoothed_zero_one(params, X, TARGET)))
    assert abs(value - expected) < 5 * np.sqrt(0.25 / (4 * 1024))


# Straight through ----------------------------------------------------------------------------------------

MARKED = ng.straight_through(lambda w: jnp.round(4 * w) / 4)


@pytest.mark.parametrize(
    "perturbation",
    [
        pytest.param(ng.lowrank(2, 0.05, 4, 2), id="lowrank", marks=pytest.mark.slow),
        pytest.param(ng.node(0.05, 4), id="node"),
    ],
)
def test_a_marked_rounding_is_passed_by(perturbation):
    """The estimate at W of x q(W) is that of x W at q(W), draw by draw."""

    def loss(rounding):
        return lambda p, x, y: cross_entropy(jnp.tanh(x @ rounding(p["w"])) @ rounding(p["v"]), y)

    rounded = jax.tree.map(lambda leaf: jnp.round(4 * leaf) / 4, SQUARE)
    key = jax.random.key(1)
    marked = jax.jit(ng.value_and_grad(loss(MARKED), perturbation))(SQUARE, X, Y, key=key)
    plain = jax.jit(ng.value_and_grad(loss(lambda w: w), perturbation))(rounded, X, Y, key=key)
    np.testing.assert_allclose(ravel_pytree(marked)[0], ravel_pytree(plain)[0], rtol=1e-4, atol=1e-5)
