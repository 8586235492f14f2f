"""Staircase units, a hard mixture of experts and hard attention: their formulas, and every perturbation on them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import nograd as ng
from nograd.core.types import ModelError
from nograd.data import load
from nograd.models import build_model, parse_model
from nograd.models.attention import patches
from nograd.models.staircase import staircase

WORDS = ("mlp-staircase:9,7", "moe-hard:3,5", "attention-argmax:4")
PERTURBATIONS = {
    "dense": ng.dense(sigma=0.1, directions=3),
    "lowrank": ng.lowrank(sigma=0.1, directions=4, group=2),
    "node": ng.node(sigma=0.1, directions=4),
    "orthogonal": ng.node(sigma=0.1, directions=8, noise="orthogonal", mirrored=False),
}


def drawn(word, shape, seed):
    """The network with first weights and biases that all matter, and six inputs."""
    model, noise = build_model(parse_model(word), shape, 4), np.random.default_rng(seed)
    params = jax.tree.map(
        lambda leaf: leaf + noise.normal(size=leaf.shape, scale=0.1).astype("f4"), model.init(jax.random.key(seed))
    )
    return model, params, noise.normal(size=(6, *shape)).astype("f4")


def relu(x):
    return np.maximum(x, 0)


def of_staircase(params, x):
    h = x.reshape(len(x), -1)
    for layer in params[:-1]:
        h = np.clip(np.floor(2 * (h @ layer["kernel"] + layer["bias"])) / 2, 0, 2)
    return h @ params[-1]["kernel"] + params[-1]["bias"]


def of_experts(params, x):
    found = []
    for h in x.reshape(len(x), -1):
        chosen = np.argmax(h @ params["router"]["kernel"] + params["router"]["bias"])
        units = slice(5 * chosen, 5 * chosen + 5)
        hidden = relu(h @ params["hidden"]["kernel"][:, units] + params["hidden"]["bias"][units])
        classes = slice(4 * chosen, 4 * chosen + 4)
        found.append(hidden @ params["outputs"]["kernel"][:, classes] + params["outputs"]["bias"][classes])
    return np.array(found)


def of_attention(params, x):
    found = []
    for image in x:
        parts = [image[i : i + 2, j : j + 2].reshape(-1) for i in range(0, 8, 2) for j in range(0, 8, 2)]
        tokens = relu(np.array(parts) @ params["tokens"]["kernel"] + params["tokens"]["position"])
        keys = [np.argmax([token @ params["scores"] @ key for key in tokens]) for token in tokens]
        h = relu(tokens + tokens[keys] @ params["values"])
        found.append(h.reshape(-1) @ params["outputs"]["kernel"] + params["outputs"]["bias"])
    return np.array(found)


TWINS = dict(zip(WORDS, (of_staircase, of_experts, of_attention), strict=True))


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))])
@pytest.mark.parametrize("word", WORDS)
def test_a_network_is_its_formula(word, seed):
    model, params, x = drawn(word, (8, 8), seed)
    found = model.apply(params, x)
    assert found.shape == (6, 4)
    np.testing.assert_array_equal(found, model.apply(params, x))
    np.testing.assert_allclose(found, TWINS[word](jax.tree.map(np.asarray, params), x), rtol=1e-4, atol=1e-5)


def test_a_step_belongs_to_the_value_above_it():
    np.testing.assert_array_equal(staircase(jnp.array([-3.0, 0.49, 0.5, 1.99, 2.0, 9.0])), [0, 0, 0.5, 1.5, 2, 2])


@pytest.mark.parametrize("word", WORDS)
def test_the_gradient_says_nothing_of_what_is_hard(word):
    """What the hard function reads has derivative 0: the first layer of the staircase, the router, the scores."""
    model, params, x = drawn(word, (8, 8), 0)
    gradient = jax.grad(lambda params: jnp.sum(model.apply(params, x) ** 2))(params)
    hard = {"mlp-staircase:9,7": lambda g: g[:-1], "moe-hard:3,5": lambda g: g["router"]}
    for leaf in jax.tree.leaves(hard.get(word, lambda g: g["scores"])(gradient)):
        assert not np.any(leaf)


QUICK = {("moe-hard:3,5", "lowrank"), ("mlp-staircase:9,7", "orthogonal"), ("attention-argmax:4", "node")}
EACH = [
    pytest.param(word, perturbation, marks=() if (word, perturbation) in QUICK else pytest.mark.slow)
    for word in WORDS
    for perturbation in PERTURBATIONS
]


@pytest.mark.parametrize(("word", "perturbation"), EACH)
def test_every_perturbation_meets_it(word, perturbation):
    """An estimate for every parameter, finite, not 0, and the same when it is made again."""
    model, params, x = drawn(word, (8, 8), 0)
    labels = jnp.arange(6) % 4

    def loss(params, x, labels):
        return jnp.sum((model.apply(params, x) - jax.nn.one_hot(labels, 4)) ** 2, -1)

    estimate = jax.jit(ng.grad(loss, PERTURBATIONS[perturbation]))
    found = [estimate(params, x, labels, key=jax.random.key(1)) for _ in range(2)]
    for leaf, again in zip(*map(jax.tree.leaves, found), strict=True):
        assert np.isfinite(leaf).all()
        assert np.any(leaf)
        np.testing.assert_array_equal(leaf, again)


def test_patches_are_parts_of_the_image_and_zeros_fill_the_last_ones():
    image = np.arange(1, 5 * 6 + 1, dtype="f4").reshape(1, 5, 6)
    found = np.asarray(patches(image))
    assert found.shape == (1, 16, 4)
    np.testing.assert_array_equal(found[0, 0], [1, 2, 7, 8])
    np.testing.assert_array_equal(found[0, 8], [25, 26, 0, 0])
    assert found.sum() == image.sum()


@pytest.mark.parametrize(
    ("word", "shape", "words"),
    [
        ("attention-argmax:4", (64,), ("[height, width]", "(64,)", "mlp:128")),
        ("attention-argmax:4", (3, 8), ("4 × 4", "(3, 8)")),
        ("attention-argmax:0", (8, 8), ("at least 1", "0")),
        ("moe-hard:0,4", (8, 8), ("at least 1", "0,4")),
        ("moe-hard:2,3,4", (8, 8), ("moe-hard:8,64", "2,3,4")),
        ("mlp-staircase:0", (8, 8), ("at least 1",)),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(word, shape, words):
    with pytest.raises(ModelError) as error:
        build_model(parse_model(word), shape, 4)
    assert all(part in str(error.value) for part in words), str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.usefixtures("quick_runs")
@pytest.mark.parametrize(
    "word", ["moe-hard:2,8", *(pytest.param(word, marks=pytest.mark.slow) for word in ("mlp-staircase:8", WORDS[2]))]
)
def test_a_resumed_training_has_the_same_bits(word, tmp_path):
    fields = {"model": word, "perturbation": "node", "directions": 8, "noise": "orthogonal", "mirrored": False}
    fields |= {"shaping": "raw", "batch": 16, "eval_every": 2, "checkpoint_every": 2, "workers": 1}
    whole = ng.train("digits", generations=4, out=tmp_path / "whole", **fields)
    ng.train("digits", generations=2, out=tmp_path / "parts", **fields)
    parts = ng.train(resume=tmp_path / "parts", generations=4)
    for left, right in zip(jax.tree.leaves(whole.params), jax.tree.leaves(parts.params), strict=True):
        np.testing.assert_array_equal(left, right)
    x = load("digits").x_test[:5]
    np.testing.assert_array_equal(whole.outputs(x), parts.outputs(x))
