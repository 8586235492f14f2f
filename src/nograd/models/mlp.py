"""The networks that have a gradient: chains of dense layers, the blog's, a small convolutional one."""

from collections.abc import Callable
from typing import TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from nograd.core.types import Key, ModelError, Params
from nograd.models.base import Builder, Model, Shape
from nograd.models.layers import chain_spec, conv, dense, flat, init_kernel, init_layers, pool, widths_of

Activation: TypeAlias = Callable[[Array], Array]


def mlp(*hidden: int, activation: Activation = jax.nn.relu) -> Builder:
    """x → (Dense(h) → activation) for h in hidden → Dense(classes). Glorot-uniform weights, zero biases.

    Args:
        hidden: the widths of the hidden layers; none gives multinomial logistic regression.
        activation: any function of an array, with a derivative or without.
    """
    spec = chain_spec("mlp", hidden)

    def build(shape: Shape, classes: int) -> Model:
        widths = widths_of(shape, hidden, classes)

        def apply(params: Params, x: Float[Array, " batch *features"]) -> Float[Array, "batch classes"]:
            x = flat(x)
            for layer in params[:-1]:
                x = activation(dense(layer, x))
            return dense(params[-1], x)

        return Model(lambda key: init_layers(key, widths), apply)

    return Builder(spec if activation is jax.nn.relu else None, build)


def mlp_linear(*hidden: int) -> Builder:
    """x → x W + b + (Dense(h) → ReLU for h in hidden → V): a linear network, and a nonlinear one that is added to it.

    W, b and V begin at 0, so all outputs begin at 0. On few examples it learns a linear model, and the nonlinear part
    adds to it as far as the data require (Cheng et al. 2016, arXiv 1606.07792).

    Args:
        hidden: the widths of the nonlinear part; none leaves the linear one.
    """
    spec = chain_spec("mlp-linear", hidden)

    def build(shape: Shape, classes: int) -> Model:
        inputs = int(np.prod(shape))

        def init(key: Key) -> Params:
            linear = {"kernel": jnp.zeros((inputs, classes), jnp.float32), "bias": jnp.zeros(classes, jnp.float32)}
            if not hidden:
                return {"linear": linear}
            last = {"kernel": jnp.zeros((hidden[-1], classes), jnp.float32)}
            return {"linear": linear, "hidden": [*init_layers(key, [inputs, *hidden]), last]}

        def apply(params: Params, x: Float[Array, " batch *features"]) -> Float[Array, " batch classes"]:
            x = flat(x)
            outputs = dense(params["linear"], x)
            if not hidden:
                return outputs
            for layer in params["hidden"][:-1]:
                x = jax.nn.relu(dense(layer, x))
            return outputs + x @ params["hidden"][-1]["kernel"]

        return Model(init, apply)

    return Builder(spec, build)


def linear2() -> Builder:
    """x → Dense(inputs), no activation → Dense(classes): the blog's network, 623,290 parameters on MNIST."""

    def build(shape: Shape, classes: int) -> Model:
        return mlp(int(np.prod(shape)), activation=lambda x: x)(shape, classes)

    return Builder("linear2", build)


def cnn() -> Builder:
    """Conv 5×5×8, ReLU, pool 2 → Conv 5×5×16, ReLU, pool 2 → Dense(classes): 11,274 parameters on MNIST."""

    def build(shape: Shape, classes: int) -> Model:
        if len(shape) not in (2, 3) or min(shape[:2]) < 4:
            raise ModelError(
                f"cnn needs images [height, width] or [height, width, channels] of at least 4 × 4 pixels, "
                f"got examples of shape {shape}; use mlp:128"
            )
        height, width, channels = (*shape, 1)[:3]
        features = (height // 4) * (width // 4) * 16

        def init(key: Key) -> Params:
            keys = jax.random.split(key, 3)
            return {
                "conv1": init_kernel(keys[0], (5, 5, channels, 8)),
                "conv2": init_kernel(keys[1], (5, 5, 8, 16)),
                "dense": init_kernel(keys[2], (features, classes)),
            }

        def apply(params: Params, x: Float[Array, "batch height width ..."]) -> Float[Array, "batch classes"]:
            x = x.reshape(x.shape[0], height, width, channels)
            for name in ("conv1", "conv2"):
                x = pool(jax.nn.relu(conv(params[name], x)))
            return dense(params["dense"], flat(x))

        return Model(init, apply)

    return Builder("cnn", build)
