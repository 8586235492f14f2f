"""Networks: their sizes, their mathematics against NumPy, and what is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nograd import models
from nograd.core.trees import parameter_count
from nograd.core.types import ModelError
from nograd.models import Builder, Model, build_model, is_built_in, parse_model
from nograd.models.layers import conv, pool


def parameters(spec: str, shape=(28, 28), classes=10) -> int:
    return parameter_count(parse_model(spec)(shape, classes).init(jax.random.key(0)))


@pytest.mark.parametrize(
    ("spec", "count"),
    [
        ("linear2", 623_290),
        ("cnn", 11_274),
        ("mlp:128", 784 * 128 + 128 + 1290),
        ("mlp:128,64", 784 * 128 + 128 + 128 * 64 + 64 + 650),
        ("mlp", 7850),
        ("mlp-sign:128,64", 109_386),
        ("mlp-int8:128", 784 * 128 + 128 + 1290),
        ("mlp-spiking", 7850),
        ("mlp-staircase:128", 784 * 128 + 128 + 1290),
        ("moe-hard:8,64", 785 * 8 + 785 * 512 + 8 * 65 * 10),
        ("attention-argmax:16", 49 * 16 + 16 * 16 + 2 * 16 * 16 + 257 * 10),
    ],
)
def test_parameter_counts(spec, count):
    assert parameters(spec) == count
    assert parse_model(spec).spec == spec


@pytest.mark.parametrize("seed", range(3))
def test_mlp_is_its_formula(seed):
    model = parse_model("mlp:7,5")((2, 3), 4)
    params = model.init(jax.random.key(seed))
    params = jax.tree.map(lambda leaf: leaf + 0.1, params)  # biases that matter
    x = np.random.default_rng(seed).normal(size=(6, 2, 3)).astype("f4")
    h = x.reshape(6, 6)
    for layer in params[:-1]:
        h = np.maximum(h @ np.asarray(layer["kernel"]) + np.asarray(layer["bias"]), 0)
    expected = h @ np.asarray(params[-1]["kernel"]) + np.asarray(params[-1]["bias"])
    np.testing.assert_allclose(model.apply(params, x), expected, rtol=1e-5, atol=1e-5)


def test_linear2_has_no_activation():
    model = parse_model("linear2")((3,), 2)
    params = model.init(jax.random.key(0))
    x = jnp.array([[1.0, -2.0, 3.0]])
    np.testing.assert_allclose(model.apply(params, -x), -model.apply(params, x), rtol=1e-6)


@pytest.mark.parametrize("shape", [(9, 7, 2), (8, 8, 1)])
def test_convolution_is_xlas(shape):
    key = jax.random.key(1)
    layer = {"kernel": jax.random.normal(key, (5, 5, shape[-1], 4)), "bias": jnp.arange(4.0)}
    x = jax.random.normal(key, (3, *shape))
    expected = jax.lax.conv_general_dilated(
        x, layer["kernel"], (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    np.testing.assert_allclose(conv(layer, x), expected + layer["bias"], rtol=1e-4, atol=1e-4)


def test_pooling_takes_the_largest_of_each_block():
    x = jnp.arange(2 * 5 * 4 * 3.0).reshape(2, 5, 4, 3)
    expected = [[np.asarray(x)[:, i : i + 2, j : j + 2].max((1, 2)) for j in (0, 2)] for i in (0, 2)]
    np.testing.assert_array_equal(pool(x), np.moveaxis(np.array(expected), 2, 0))


def test_weights_are_glorot_uniform_and_biases_zero():
    (layer,) = parse_model("mlp")((400,), 100).init(jax.random.key(0))
    limit = np.sqrt(6 / 500)
    kernel = np.asarray(layer["kernel"])
    assert np.abs(kernel).max() <= limit
    # The variance of a uniform on ±a is a²/3; its sample error over n draws is a² √(4/45/n).
    assert abs(kernel.var() - limit**2 / 3) < 5 * limit**2 * np.sqrt(4 / 45 / kernel.size)
    assert not np.any(layer["bias"])


@pytest.mark.parametrize("spec", ["cnn", "mlp:8", "linear2"])
def test_gradients_and_jit_work(spec):
    model = parse_model(spec)((8, 8), 3)
    params = model.init(jax.random.key(0))
    loss = jax.jit(jax.grad(lambda p: model.apply(p, jnp.ones((2, 8, 8))).sum()))
    assert jax.tree.structure(loss(params)) == jax.tree.structure(params)


@pytest.mark.parametrize(
    ("spec", "word"),
    [
        ("rnn", "'rnn'"),
        ("mlp:a", "'mlp:a'"),
        ("mlp:0", "mlp:128"),
        ("mlp-sign:0", "mlp-sign:128"),
        ("mlp-int8:1.5", "'mlp-int8:1.5'"),
        ("cnn:3", "'cnn:3'"),
        ("", "''"),
    ],
)
def test_an_unknown_model_is_one_line(spec, word):
    with pytest.raises(ModelError) as error:
        parse_model(spec)
    assert word in str(error.value)
    assert "\n" not in str(error.value)


def test_built_in_words_are_told_from_module_and_function():
    assert all(map(is_built_in, ("mlp", "mlp:3", "mlp-int8:64,64", "linear2", "cnn")))
    assert not any(map(is_built_in, ("my_module:make_model", "mlp_sign:function", "mlps:3", "")))


@pytest.mark.parametrize("shape", [(10,), (3, 3)])
def test_cnn_needs_images(shape):
    with pytest.raises(ModelError, match="mlp:128"):
        parse_model("cnn")(shape, 10)


def good_init(key):
    return {"w": jnp.zeros((4, 3))}


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (Model(good_init, lambda p, x: x @ p["w"][:3]), ["shape (4,)"]),
        (Model(good_init, lambda p, x: x @ p["w"][:, :2]), ["[batch, 3]", "(2, 2)"]),
        (Model(good_init, lambda p, x: (x @ p["w"],)), ["[batch, 3]"]),
        (Model(lambda key: {}, lambda p, x: x[:, :3]), ["no parameters"]),
        (Model(lambda key: {"i": jnp.zeros(3, int)}, lambda p, x: x[:, :3]), ["'i'", "int32"]),
        (Model(good_init, lambda p, x: p["v"]), ["shape (4,)", "v"]),
    ],
)
def test_a_model_that_does_not_fit_is_one_line(model, words):
    with pytest.raises(ModelError) as error:
        build_model(model, (4,), 3)
    assert all(word in str(error.value) for word in words)
    assert "\n" not in str(error.value)


def test_models_builders_and_functions_are_accepted():
    model = Model(good_init, lambda p, x: x @ p["w"])
    assert build_model(model, (4,), 3) is model
    assert build_model(lambda shape, classes: model, (4,), 3) is model
    assert isinstance(build_model(models.mlp(5, activation=jnp.sign), (4,), 3), Model)
    assert models.mlp(5, activation=jnp.sign).spec is None
    with pytest.raises(ModelError, match="int"):
        build_model(Builder(None, lambda shape, classes: 3), (4,), 3)
