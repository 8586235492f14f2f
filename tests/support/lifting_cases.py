"""Functions of parameters that the walkers are held against."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from nograd.models import cnn, mlp

SCALES = jnp.array([0.3, -0.3, 0.07])


class Case(NamedTuple):
    function: Callable[..., Any]
    params: Any
    inputs: tuple[Any, ...]


def normal(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


X = normal(0, 5, 4)  # batch, features
W = normal(1, 4, 4)
B = normal(2, 4)
IMAGES = normal(3, 2, 6, 6, 2)
TOKENS = np.array([[0, 3, 3], [6, 1, 0]])
WEIGHTS = {"w": W, "b": B, "v": normal(4, 4, 3)}
CASES: dict[str, Callable[[], Case]] = {}


def case(make: Callable[[], Case]) -> Callable[[], Case]:
    CASES[make.__name__.replace("_", " ")] = make
    return make


def define(name: str, function: Callable[..., Any], params: Any = WEIGHTS, inputs: tuple[Any, ...] = (X,)) -> None:
    CASES[name] = lambda: Case(function, params, inputs)


def params_of(model):
    """Parameters with no zero among them, without the time that compiling the initialisers takes."""
    return jax.tree.map(
        lambda leaf: 0.5 * normal(leaf.size, *leaf.shape), jax.eval_shape(model.init, jax.random.key(0))
    )


# Networks


@case
def mlp_with_relu() -> Case:
    model = mlp(8, 8).build((4,), 3)
    return Case(model.apply, params_of(model), (X,))


@case
def cnn_of_the_house() -> Case:
    model = cnn().build((6, 6, 2), 3)
    return Case(model.apply, params_of(model), (IMAGES,))


@case
def convolution() -> Case:
    def apply(params, x):
        layout = ("NHWC", "HWIO", "NHWC")
        x = jax.lax.conv_general_dilated(x, params["k1"], (1, 1), "SAME", dimension_numbers=layout)
        x = jax.lax.reduce_window(
            jax.nn.relu(x + params["b1"]), -jnp.inf, jax.lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "SAME"
        )
        x = jax.lax.conv_general_dilated(
            x, params["k2"], (1, 1), "VALID", dimension_numbers=layout, feature_group_count=3
        )
        return x.reshape(x.shape[0], -1).sum(axis=1)

    return Case(apply, {"k1": normal(5, 3, 3, 2, 3), "b1": B[:3], "k2": normal(6, 2, 2, 1, 6)}, (IMAGES,))


@case
def attention_head() -> Case:
    def apply(params, x):
        q, k, v = (x @ params[name] for name in "qkv")
        return jax.nn.softmax(q @ jnp.swapaxes(k, -1, -2) / jnp.sqrt(4.0)) @ v @ params["o"]

    return Case(apply, {name: 0.5 * normal(ord(name), 4, 4) for name in "qkvo"}, (normal(7, 2, 5, 4),))


@case
def embedding() -> Case:
    def apply(params, tokens):
        return jnp.take(params["table"], tokens, axis=0).mean(axis=1) @ params["v"] + params["table"][0, 0]

    return Case(apply, {"table": normal(8, 7, 4), "v": WEIGHTS["v"]}, (TOKENS,))


@case
def layer_norm() -> Case:
    def apply(params, x):
        h = x @ params["w"]
        h = (h - h.mean(-1, keepdims=True)) * jax.lax.rsqrt(h.var(-1, keepdims=True) + 1e-5)
        return h * params["gain"] + params["b"]

    return Case(apply, {"w": W, "gain": 1 + 0.1 * B, "b": B}, (X,))


@case
def scan_over_layers() -> Case:
    def apply(params, x):
        x = x @ params["in"]
        return jax.lax.scan(lambda x, layer: (jnp.tanh(x @ layer["w"] + layer["b"]), x.sum()), x, params["layers"])

    return Case(apply, {"in": W, "layers": {"w": 0.5 * normal(9, 3, 4, 4), "b": normal(10, 3, 4)}}, (X,))


@case
def loop_and_branch() -> Case:
    def apply(params, x):
        x = jax.lax.fori_loop(0, 3, lambda i, x: jnp.tanh(x @ params["w"]) + i, x)
        return jax.lax.cond(x.sum() > 0, lambda x: x @ params["v"], lambda x: x[:, :3] + params["b"][0], x)

    return Case(apply, WEIGHTS, (X,))


@case
def tied_weights() -> Case:
    return Case(lambda p, x: jax.nn.relu(x @ p["w"]) @ p["w"].T + (x @ p["w"]), {"w": W}, (X,))


# Calls


@jax.custom_jvp
def soft_step(x):
    return jnp.sign(x) * jnp.sqrt(jnp.abs(x))


soft_step.defjvp(lambda primals, tangents: (soft_step(*primals), tangents[0]))


@jax.custom_vjp
def straight_through(x):
    return jnp.round(x * 4) / 4


straight_through.defvjp(lambda x: (straight_through(x), None), lambda _, g: (g,))


@jax.custom_vjp
def affine_with_own_derivative(x, w):
    return x @ w


affine_with_own_derivative.defvjp(lambda x, w: (x @ w, None), lambda _, g: (g, g))

for activation in (jax.nn.relu, jax.nn.silu, jax.nn.gelu, jax.nn.softplus, soft_step):
    define(f"custom jvp {activation.__name__}", lambda p, x, f=activation: f(x @ p["w"] + p["b"]) @ p["v"])
define("custom vjp", lambda p, x: straight_through(affine_with_own_derivative(x, p["w"])) @ p["v"])
define("nested jit", jax.jit(lambda p, x: jax.jit(lambda h: jnp.tanh(h) @ p["v"])(jax.jit(jnp.dot)(x, p["w"]))))
define("checkpoint", jax.checkpoint(lambda p, x: jnp.tanh(x @ p["w"]) @ p["v"]))
define("checkpoint in jit in checkpoint", jax.checkpoint(jax.jit(jax.checkpoint(lambda p, x: x @ p["w"] + p["b"]))))
define("vmap over examples", lambda p, x: jax.vmap(lambda row: jnp.tanh(row @ p["w"] + p["b"]))(x))
define("gradient inside", lambda p, x: jax.grad(lambda x: jnp.sum(jnp.tanh(x @ p["w"])))(x))
define("linear transpose inside", lambda p, x: jax.linear_transpose(lambda x: x @ p["w"], x)(x)[0])

# Arithmetic

define("parameter times parameter", lambda p, x: x @ (p["w"] * p["b"]) + p["w"] @ p["b"])
define("square of a parameter", lambda p, x: x * p["b"] ** 2 + p["b"] * p["b"])
define("data divided by a parameter", lambda p, x: x / (3 + p["b"]))
define("parameter divided by data", lambda p, x: p["b"] / (2 + x**2))
define("parameter divided by a parameter", lambda p, x: x * (p["b"] / (3 + p["w"])[0]))
define("parameter minus data", lambda p, x: p["b"] - x)
define("data minus parameter", lambda p, x: (x - p["b"], 1.0 - p["b"]))
define("parameter minus parameter", lambda p, x: (x + p["w"][0]) - p["b"] - (x @ p["w"]))
define("negation and sums", lambda p, x: (-p["w"] + x[:4]).sum(axis=0) + p["b"].sum() - jnp.mean(p["w"], axis=1))
define("shapes", lambda p, x: jnp.squeeze(p["w"][None, ::-1, 1:3].T).reshape(-1, 1)[:, [0, 0]] * jnp.arange(2.0))
define("concatenation and padding", lambda p, x: jnp.pad(jnp.concatenate([p["w"], x]), 1) @ jnp.ones((6, 2)))
define("parameter on the left", lambda p, x: p["w"] @ x[:4] + jnp.einsum("ij,bj->bi", p["w"], x)[:4])
define("cast to half and back", lambda p, x: (x @ p["w"]).astype(jnp.float16).astype(jnp.float32).sum())
define("product of data first", lambda p, x: jnp.tanh(x @ x.T @ x) @ p["w"])
define("reuse after an activation", lambda p, x: (lambda h: h + jnp.tanh(h) * h)(x @ p["w"] + p["b"]))
# jnp leaves the broadcast of a scalar to the primitive.
SCALAR = {"s": np.float32(0.5), "w": W}
define("scalar plus data", lambda p, x: (p["s"] + x).sum(axis=0), SCALAR)
define("data minus scalar", lambda p, x: (x - p["s"]).reshape(-1), SCALAR)
define("scalar plus array", lambda p, x: (p["s"] + p["w"]) @ x.T - p["s"] * x[0, 0], SCALAR)
define("data plus scalar in a product", lambda p, x: (x + p["s"]) @ x.T, SCALAR)

# Inputs and outputs

define("argmax and comparison", lambda p, x: (jnp.argmax(x @ p["w"], axis=-1), x @ p["w"] > 0))
define("accuracy", lambda p, x, y: jnp.mean(jnp.argmax(x @ p["w"], axis=-1) == y), WEIGHTS, (X, np.arange(5) % 4))
define("rounding to integers", lambda p, x: (10 * x @ p["w"]).astype(jnp.int32))
define("sorting", lambda p, x: jnp.sort(x @ p["w"])[:, ::-1])
define("some parameters unused", lambda p, x: x * p["b"])
define("tuples and dicts", lambda p, x: {"a": (x @ p["w"], p["b"]), "b": [p["v"].sum(), (), None]})
define("an output twice", lambda p, x: (lambda h: (h, h, jnp.tanh(h)))(x @ p["w"]))
define("the parameters themselves", lambda p, x: p)
define("literals and inputs as outputs", lambda p, x: (2.0, x, 3, jnp.float32(1) + p["b"]))
define("closure over arrays", lambda p, x: jnp.tanh(x @ p["w"] + X) * jnp.asarray(B) @ jnp.asarray(WEIGHTS["v"]))
define("no inputs", lambda p: jnp.sin(p["w"]) @ p["b"], WEIGHTS, ())
define("nested inputs", lambda p, batch: batch["x"][0] @ p["w"] + batch["n"], WEIGHTS, ({"x": (X,), "n": 3},))
define(
    "bytes as inputs",
    lambda p, x: (x.astype(jnp.float32) / 255) @ p["w"],
    WEIGHTS,
    (np.arange(20, dtype="u1").reshape(5, 4),),
)
define("random numbers", lambda p, key: jax.random.normal(key, (4,)) * p["b"], WEIGHTS, (jax.random.key(3),))
define("parameters in a list", lambda p, x: jnp.tanh(x @ p[0] + p[1]), [W, B])
define("one array as parameters", lambda p, x: jnp.tanh(x @ p), W)


def noise_like(params, seed=11):
    leaves, structure = jax.tree.flatten(params)
    return jax.tree.unflatten(structure, [normal(seed + i, *np.shape(leaf)) for i, leaf in enumerate(leaves)])


def moved(params, noise, scale):
    return jax.tree.map(lambda leaf, step: leaf + scale * step, params, noise)


def assert_trees_close(actual, expected, tolerance):
    assert jax.tree.structure(actual) == jax.tree.structure(expected)
    for left, right in zip(jax.tree.leaves(actual), jax.tree.leaves(expected), strict=True):
        assert (left.shape, left.dtype) == (right.shape, right.dtype)
        np.testing.assert_allclose(left, right, rtol=tolerance, atol=tolerance)
