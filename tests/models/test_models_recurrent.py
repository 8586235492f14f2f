"""Networks with memory: their mathematics against NumPy, sequences, and what is refused."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from flax import nnx
from unbiased import assert_unbiased

import nograd as ng
from nograd.core.types import ModelError
from nograd.models import build_model, build_policy, parse_model
from nograd.training.provenance import model_spec

X = np.random.default_rng(0).normal(size=(6, 5, 3)).astype(np.float32)  # [batch, time, features]


def moved(model):
    """Parameters whose biases matter."""
    return jax.tree.map(lambda leaf: leaf + 0.1, model.init(jax.random.key(0)))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def gru_by_hand(params, x):
    h = np.zeros((len(x), 4), np.float32)
    for now in np.moveaxis(x, 1, 0):
        r, z, n = np.split(now @ params["inputs"]["kernel"] + params["inputs"]["bias"], 3, axis=1)
        hr, hz, hn = np.split(h @ params["state"]["kernel"], 3, axis=1)
        z = sigmoid(z + hz)
        h = (1 - z) * np.tanh(n + sigmoid(r + hr) * hn) + z * h
    return h


def lstm_by_hand(params, x):
    h = c = np.zeros((len(x), 4), np.float32)
    for now in np.moveaxis(x, 1, 0):
        of_all = now @ params["inputs"]["kernel"] + params["inputs"]["bias"] + h @ params["state"]["kernel"]
        i, f, g, o = np.split(of_all, 4, axis=1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
    return h


@pytest.mark.parametrize(("word", "by_hand"), [("gru", gru_by_hand), ("lstm", lstm_by_hand)])
def test_a_sequence_is_its_formula(word, by_hand):
    model = build_model(parse_model(f"{word}:4,3"), (5, 3), 2)
    params = jax.tree.map(np.asarray, moved(model))
    state = by_hand(params, X)
    hidden, last = params["head"]
    expected = np.tanh(state @ hidden["kernel"] + hidden["bias"]) @ last["kernel"] + last["bias"]
    np.testing.assert_allclose(model.apply(params, X), expected, rtol=1e-4, atol=1e-5)


def test_the_bias_of_an_lstms_forgetting_begins_at_1():
    bias = build_policy(ng.lstm(2), (3,), 1).init(jax.random.key(0))["inputs"]["bias"]
    assert bias.tolist() == [0, 0, 1, 1, 0, 0, 0, 0]


class Cell(eqx.Module):
    cell: eqx.nn.GRUCell
    head: eqx.nn.Linear

    def __init__(self, key):
        one, two = jax.random.split(key)
        self.cell = eqx.nn.GRUCell(3, 4, key=one)
        self.head = eqx.nn.Linear(4, 2, key=two)

    def __call__(self, carry, x):
        state = self.cell(x, carry)
        return self.head(state), state


class Linen(nn.Module):
    @nn.compact
    def __call__(self, carry, x):
        carry, state = nn.LSTMCell(4)(carry, x)
        return nn.Dense(2)(state), carry


class Nnx(nnx.Module):
    def __init__(self, rngs):
        self.cell = nnx.GRUCell(3, 4, rngs=rngs)
        self.head = nnx.Linear(4, 2, rngs=rngs)

    def __call__(self, carry, x):
        carry, state = self.cell(carry, x)
        return self.head(state), carry


def by_pair():
    def apply(params, carry, x):
        after = {"sum": carry["sum"] + x @ params["kernel"], "steps": carry["steps"] + 1}
        return jnp.tanh(after["sum"]) / after["steps"][:, None], after

    return ng.Model(
        lambda key: {"kernel": jax.random.normal(key, (3, 2))},
        apply,
        initial_carry=lambda: {"sum": np.zeros(2, np.float32), "steps": 0},
    )


CELLS = {
    "gru": lambda: ng.gru(4),
    "lstm": lambda: ng.lstm(4, 3),
    "equinox": lambda: ng.from_equinox(Cell, carry=jnp.zeros(4)),
    "linen": lambda: ng.from_flax(Linen(), carry=(jnp.zeros(4), jnp.zeros(4))),
    "nnx": lambda: ng.from_flax(Nnx, carry=jnp.zeros(4)),
    "a pair of functions": by_pair,
    "a builder of one's own": lambda: lambda shape, outputs: ng.gru(shape[-1])(shape, outputs),
}


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=[pytest.mark.slow] if kind in ("lstm", "nnx") else []) for kind in CELLS]
)
def test_a_sequence_is_its_steps(kind):
    """And each is carried alone: a batch is its examples one by one."""
    whole, steps = build_model(CELLS[kind](), (5, 3), 2), build_policy(CELLS[kind](), (3,), 2)
    params = moved(whole)
    carry = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (6, *jnp.shape(leaf))), steps.initial_carry())
    for now in range(5):
        outputs, carry = steps.apply(params, carry, X[:, now])
    found = jax.jit(whole.apply)(params, X)
    np.testing.assert_allclose(found, outputs, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(jax.jit(whole.apply)(params, X[2:3]), found[2:3], rtol=1e-5, atol=1e-6)
    first = build_model(CELLS[kind](), (1, 3), 2).apply(params, X[:, :1])
    begun = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (6, *jnp.shape(leaf))), steps.initial_carry())
    np.testing.assert_allclose(first, steps.apply(params, begun, X[:, 0])[0], rtol=1e-5, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("cell", ["gru", "lstm", "linen"])
@pytest.mark.parametrize(
    "perturbation",
    [ng.dense(0.02, directions=128), ng.lowrank(2, 0.02, 16, 2), ng.node(0.02, 16)],
    ids=lambda perturbation: perturbation.word,
)
def test_estimates_through_time_are_unbiased(cell, perturbation):
    model = build_model(CELLS[cell](), (5, 3), 2)
    values = lambda params, x: jnp.sum(jnp.sin(model.apply(params, x)), axis=1)  # noqa: E731
    assert_unbiased(values, perturbation, moved(model), (X,), count=400)


@pytest.mark.parametrize(
    "perturbation",
    [
        pytest.param(ng.dense(0.05), marks=pytest.mark.slow),
        ng.lowrank(1, 0.05, 8, 8),
        pytest.param(ng.node(0.05, 4), marks=pytest.mark.slow),
    ],
    ids=lambda perturbation: perturbation.word,
)
def test_sequences_of_a_data_set_are_learnt(perturbation, tmp_path):
    """Digits row by row: eight steps of eight pixels."""
    settings = {"population": 16} if perturbation.word == "dense" else {}
    run = ng.train(
        "digits", model="gru:8", perturbation=perturbation, generations=3, batch=64, out=tmp_path / "run", **settings
    )
    assert run.outputs(np.zeros((2, 8, 8), np.uint8)).shape == (2, 10)
    assert run.settings.model == "gru:8"


def zeros(key):
    return {"w": jnp.zeros((3, 2))}


def kept(params, carry, x):
    return x @ params["w"], carry


@pytest.mark.parametrize(
    ("apply", "carry", "words"),
    [
        (lambda p, c, x: (x @ p["w"], c[:, :2]), lambda: jnp.zeros(3), ["float32 [2, 3]", "float32 [2, 2]"]),
        (lambda p, c, x: (x @ p["w"], {"h": c["h"] + 0j}), lambda: {"h": jnp.zeros(3)}, ["'h'", "complex64"]),
        (lambda p, c, x: (x @ p["w"], c + 0.5), lambda: 0, ["int32 [2]", "float32 [2]"]),
        (lambda p, c, x: (x @ p["w"], [c]), lambda: jnp.zeros(3), ["PyTreeDef(*)", "PyTreeDef([*])"]),
        (lambda p, c, x: x @ p["w"], lambda: jnp.zeros(3), ["must return (outputs, carry)"]),
        (lambda p, x: x @ p["w"], lambda: jnp.zeros(3), ["apply(params, carry, x)"]),
        (lambda p, c, x: (x @ p["w"][:, :1], c), lambda: jnp.zeros(3), ["[batch, 2]", "(2, 1)"]),
        (kept, lambda: jnp.zeros(3, complex), ["complex64", "real numbers"]),
        (kept, lambda: jax.random.key(0), ["key<fry>", "real numbers"]),
        (kept, lambda: "begin", ["begin"]),
        (kept, jnp.zeros(3), ["initial_carry must be a function"]),
    ],
)
def test_a_carry_that_cannot_be_is_one_line(apply, carry, words):
    for build, shape in ((build_model, (5, 3)), (build_policy, (3,))):
        with pytest.raises(ModelError) as error:
            build(ng.Model(zeros, apply, initial_carry=carry), shape, 2)
        assert all(word in str(error.value) for word in words), error.value
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("kind", CELLS)
@pytest.mark.parametrize("shape", [(3,), (0, 3)])
def test_examples_that_are_no_sequences_are_one_line(kind, shape):
    with pytest.raises(ModelError, match=r"examples \[time, features\].*mlp:128|the model's builder fails"):
        build_model(CELLS[kind](), shape, 2)


@pytest.mark.parametrize("spec", ["gru:0", "lstm:4,0", "gru:-1", "lstm:a"])
def test_widths_that_cannot_be_are_one_line(spec):
    with pytest.raises(ModelError, match=rf"{spec[:3]}.*(try|such as)"):
        parse_model(spec)


def test_a_word_stands_for_the_network_that_was_handed_over():
    """In an environment the word mlp names a network with tanh, and nograd.mlp is one with ReLU."""
    assert model_spec(ng.mlp(8), is_policy=True) == "(a Python object)"
    assert model_spec(ng.mlp(8), is_policy=False) == "mlp:8"
    assert model_spec(ng.gru(8), is_policy=True) == "gru:8"
