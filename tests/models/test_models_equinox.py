"""Equinox modules as they are: what they compute on a batch and what is refused."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from adapters import assert_agrees, assert_refused, assert_trains, images

from nograd.core.types import ModelError
from nograd.models import build_model, from_equinox

KEY = jax.random.key(0)
FLAT = np.zeros((1, 64), "f4")


class Images(eqx.Module):
    conv: eqx.nn.Conv2d
    norm: eqx.nn.LayerNorm
    drop: eqx.nn.Dropout | None
    mlp: eqx.nn.MLP

    def __init__(self, key, rate=None):
        one, two = jax.random.split(key)
        self.conv = eqx.nn.Conv2d(1, 4, 3, padding=1, key=one)
        self.norm = eqx.nn.LayerNorm(256)
        self.drop = None if rate is None else eqx.nn.Dropout(rate)
        self.mlp = eqx.nn.MLP(256, 10, 16, 1, key=two)

    def __call__(self, x):
        x = self.norm(jax.nn.relu(self.conv(x[None])).reshape(-1))
        return self.mlp(self.drop(x) if self.drop else x)


class Words(eqx.Module):
    embed: eqx.nn.Embedding
    attend: eqx.nn.MultiheadAttention
    out: eqx.nn.Linear

    def __init__(self, *, key):
        one, two, three = jax.random.split(key, 3)
        self.embed = eqx.nn.Embedding(17, 8, key=one)
        self.attend = eqx.nn.MultiheadAttention(2, 8, key=two)
        self.out = eqx.nn.Linear(8, 10, key=three)

    def __call__(self, tokens):
        x = jax.vmap(self.embed)(tokens)
        return self.out(self.attend(x, x, x).mean(0))


class Stateful(eqx.Module):
    norm: eqx.nn.BatchNorm
    drop: eqx.nn.Dropout
    out: eqx.nn.Linear

    def __init__(self, key):
        self.norm = eqx.nn.BatchNorm(64, "batch", mode="batch")
        self.drop = eqx.nn.Dropout(0.5)
        self.out = eqx.nn.Linear(64, 10, key=key)

    def __call__(self, x, state, *, key):
        x, state = self.norm(x.reshape(-1), state)
        return self.out(self.drop(x, key=key)), state


class WithKey(eqx.Module):
    out: eqx.nn.Linear

    def __call__(self, x, key):
        return self.out(x.reshape(-1))


def test_outputs_are_its_own_on_every_example():
    module, x = Images(KEY), images(4)
    model = build_model(from_equinox(module), (8, 8), 10)
    assert {"conv/weight", "mlp/layers/0/bias", "norm/weight"} <= set(model.init(KEY))
    assert_agrees(model, jax.vmap(module)(x), x)


def test_attention_on_tokens():
    module, x = Words(key=KEY), np.round(images(4) * 16)
    model = build_model(from_equinox(module, example=np.zeros((1, 64), int)), (8, 8), 10)
    assert_agrees(model, jax.vmap(module)(jnp.asarray(x, int).reshape(4, 64)), x)


@pytest.mark.parametrize("factory", [Images, Words, lambda k: eqx.nn.MLP(64, 10, 8, 2, key=k)])
def test_a_function_of_a_key_is_drawn_from_the_key(factory):
    model = from_equinox(factory)
    module = factory(key=jax.random.key(5)) if factory is Words else factory(jax.random.key(5))
    drawn = jax.jit(model.init)(jax.random.key(5))
    own = from_equinox(module).init(KEY)
    assert set(own) == set(drawn)
    for name, value in drawn.items():
        np.testing.assert_allclose(value, own[name], rtol=1e-6)
    assert any(not np.array_equal(drawn[name], value) for name, value in model.init(KEY).items())


def test_an_instance_keeps_its_values():
    model = from_equinox(Images(KEY))
    jax.tree.map(np.testing.assert_array_equal, model.init(KEY), model.init(jax.random.key(1)))


def test_an_example_gives_the_shape():
    module, x = eqx.nn.Linear(64, 10, key=KEY), images(3)
    model = build_model(from_equinox(module, example=FLAT), (8, 8), 10)
    assert_agrees(model, jax.vmap(module)(x.reshape(3, 64)), x)
    with pytest.raises(ModelError, match="the model fails on examples of shape"):
        build_model(from_equinox(module), (8, 8), 10)


# Modules are made within the tests: every process of pytest collects this file, and to make them takes seconds.
@pytest.mark.parametrize(
    ("make", "layer"),
    [
        (lambda: Images(KEY, rate=0.5), "drop"),
        (lambda: eqx.nn.Sequential([eqx.nn.Linear(64, 10, key=KEY), eqx.nn.Dropout(0.5)]), "layers/1"),
        (lambda: Stateful, "norm"),
        (lambda: eqx.nn.make_with_state(Stateful)(KEY), "norm"),
        (lambda: WithKey(eqx.nn.Linear(64, 10, key=KEY)), "WithKey"),
        (lambda: eqx.nn.SpectralNorm(eqx.nn.Linear(64, 10, key=KEY), "weight", key=KEY), "SpectralNorm"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_state_is_refused(make, layer):
    assert_refused(lambda: from_equinox(make()), layer)


def test_a_dropout_that_never_drops_is_no_state():
    assert_agrees(from_equinox(Images(KEY, rate=0)), jax.vmap(Images(KEY))(images(2)), images(2))


def test_frozen_is_inference_mode_with_stored_statistics():
    module, state = eqx.nn.make_with_state(Stateful)(KEY)
    x = images(4)
    training = jax.vmap(lambda row: module(row, state, key=KEY), axis_name="batch", out_axes=(0, None))
    _, state = training(x)  # statistics of a batch
    leaves, structure = jax.tree.flatten(state)
    state, own = jax.tree.unflatten(structure, leaves), jax.tree.unflatten(structure, leaves)
    inference = eqx.nn.inference_mode(module)
    expected = jax.vmap(lambda row: inference(row, own, key=None)[0])(x)
    assert_agrees(build_model(from_equinox((module, state), frozen=True), (8, 8), 10), expected, x)


@pytest.mark.parametrize("make", [lambda: Stateful, lambda: Stateful(KEY), lambda: eqx.nn.make_with_state(Stateful)])
def test_state_is_found_where_it_is(make):
    model = from_equinox(make(), frozen=True)
    assert set(model.init(KEY)) == {"norm/weight", "norm/bias", "out/weight", "out/bias"}


def test_a_module_without_its_state_is_one_line():
    module, _ = eqx.nn.make_with_state(Stateful)(KEY)
    with pytest.raises(ModelError, match=r"pass the pair \(module, state\)") as error:
        from_equinox(module, frozen=True)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("wrong", [lambda key: 3, (3, 4)])
def test_what_is_no_module_is_refused(wrong):
    with pytest.raises(ModelError, match="from_equinox takes"):
        from_equinox(wrong)


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: from_equinox(Words, example=np.zeros((1, 64), int)), id="attention"),
        pytest.param(lambda: from_equinox(Stateful, frozen=True), id="frozen"),
        pytest.param(lambda: Images(KEY), id="raw"),
    ],
)
@pytest.mark.slow
def test_it_trains(make, tmp_path):
    assert_trains(make(), tmp_path / "run")
