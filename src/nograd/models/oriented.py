"""A network for images: fixed oriented filters, followed by dense layers that are trained."""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from nograd.core.types import Key, ModelError, Params
from nograd.models.base import Builder, Model, Shape
from nograd.models.layers import dense, init_layers

SIZE = 7  # pixels of a filter's side
STRIDE = 2  # pixels between its places
POOL = 2  # places of a pooled block's side
_BLOCK = STRIDE * POOL  # pixels


def oriented_filters(count: int) -> Float[np.ndarray, "size size count"]:
    """Gabor functions exp(−(x² + y²) / 2s²) cos(2π (x cos θ + y sin θ) / λ + φ) at `count` angles θ.

    Each has mean 0 and norm 1. Edges (φ = π/2) and lines (φ = 0) alternate, and the wavelength λ goes through 4 to
    8 pixels: simple cells of the visual cortex (Daugman 1985). Nothing about them is random or learned.
    """
    axis = np.arange(SIZE) - (SIZE - 1) / 2
    down, right = np.meshgrid(axis, axis, indexing="ij")
    window = np.exp(-(down**2 + right**2) / (2 * (SIZE / 4) ** 2))
    filters = []
    for index in range(count):
        angle, phase = 2 * math.pi * index / count, math.pi / 2 * (index % 2 == 0)
        wavelength = 4 + 4 * (index * 0.618034 % 1)  # the golden ratio: no two near angles have near wavelengths
        wave = np.cos(2 * math.pi * (right * math.cos(angle) + down * math.sin(angle)) / wavelength + phase)
        filters.append(_normalised(window * wave))
    return np.stack(filters, axis=-1).astype(np.float32)


def oriented(filters: int = 32, *hidden: int) -> Builder:
    """Oriented filters at every second pixel → ReLU → mean of 2×2 → (Dense(h) → ReLU) for h in hidden → Dense(classes).

    The filters have no parameters: what comes out of them is the same for the whole population, and is computed
    once an example however many members look at it.

    Args:
        filters: how many angles; an image of 28×28 makes 49 features of each.
        hidden: widths of the hidden layers behind them.
    """
    if min([filters, *hidden]) < 1:
        raise ModelError(f"oriented widths must be at least 1, got {','.join(map(str, (filters, *hidden)))}")

    def build(shape: Shape, classes: int) -> Model:
        if len(shape) not in (2, 3) or shape[2:] not in ((), (1,)) or min(shape[:2]) < _BLOCK:
            raise ModelError(
                f"oriented needs grey images [height, width] of at least {_BLOCK} × {_BLOCK} pixels, "
                f"got examples of shape {shape}; use mlp:128"
            )
        height, width = shape[:2]
        features = (height // _BLOCK) * (width // _BLOCK) * filters
        kernel = _block_kernel(oriented_filters(filters))

        def apply(params: Params, x: Float[Array, "batch height width ..."]) -> Float[Array, "batch classes"]:
            x = _seen(x.reshape(x.shape[0], height, width), kernel).reshape(x.shape[0], features)
            for layer in params[:-1]:
                x = jax.nn.relu(dense(layer, x))
            return dense(params[-1], x)

        def init(key: Key) -> Params:
            return init_layers(key, [features, *hidden, classes])

        return Model(init, apply)

    return Builder("oriented:" + ",".join(map(str, (filters, *hidden))), build)


def _block_kernel(filters: Float[np.ndarray, "size size count"]) -> Float[np.ndarray, "pixels features"]:
    """The filters at the POOL × POOL places of a pooled block, over the pixels that they see together."""
    side, count = SIZE + STRIDE * (POOL - 1), filters.shape[-1]
    kernel = np.zeros((side, side, POOL, POOL, count), filters.dtype)
    for down in range(POOL):
        for right in range(POOL):
            y, x = STRIDE * down, STRIDE * right
            kernel[y : y + SIZE, x : x + SIZE, down, right] = filters
    return kernel.reshape(side * side, -1)


def _seen(
    x: Float[Array, "batch height width"], kernel: Float[np.ndarray, "pixels features"]
) -> Float[Array, "batch rows columns filters"]:
    """The filters' outputs for one pooled block at a time: one product with the patches of x.

    A patch for each block, not for each place: its zeros make 1.7 times as many FLOPs of 2.4 times fewer copies,
    which takes half the time, and a tenth of that of XLA's convolution on a CPU.
    """
    rows, columns = (size // _BLOCK for size in x.shape[1:])
    side = math.isqrt(kernel.shape[0])
    padded = jnp.pad(x, ((0, 0), (SIZE // 2, SIZE // 2), (SIZE // 2, SIZE // 2)))
    bands = jnp.stack([padded[:, at * _BLOCK : at * _BLOCK + side] for at in range(rows)], axis=1)
    patches = jnp.stack([bands[..., at * _BLOCK : at * _BLOCK + side] for at in range(columns)], axis=2)
    seen = jax.nn.relu(patches.reshape(*patches.shape[:3], -1) @ kernel)
    return seen.reshape(*seen.shape[:3], POOL * POOL, -1).mean(3)


def _normalised(filter_: np.ndarray) -> np.ndarray:
    centred = filter_ - filter_.mean()
    return centred / np.linalg.norm(centred)
