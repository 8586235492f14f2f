"""Networks without a gradient against a few lines of NumPy each, and the marks that they set."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import nograd as ng
from nograd.data import load
from nograd.models.int8 import dense_int8, round_activations, round_weights
from nograd.models.sign import hard_sign
from nograd.models.spiking import LEAK, STEPS, spike_rates
from nograd.models.straight_through import STRAIGHT_THROUGH

pytestmark = pytest.mark.slow  # minutes in all: before a release

BUILDERS = {"mlp-sign": ng.mlp_sign, "mlp-int8": ng.mlp_int8, "mlp-spiking": ng.mlp_spiking}


def signs(h):
    return np.where(h >= 0, 1, -1)


def rates(current):
    v, count = np.zeros_like(current), np.zeros_like(current)
    for _ in range(8):
        v = 0.9 * v + current
        count, v = count + (v >= 1), v - (v >= 1)
    return count / 8


def dense(h, w, b):
    return h @ w + b


def int8(h, w, b):
    sw = np.abs(w).max(0, keepdims=True) / np.float32(127)
    sx = np.abs(h).max(1, keepdims=True) / np.float32(127)
    sx[sx == 0] = 1
    products = np.round(h / sx).astype(np.int32) @ np.round(w / sw).astype(np.int32)
    return products * sx * sw + b


TWINS = {
    "mlp-sign": (dense, signs),
    "mlp-int8": (int8, lambda h: np.maximum(h, 0)),
    "mlp-spiking": (dense, rates),
}


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))])
@pytest.mark.parametrize("word", TWINS)
def test_a_network_is_its_formula(word, seed):
    layer, activation = TWINS[word]
    model = BUILDERS[word](9, 7)((2, 3), 4)
    noise = np.random.default_rng(seed)
    params = jax.tree.map(lambda leaf: leaf + noise.normal(size=leaf.shape, scale=0.1).astype("f4"), _drawn(model))
    x = noise.normal(size=(6, 2, 3)).astype("f4")
    h = x.reshape(6, 6)
    for own in params[:-1]:
        h = activation(layer(h, np.asarray(own["kernel"]), np.asarray(own["bias"]))).astype("f4")
    expected = layer(h, np.asarray(params[-1]["kernel"]), np.asarray(params[-1]["bias"]))
    np.testing.assert_allclose(model.apply(params, x), expected, rtol=1e-5, atol=1e-5)


def _drawn(model):
    return model.init(jax.random.key(0))


def test_a_sign_has_two_values_and_zero_is_one_of_them():
    np.testing.assert_array_equal(hard_sign(jnp.array([-2.0, -0.0, 0.0, 1e-30])), [-1, 1, 1, 1])


def test_int8_weights_are_integers_times_the_step_of_their_column():
    weights = jax.random.normal(jax.random.key(0), (50, 6)) * jnp.array([1e-3, 1, 5, 0, 1e3, 2])
    rounded = np.asarray(round_weights(weights))
    largest = np.abs(np.asarray(weights)).max(0)
    integers = rounded[:, largest > 0] / (largest[largest > 0] / 127)
    np.testing.assert_allclose(integers, np.round(integers), atol=1e-4)
    np.testing.assert_allclose(np.abs(integers).max(0), 127, rtol=1e-6)
    assert not rounded[:, 3].any()
    assert np.all(np.abs(rounded - weights) <= largest / 127 / 2 * 1.0001)


def test_int8_activations_are_integers():
    x = jax.random.normal(jax.random.key(0), (5, 40)).at[2].set(0)
    integers, scale = map(np.asarray, round_activations(x))
    np.testing.assert_array_equal(integers, np.round(integers))
    np.testing.assert_array_equal(np.abs(integers).max(1), [127, 127, 0, 127, 127])
    np.testing.assert_allclose(integers * scale, x, atol=float(scale.max()) / 2 * 1.0001)


def test_the_rounding_of_weights_is_marked_and_feeds_a_plain_product():
    layer = {"kernel": jnp.ones((3, 2)), "bias": jnp.ones(2)}
    equations = jax.make_jaxpr(dense_int8)(layer, jnp.ones((4, 3))).jaxpr.eqns
    (marked,) = [e for e in equations if e.params.get("name") == STRAIGHT_THROUGH]
    (product,) = [e for e in equations if e.primitive.name == "dot_general"]
    assert product.invars[1] is marked.outvars[0]
    assert marked.outvars[0].aval.shape == (3, 2)


def test_spikes_are_counted_over_eight_steps():
    assert (STEPS, LEAK) == (8, 0.9)
    onset = (1 - LEAK) / (1 - LEAK**STEPS)
    found = spike_rates(jnp.array([-1.0, onset * 0.999, onset * 1.001, 0.5, 1.0, 9.0]))
    np.testing.assert_array_equal(found, [0, 0, 1 / 8, 3 / 8, 1, 1])


@pytest.mark.parametrize("hidden", [(64,), pytest.param((256,), marks=pytest.mark.slow), (128, 128, 128)])
def test_some_units_of_every_layer_spike_at_the_start(hidden):
    digits = load("digits")
    x = jnp.asarray((digits.x_train[:500] - digits.offset) * digits.scale).reshape(500, -1)
    *layers, _ = ng.mlp_spiking(*hidden)((8, 8), 10).init(jax.random.key(0))
    for layer in layers:
        x = spike_rates(x @ layer["kernel"] + layer["bias"])
        assert 0.1 < float(jnp.mean(x > 0)) < 0.45


@pytest.mark.usefixtures("quick_runs")
@pytest.mark.parametrize(
    "word", [word if word == "mlp-int8" else pytest.param(word, marks=pytest.mark.slow) for word in BUILDERS]
)
@pytest.mark.slow
def test_it_trains_by_its_word(word, tmp_path):
    run = ng.train("digits", model=f"{word}:16", generations=3, population=8, batch=64, out=tmp_path / "run")
    assert run.settings.model == f"{word}:16"
    assert np.isfinite(ng.load(run.path).outputs(load("digits").x_test[:5])).all()
