"""The convolutional policy of Atari, with virtual batch normalisation (Salimans et al. 2016, arXiv 1606.03498)."""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from nograd.core.types import Key, ModelError, Params
from nograd.models.base import Builder, Model, Shape
from nograd.models.layers import columns, flat

_EPSILON = 1e-5  # added to a variance
_LEAST = 20  # pixels a side, that two strided layers take


class BatchStatistics(NamedTuple):
    """Mean and scale of a layer's units on the reference batch, before the activation."""

    mean: Float[Array, " units"]
    scale: Float[Array, " units"]  # 1/√(variance + ε)


def atari() -> Builder:
    """Conv 8×8×16/4 → Conv 4×4×32/2 → Dense 256 → Dense(outputs), the network of Mnih et al. 2016 with ReLU.

    Each hidden layer y is normalised as g (y − m)/√(v + ε) + b, with the mean m and variance v of the same layer, with
    the same weights, on a reference batch that was drawn once: without it, perturbed weights hardly ever change an
    action (Salimans et al. 2017, section 2.2).
    """

    def build(shape: Shape, outputs: int) -> Model:
        height, width, channels = _image(shape)
        wide = [((side - side % 4) // 4 - 1) // 2 - 1 for side in (height, width)]

        def init(key: Key) -> Params:
            keys = jax.random.split(key, 4)
            kernels = ((8, 8, channels, 16), (4, 4, 16, 32), (wide[0] * wide[1] * 32, 256))
            hidden = [
                {
                    "kernel": columns(one, math.prod(kernel[:-1]), kernel[-1], 1.0).reshape(kernel),
                    "gain": jnp.ones(kernel[-1], jnp.float32),
                    "bias": jnp.zeros(kernel[-1], jnp.float32),
                }
                for one, kernel in zip(keys[:3], kernels, strict=True)
            ]
            return {
                "hidden": hidden,
                "last": {"kernel": columns(keys[3], 256, outputs, 0.1), "bias": jnp.zeros(outputs, jnp.float32)},
            }

        def layers(
            params: Params, x: Array, statistics: list[BatchStatistics] | None
        ) -> tuple[Array, list[BatchStatistics]]:
            """The last hidden layer, and the statistics of all of them: of x itself where none are given."""
            x, used = _channels_last(x, shape), []
            for number, (layer, stride) in enumerate(zip(params["hidden"], (4, 2, 0), strict=True)):
                y = _strided(x, stride, layer["kernel"]) if stride else flat(x) @ layer["kernel"]
                own = statistics[number] if statistics else _statistics(y)
                x = jax.nn.relu(layer["gain"] * (y - own.mean) * own.scale + layer["bias"])
                used.append(own)
            return x, used

        def apply(
            given: tuple[Params, list[BatchStatistics]], x: Float[Array, " batch *shape"]
        ) -> Float[Array, "batch outputs"]:
            params, statistics = given
            return layers(params, x, statistics)[0] @ params["last"]["kernel"] + params["last"]["bias"]

        return Model(init, apply, lambda params, reference: layers(params, reference, None)[1])

    return Builder("atari", build)


def _strided(
    x: Float[Array, "batch height width channels"], stride: int, kernel: Float[Array, "height width channels units"]
) -> Float[Array, "batch rows columns units"]:
    return jax.lax.conv_general_dilated(
        x, kernel, (stride, stride), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


def _statistics(y: Array) -> BatchStatistics:
    """The statistics over the batch and over the positions in an image."""
    rows = y.reshape(-1, y.shape[-1])
    return BatchStatistics(jnp.mean(rows, 0), jax.lax.rsqrt(jnp.var(rows, 0) + _EPSILON))


def _image(shape: Shape) -> tuple[int, int, int]:
    """Height, width and channels, which may come first. Raises ModelError where it is no image."""
    if len(shape) == 3:
        height, width, channels = (*shape[1:], shape[0]) if shape[0] < shape[2] else shape
        if min(height, width) >= _LEAST:
            return height, width, channels
    raise ModelError(f"atari needs images of at least {_LEAST} pixels a side, got observations {shape}; use mlp:64,64")


def _channels_last(x: Array, shape: Shape) -> Array:
    return jnp.moveaxis(x, 1, -1) if shape[0] < shape[2] else x
