"""Minibatches of examples on the device, and the outputs of a network block by block."""

from functools import partial
from typing import Any, Literal, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int

from nograd.core.text import did_you_mean
from nograd.core.types import ConfigError, Params
from nograd.data import Dataset
from nograd.models import Model

Split: TypeAlias = Literal["train", "val", "test"]

_EVALUATION_BLOCK = 250  # examples: what a network makes of so many stays in the caches of a core


class Arrays(NamedTuple):
    """The training examples on the device. Images stay uint8 until a batch is drawn."""

    x: Array  # [examples, *input]
    y: Array  # [examples, ...]: int32 [examples] for classes
    offset: Array
    scale: Array


class ExampleIndices(NamedTuple):
    """The examples of a minibatch, by number, so that examples are read only where they are needed."""

    rows: Int[Array, " batch"]
    corners: Int[Array, "batch 2"] | None  # where the window of each image starts, with a shift


def shifted(x: Array, corners: Int[Array, "batch 2"], most: int) -> Array:
    """Each image moved by its own whole number of pixels, −most..most down and right; zeros come in.

    Args:
        x: images [batch, height, width, ...].
        corners: where each image's window starts in the padded one, 0..2 · most.
        most: pixels.
    """
    rest = ((0, 0),) * (x.ndim - 3)
    padded = jnp.pad(x, ((0, 0), (most, most), (most, most), *rest))
    size = x.shape[1:]
    return jax.vmap(lambda image, at: jax.lax.dynamic_slice(image, (*at, *(0,) * len(rest)), size))(padded, corners)


def model_input(x: Array, offset: Array, scale: Array) -> Array:
    """(x − offset) · scale in float32: what the network sees of stored examples."""
    return (x.astype(jnp.float32) - offset) * scale


@partial(jax.jit, static_argnums=0)
def _outputs(apply: Any, params: Params, x: Array, offset: Array, scale: Array) -> Array:
    return apply(params, model_input(x, offset, scale))


def predict(model: Model, params: Params, x: np.ndarray, offset: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """The network's outputs [examples, classes] for stored examples, block by block."""
    blocks = [
        np.asarray(_outputs(model.apply, params, x[start : start + _EVALUATION_BLOCK], offset, scale))
        for start in range(0, len(x), _EVALUATION_BLOCK)
    ]
    return np.concatenate(blocks)


def split_arrays(dataset: Dataset, split: Split) -> tuple[np.ndarray, np.ndarray]:
    """(x, y) of one split."""
    return getattr(dataset, f"x_{split}"), getattr(dataset, f"y_{split}")


def known_split(name: str) -> Split:
    """The split of this name. Raises ConfigError for any other."""
    for split in ("train", "val", "test"):
        if name == split:
            return split
    raise ConfigError(f"unknown split {name!r}{did_you_mean(name, ('train', 'val', 'test'))}")


def target_shapes(dataset: Dataset, batch: int) -> jax.ShapeDtypeStruct:
    """The targets of a minibatch, as JAX holds them."""
    y = dataset.y_train
    return jax.ShapeDtypeStruct((batch, *y.shape[1:]), jax.dtypes.canonicalize_dtype(y.dtype))
