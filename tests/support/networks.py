"""Small networks of every framework as pure functions: loss(params, x, y) -> [batch], called as the frameworks say."""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from flax import linen as nn
from flax import nnx
from keras import layers

from nograd.models import build_model, from_torch

BATCH, CLASSES, WORDS, LENGTH, WIDTH = 4, 3, 5, 4, 4


class Network(NamedTuple):
    """What `jax.grad` and `nograd.grad` take."""

    loss: Callable[..., Any]
    params: Any
    inputs: tuple[Any, ...]


def cross_entropy(logits, y):
    return -jnp.take_along_axis(jax.nn.log_softmax(logits), y[:, None], axis=1)[:, 0]


def normal(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def classes():
    return np.array([0, 0, 1, 0])  # nearly one class, so that the examples' gradients do not cancel


def tokens(seed=0):
    return np.random.default_rng(seed).integers(0, WORDS, size=(BATCH, LENGTH))


def drawn(params, scale=0.5):
    """Parameters with no zero and no one among them, so that none is special."""
    leaves, structure = jax.tree.flatten(params)
    new = [scale * normal(100 + i, *leaf.shape) + (leaf.ndim == 1) for i, leaf in enumerate(leaves)]
    return jax.tree.unflatten(structure, [jnp.asarray(leaf) for leaf in new])


# Flax Linen ----------------------------------------------------------------------------------------------


class LinenImages(nn.Module):
    @nn.compact
    def __call__(self, x):
        x = nn.avg_pool(jnp.tanh(nn.Conv(3, (3, 3), strides=(1, 2))(x)), (2, 2), (2, 2))
        return nn.Dense(CLASSES)(nn.LayerNorm()(x.reshape(len(x), -1)))


class LinenWords(nn.Module):
    @nn.compact
    def __call__(self, x):
        x = nn.Embed(WORDS, WIDTH)(x)
        x = nn.RMSNorm()(x + nn.MultiHeadDotProductAttention(2)(x))
        return nn.Dense(CLASSES)(x.mean(1))


def linen(module, x):
    params = drawn(jax.eval_shape(module.init, jax.random.key(0), x)["params"])
    return Network(lambda p, x, y: cross_entropy(module.apply({"params": p}, x), y), params, (x, classes()))


# Flax NNX ------------------------------------------------------------------------------------------------


class NnxImages(nnx.Module):
    def __init__(self, rngs):
        self.conv = nnx.Conv(2, 4, (3, 3), feature_group_count=1, rngs=rngs)
        self.norm = nnx.GroupNorm(4, num_groups=2, rngs=rngs)
        self.out = nnx.Linear(4, CLASSES, rngs=rngs)

    def __call__(self, x):
        return self.out(jnp.tanh(self.norm(self.conv(x))).mean((1, 2)))


class NnxWords(nnx.Module):
    def __init__(self, rngs):
        self.embed = nnx.Embed(WORDS, WIDTH, rngs=rngs)
        self.attend = nnx.MultiHeadAttention(2, WIDTH, decode=False, rngs=rngs)
        self.norm = nnx.LayerNorm(WIDTH, rngs=rngs)
        self.out = nnx.Linear(WIDTH, CLASSES, rngs=rngs)

    def __call__(self, x):
        x = self.embed(x)
        return self.out(self.norm(x + self.attend(x)).mean(1))


def of_nnx(make, x):
    graph, params, rest = nnx.split(make(nnx.Rngs(0)), nnx.Param, ...)

    def loss(p, x, y):
        return cross_entropy(nnx.merge(graph, p, rest)(x), y)

    return Network(loss, drawn(params), (x, classes()))


# Equinox -------------------------------------------------------------------------------------------------


class EquinoxImages(eqx.Module):
    conv: eqx.nn.Conv2d
    norm: eqx.nn.LayerNorm
    mlp: eqx.nn.MLP

    def __init__(self, key):
        self.conv = eqx.nn.Conv2d(2, 3, 3, stride=2, padding=1, key=key)
        self.norm = eqx.nn.LayerNorm(12)
        self.mlp = eqx.nn.MLP(12, CLASSES, 5, 1, activation=jnp.tanh, key=key)

    def __call__(self, x):
        return self.mlp(self.norm(self.conv(jnp.moveaxis(x, -1, 0)).reshape(-1)))


class EquinoxWords(eqx.Module):
    embed: eqx.nn.Embedding
    attend: eqx.nn.MultiheadAttention
    norm: eqx.nn.RMSNorm
    out: eqx.nn.Linear

    def __init__(self, key):
        self.embed = eqx.nn.Embedding(WORDS, WIDTH, key=key)
        self.attend = eqx.nn.MultiheadAttention(2, WIDTH, key=key)
        self.norm = eqx.nn.RMSNorm(WIDTH)
        self.out = eqx.nn.Linear(WIDTH, CLASSES, key=key)

    def __call__(self, x):
        x = jax.vmap(self.embed)(x)
        return self.out(jax.vmap(self.norm)(x + self.attend(x, x, x)).mean(0))


def equinox(make, x):
    params, static = eqx.partition(make(jax.random.key(0)), eqx.is_inexact_array)

    def loss(p, x, y):
        return cross_entropy(jax.vmap(eqx.combine(p, static))(x), y)

    return Network(loss, drawn(params), (x, classes()))


# Keras ---------------------------------------------------------------------------------------------------


def keras_images():
    return keras.Sequential([
        keras.Input((4, 4, 2)), layers.Conv2D(3, 3, strides=2, padding="same", activation="tanh"), layers.Flatten(),
        layers.LayerNormalization(), layers.Dense(CLASSES),
    ])  # fmt: skip


def keras_words():
    words = keras.Input((LENGTH,), dtype="int32")
    x = layers.Embedding(WORDS, WIDTH)(words)
    x = layers.LayerNormalization()(x + layers.MultiHeadAttention(2, 2)(x, x))
    return keras.Model(words, layers.Dense(CLASSES)(layers.GlobalAveragePooling1D()(x)))


def of_keras(make, x):
    model = make()
    params = drawn([variable.value for variable in model.trainable_variables])
    fixed = [variable.value for variable in model.non_trainable_variables]

    def loss(p, x, y):
        return cross_entropy(model.stateless_call(p, fixed, x)[0], y)

    return Network(loss, params, (x, classes()))


# PyTorch -------------------------------------------------------------------------------------------------


def of_torch(make, x):
    """`make(torchnets)` gives the module; without PyTorch the test is left out."""
    model = from_torch(make(pytest.importorskip("torchnets", reason="PyTorch is in no extra of CI: .[torch]")), x)
    params = drawn(model.init(jax.random.key(0)))
    return Network(lambda p, x, y: cross_entropy(model.apply(p, x), y), params, (x, classes()))


def torch_cell(kind):
    """A cell of torch.nn that nograd carries over the rows of an image."""
    nets = pytest.importorskip("torchnets", reason="PyTorch is in no extra of CI: .[torch]")
    cell, carry = {
        "gru": (nets.nn.GRUCell, nets.torch.zeros(6)),
        "lstm": (nets.nn.LSTMCell, (nets.torch.zeros(6), nets.torch.zeros(6))),
    }[kind]
    model = build_model(from_torch(nets.Remembering(cell, 4, CLASSES, 6), carry=carry), (4, 4), CLASSES)
    params = drawn(model.init(jax.random.key(0)))
    return Network(lambda p, x, y: cross_entropy(model.apply(p, x), y), params, (IMAGES[..., 0], classes()))


IMAGES = normal(1, BATCH, 4, 4, 2)
FRAMEWORKS: dict[str, Callable[[], Network]] = {
    "linen images": lambda: linen(LinenImages(), IMAGES),
    "linen words": lambda: linen(LinenWords(), tokens()),
    "nnx images": lambda: of_nnx(NnxImages, IMAGES),
    "nnx words": lambda: of_nnx(NnxWords, tokens()),
    "equinox images": lambda: equinox(EquinoxImages, IMAGES),
    "equinox words": lambda: equinox(EquinoxWords, tokens()),
    "keras images": lambda: of_keras(keras_images, IMAGES),
    "keras words": lambda: of_keras(keras_words, tokens()),
    "torch images": lambda: of_torch(lambda nets: nets.convolutional(2, CLASSES, 4), np.moveaxis(IMAGES, -1, 1)),
    "torch words": lambda: of_torch(lambda nets: nets.Words(WORDS, WIDTH, CLASSES), tokens()),
    "torch series": lambda: of_torch(lambda nets: nets.Series(features=4, outputs=CLASSES), IMAGES[..., 0]),
    "torch gru cell": lambda: torch_cell("gru"),
    "torch lstm cell": lambda: torch_cell("lstm"),
    "torch perceptron": lambda: of_torch(lambda nets: nets.perceptron(32, CLASSES), IMAGES),
}
