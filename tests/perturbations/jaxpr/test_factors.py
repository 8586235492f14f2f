"""Linear primitives on E = a bᵀ: lift with `Factors` ≡ the plain function with E multiplied out."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nograd.core.trees import ROOT
from nograd.perturbations.jaxpr.factors import Factors, multiply_out
from nograd.perturbations.jaxpr.interpret import NoRuleError, lift

SCALES = jnp.array([0.3, -0.3])


def normal(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


W = normal(0, 4, 6)
V = normal(1, 4, 6)
CUBE = normal(2, 3, 4, 5)
X = normal(3, 2, 4)
STACK = normal(4, 5, 3, 4)  # with a batch axis that the cube shares
IMAGES = normal(5, 2, 6, 5, 3)
TOKENS = np.array([[0, 3, 3], [2, 1, 9]])  # the last is out of bounds
HWIO = normal(6, 3, 2, 3, 4)
OIHW = np.transpose(HWIO, (3, 2, 0, 1))


def noise_of(params, cuts, rank=2):
    leaves, structure = jax.tree.flatten(params)
    drawn = []
    for i, (leaf, cut) in enumerate(zip(leaves, cuts, strict=True)):
        a, b = normal(20 + i, *leaf.shape[: cut or 0], rank), normal(40 + i, *leaf.shape[cut or 0 :], rank)
        drawn.append(b[..., 0] if cut is None else Factors(jnp.asarray(a), jnp.asarray(b)))
    return jax.tree.unflatten(structure, drawn)


def is_factors(node):
    return isinstance(node, Factors)


def assert_lifted_is_densified(function, params, inputs, noise, tolerance=2e-5):
    @jax.jit
    def both(params, noise):
        dense = jax.tree.map(lambda n: multiply_out(n) if is_factors(n) else n, noise, is_leaf=is_factors)
        lifted = lift(function, params, *inputs)

        def plain(scale):
            return function(jax.tree.map(lambda leaf, step: leaf + scale * step, params, dense), *inputs)

        return jax.vmap(lambda scale: lifted(noise, scale))(SCALES), jax.vmap(plain)(SCALES)

    actual, expected = both(params, noise)
    assert jax.tree.structure(actual) == jax.tree.structure(expected)
    for left, right in zip(jax.tree.leaves(actual), jax.tree.leaves(expected), strict=True):
        assert (left.shape, left.dtype) == (right.shape, right.dtype)
        np.testing.assert_allclose(left, right, rtol=tolerance, atol=tolerance * max(1, np.abs(right).max()))


def product(left, right, contract, batch=((), ())):
    return jax.lax.dot_general(left, right, (contract, batch))


def conv(x, kernel, layout, **settings):
    settings = {"window_strides": (1, 1), "padding": "SAME", **settings}
    return jax.lax.conv_general_dilated(x, kernel, dimension_numbers=layout, **settings)


NHWC, NCHW = ("NHWC", "HWIO", "NHWC"), ("NCHW", "OIHW", "NCHW")
CHANNELS_FIRST = np.moveaxis(IMAGES, -1, 1)

# name -> (function of (params, x), params, x, the cut of each parameter)
CASES = {
    "matrix on the right": (lambda w, x: x @ w, W, X, [1]),
    "matrix on the left": (lambda w, x: w @ x.T[:, :1].repeat(2, 1), W.T, X, [1]),
    "transposed": (lambda w, x: x @ w.T, W.T, X, [1]),
    "of a member's own": (lambda w, x: jnp.tanh(jnp.tanh(x @ w["w"]) @ w["v"].T), {"v": V, "w": W}, X, [1, 1]),
    "own on the right": (lambda w, x: w["v"].T @ jnp.tanh(x @ w["w"]).T[:4], {"v": V, "w": W}, X, [1, 1]),
    "two axes contracted": (lambda w, x: product(x, w, ((1, 2), (0, 1))), CUBE, STACK, [1]),
    "two axes contracted, cut late": (lambda w, x: product(x, w, ((1, 2), (0, 1))), CUBE, STACK, [2]),
    "axes contracted crosswise": (lambda w, x: product(w, x, ((1, 0), (2, 1))), CUBE, STACK, [1]),
    "batch axis in b": (lambda w, x: product(x, w, ((1,), (0,)), ((0,), (2,))), CUBE, STACK, [1]),
    "batch axis in b, cut late": (lambda w, x: product(w, x, ((1,), (2,)), ((2,), (0,))), CUBE, STACK, [2]),
    "batch axis in a": (lambda w, x: product(w, x, ((2,), (0,)), ((0, 1), (1, 2))), CUBE, STACK, [1]),
    "nothing contracted": (lambda w, x: product(x, w, ((), ())), W, X, [1]),
    "einsum": (lambda w, x: jnp.einsum("bij,ijk->bk", x, w), CUBE, STACK, [2]),
    "convolution": (lambda w, x: conv(x, w, NHWC), HWIO, IMAGES, [3]),
    "convolution with strides": (lambda w, x: conv(x, w, NHWC, window_strides=(2, 1)), HWIO, IMAGES, [3]),
    "convolution, dilated": (
        lambda w, x: conv(x, w, NHWC, padding="VALID", rhs_dilation=(2, 1)), HWIO, IMAGES, [3]
    ),
    "transposed convolution": (
        lambda w, x: conv(x, w, NHWC, padding=((1, 2), (0, 1)), lhs_dilation=(2, 2)), HWIO, IMAGES, [3]
    ),
    "convolution of an own": (
        lambda w, x: conv(jnp.tanh(conv(x, w["v"], NHWC)), w["w"], ("NHWC", "HWIO", "NCHW")),
        {"v": HWIO, "w": normal(7, 2, 2, 4, 3)}, IMAGES, [3, 3],
    ),
    "output features first": (lambda w, x: conv(x, w, NCHW), OIHW, CHANNELS_FIRST, [1]),
    "output features first, to the end": (lambda w, x: conv(x, w, ("NHWC", "OIHW", "NHWC")), OIHW, IMAGES, [1]),
    "convolution over one axis": (
        lambda w, x: conv(x[:, 0], w[0], ("NWC", "WIO", "NWC"), window_strides=(1,)), HWIO, IMAGES, [3]
    ),
    "embedding": (lambda w, x: jnp.take(w, x, axis=0, mode="clip"), W, TOKENS, [1]),
    "embedding by index": (lambda w, x: w[x], W, np.minimum(TOKENS, 3), [1]),
    "embedding, row by row": (lambda w, x: jax.vmap(jax.vmap(lambda i: w[i]))(x), W, TOKENS, [1]),
    "embedding by slices": (
        lambda w, x: jax.vmap(lambda i: jax.lax.dynamic_index_in_dim(w, i, keepdims=False))(x[0]), W, TOKENS, [1]
    ),
    "embedding of matrices": (lambda w, x: w[x], CUBE, TOKENS % 3, [1]),
    "embedding by two indices": (lambda w, x: w[x, x + 1], CUBE, TOKENS % 3, [2]),
    "embedding at its first index": (lambda w, x: w[x], CUBE, TOKENS % 3, [2]),
    "transpose within a": (
        lambda w, x: x.repeat(3, 1) @ jnp.transpose(w, (1, 0, 2)).reshape(12, 5), CUBE, X, [2]
    ),
    "transpose of b before a": (lambda w, x: x @ jnp.transpose(w, (2, 1, 0)).reshape(-1, 3)[:4], CUBE, X, [1]),
    "reshape": (lambda w, x: x @ w.reshape(4, 2, 3).reshape(4, 6), W, X, [1]),
    "split of heads": (lambda w, x: jnp.einsum("bi,ihd->bhd", x, w.reshape(4, 2, 3)), W, X, [1]),
    "squeeze and expand": (lambda w, x: x @ jnp.squeeze(w[:, None, :, None], (1, 3)), W, X, [1]),
    "broadcast over one": (lambda w, x: jnp.broadcast_to(w[None], (1, 4, 6))[0].T @ x.T, W, X, [1]),
    "slices": (lambda w, x: x[:, 1:3] @ w[1:3, ::2], W, X, [1]),
    "split of columns": (lambda w, x: [x @ part for part in jnp.split(w, 3, axis=1)], W, X, [1]),
    "split of rows": (lambda w, x: [x[:, :2] @ part for part in jnp.split(w, 2, axis=0)], W, X, [1]),
    "concatenated columns": (
        lambda w, x: x @ jnp.concatenate([w["v"], w["w"][:, :2], w["w"]], 1), {"v": V, "w": W}, X, [1, 1]
    ),
    "concatenated rows": (lambda w, x: x @ jnp.concatenate([w["v"][:1], w["w"][1:]]), {"v": V, "w": W}, X, [1, 1]),
    "sum of two": (lambda w, x: x @ (w["v"] + w["w"]), {"v": V, "w": W}, X, [1, 1]),
    "difference of two": (lambda w, x: x @ (w["v"] - w["w"]), {"v": V, "w": W}, X, [1, 1]),
    "plus data": (lambda w, x: x @ (w + V) + x @ (w - 1.0) + x @ (2.0 - w) + x @ (V - w), W, X, [1]),
    "times a number": (lambda w, x: x @ (w * 0.5) - x @ (3.0 * w) + x @ (w / 7.0) + x @ (-w), W, X, [1]),
    "times data": (lambda w, x: (x @ (w * x[0, 0])) / x[0, 1] + x @ (w / x[0, 1]), W, X, [1]),
    "cast": (lambda w, x: x.astype(jnp.bfloat16) @ w.astype(jnp.bfloat16), W, X, [1]),
    "product in higher precision": (
        lambda w, x: jnp.dot(x.astype(jnp.bfloat16), w.astype(jnp.bfloat16), preferred_element_type=jnp.float32),
        W, X, [1],
    ),
    "scan with weights as constants": (
        lambda w, x: jax.lax.scan(
            lambda h, row: (jnp.tanh(row @ w["w"] + h @ w["u"] + w["b"]), h.sum()), jnp.zeros(6), x
        ),
        {"b": normal(8, 6), "u": normal(9, 6, 6), "w": W}, X, [None, 1, 1],
    ),
    "scan over layers, cut late": (
        lambda w, x: jax.lax.scan(lambda h, layer: (jnp.tanh(h @ layer), None), x, w, reverse=True)[0],
        normal(10, 3, 4, 4), X, [2],
    ),
    "scan over layers, cut early": (
        lambda w, x: jax.lax.scan(lambda h, layer: (jnp.tanh(h @ layer), None), x, w)[0], normal(10, 3, 4, 4), X, [1]
    ),
    "scan in a scan": (
        lambda w, x: jax.lax.scan(
            lambda h, _: (jax.lax.scan(lambda g, __: (jnp.tanh(g @ w), None), h, length=2)[0], None), x, length=2
        )[0],
        normal(11, 4, 4), X, [1],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_lifted_is_densified(name):
    function, params, x, cuts = CASES[name]
    noise = noise_of(jax.tree.map(jnp.asarray, params), cuts)
    low = name in ("cast", "product in higher precision")
    assert_lifted_is_densified(function, params, (x,), noise, 3e-2 if low else 2e-5)


REFUSED = {
    "tanh": (lambda w, x: x @ jnp.tanh(w), W, [1]),
    "round": (lambda w, x: x @ jnp.round(w), W, [1]),
    "reduce_sum": (lambda w, x: x @ w.sum(1), W, [1]),
    "mul": (lambda w, x: w * x[:, :1], W[:2], [1]),
    "cumsum": (lambda w, x: x @ jnp.cumsum(w, axis=1), W, [1]),
    "dot_general": (lambda w, x: w["v"].T @ w["w"], {"v": V, "w": W}, [1, 1]),
    "conv_general_dilated": (
        lambda w, x: conv(x[:, None, None, :], w, NHWC, feature_group_count=4), normal(12, 1, 1, 1, 8), [3]
    ),
    "reshape": (lambda w, x: x[:, :2] @ w.reshape(2, 12), normal(14, 3, 8), [1]),
    "transpose": (lambda w, x: jnp.transpose(w, (0, 2, 1)), CUBE, [2]),
    "gather": (lambda w, x: w[:, jnp.array([0, 2])], W, [1]),
    "add": (lambda w, x: x @ (w["w"] + w["b"]), {"b": normal(8, 6), "w": W}, [None, 1]),
    "scan (as what it carries)": (
        lambda w, x: jax.lax.scan(lambda h, _: (w["v"] @ h, None), w["w"], None, length=2)[0],
        {"v": normal(15, 6, 6), "w": normal(13, 6, 6)}, [1, 1],
    ),
}  # fmt: skip


@pytest.mark.parametrize("primitive", REFUSED)
def test_what_has_no_rule_is_named_and_never_computed_wrongly(primitive):
    function, params, cuts = REFUSED[primitive]
    with pytest.raises(NoRuleError) as error:
        lift(function, params, X)(noise_of(jax.tree.map(jnp.asarray, params), cuts), 1.0)
    assert error.value.primitive == primitive
    assert error.value.path == ("w" if isinstance(params, dict) else ROOT)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("rank", [1, 3])
def test_multiply_out_is_the_sum_of_outer_products(rank):
    factors = noise_of({"w": jnp.asarray(CUBE)}, [2], rank)["w"]
    expected = sum(np.multiply.outer(factors.a[..., r], factors.b[..., r]) for r in range(rank))
    np.testing.assert_allclose(multiply_out(factors), expected, rtol=1e-5, atol=1e-6)
    assert factors.shape == CUBE.shape
    assert factors.cut == 2
