"""A network with hard attention: each part of an image looks at one other part, the one with the highest score."""

import math
from collections.abc import Callable
from typing import TypeAlias

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from nograd.core.types import Key, ModelError, Params
from nograd.models.base import Builder, Model, Shape
from nograd.models.layers import dense, flat, init_kernel

SIDE = 4  # patches along each side of an image
TOKENS = SIDE * SIDE

Choose: TypeAlias = Callable[[Float[Array, "batch queries keys"]], Float[Array, "batch queries keys"]]


def hardest(scores: Float[Array, "batch queries keys"]) -> Float[Array, "batch queries keys"]:
    """1 for the key with the highest score, 0 for the others."""
    return jax.nn.one_hot(jnp.argmax(scores, axis=-1), scores.shape[-1], dtype=scores.dtype)


def attention_argmax(width: int = 16, *, choose: Choose = hardest) -> Builder:
    """16 patches → tokens t = ReLU(Dense(patch) + position) → ReLU(t + a) → Dense(classes) of all tokens.

    What token i attends to is aᵢ = V tⱼ with j = argmax of tᵢᵀ M tⱼ: one key, not a mean over all of them. M stands for
    the product of the usual query and key matrices (Vaswani et al. 2017, arXiv 1706.03762).

    Args:
        width: numbers of a token.
        choose: from the scores to the weight of each key. `jax.nn.softmax` gives the differentiable network of the same
            shape, which is not known to the command line.
    """
    if width < 1:
        raise ModelError(f"attention-argmax needs tokens of at least 1 number, got {width}; try attention-argmax:16")

    def build(shape: Shape, classes: int) -> Model:
        if len(shape) not in (2, 3) or min(shape[:2]) < SIDE:
            raise ModelError(
                f"attention-argmax needs images [height, width] or [height, width, channels] of at least {SIDE} × "
                f"{SIDE} pixels, got examples of shape {shape}; use mlp:128"
            )
        pixels = math.prod(-(-size // SIDE) for size in shape[:2]) * math.prod(shape[2:])

        def init(key: Key) -> Params:
            keys = jax.random.split(key, 4)
            tokens = init_kernel(keys[0], (pixels, width))
            return {
                "tokens": {"kernel": tokens["kernel"], "position": jnp.zeros((TOKENS, width), jnp.float32)},
                "scores": init_kernel(keys[1], (width, width))["kernel"],
                "values": init_kernel(keys[2], (width, width))["kernel"],
                "outputs": init_kernel(keys[3], (TOKENS * width, classes)),
            }

        def apply(params: Params, x: Float[Array, "batch height width ..."]) -> Float[Array, "batch classes"]:
            tokens = jax.nn.relu(patches(x) @ params["tokens"]["kernel"] + params["tokens"]["position"])
            scores = (tokens @ params["scores"]) @ jnp.swapaxes(tokens, 1, 2)
            attended = choose(scores / math.sqrt(width)) @ (tokens @ params["values"])
            return dense(params["outputs"], flat(jax.nn.relu(tokens + attended)))

        return Model(init, apply)

    return Builder(f"attention-argmax:{width}" if choose is hardest else None, build)


def patches(x: Float[Array, "batch height width ..."]) -> Float[Array, "batch tokens pixels"]:
    """An image cut into 4 × 4 patches; zeros are added below and to the right where its sides are no multiples of 4."""
    x = x.reshape(*x.shape[:3], -1)
    batch, height, width, channels = x.shape
    tall, wide = -(-height // SIDE), -(-width // SIDE)
    x = jnp.pad(x, ((0, 0), (0, tall * SIDE - height), (0, wide * SIDE - width), (0, 0)))
    x = x.reshape(batch, SIDE, tall, SIDE, wide, channels)
    return jnp.transpose(x, (0, 1, 3, 2, 4, 5)).reshape(batch, TOKENS, -1)
