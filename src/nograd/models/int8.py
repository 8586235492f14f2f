"""A network whose forward pass knows 255 values a number: weights and activations are rounded to int8."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from nograd.core.types import Params
from nograd.models.base import Builder, Model, Shape
from nograd.models.layers import chain_spec, flat, init_layers, widths_of
from nograd.models.straight_through import straight_through

_LARGEST = 127  # symmetric int8: −128 is not used


def _scale(largest: Array) -> Array:
    """The step of a rounding whose largest value becomes ±127. All zeros are rounded to zeros by any step."""
    return jnp.where(largest > 0, largest, 1) / _LARGEST


def round_weights(weights: Float[Array, "inputs units"]) -> Float[Array, "inputs units"]:
    """s · round(W / s) with s = max|w| / 127 over each column (one output unit)."""
    scale = _scale(jnp.max(jnp.abs(weights), axis=0, keepdims=True))
    return jnp.round(weights / scale) * scale


def round_activations(
    x: Float[Array, "batch inputs"],
) -> tuple[Float[Array, "batch inputs"], Float[Array, "batch 1"]]:
    """(round(x / s), s) with s = max|x| / 127 over each example: integers of −127..127, and their step."""
    scale = _scale(jnp.max(jnp.abs(x), axis=-1, keepdims=True))
    return jnp.round(x / scale), scale


_marked = straight_through(round_weights)


def dense_int8(layer: dict[str, Array], x: Float[Array, "batch inputs"]) -> Float[Array, "batch units"]:
    """s_x · (round(x / s_x) · s_W round(W / s_W)) + b.

    Float32 does the arithmetic: integers of −127..127 are exact in it, a weight is such an integer times the
    step of its column, and the step of x is put back after the product. The outputs are those of int8 hardware
    that adds up in int32 and rescales in float32, but for the rounding of that sum (about 1e-6 of it).
    """
    integers, scale = round_activations(x)
    return (integers @ _marked(layer["kernel"])) * scale + layer["bias"]


def mlp_int8(*hidden: int) -> Builder:
    """x → (Dense(h) in int8 → ReLU) for h in hidden → Dense(classes) in int8. Biases stay float32.

    The parameters are the weights before rounding: Glorot-uniform, biases zero. Their rounding is marked
    `nograd.straight_through`, so that perturbations smaller than a step count where the walkers of
    `perturbations` evaluate; the rounding of activations is part of the function and needs no mark.
    """

    def build(shape: Shape, classes: int) -> Model:
        widths = widths_of(shape, hidden, classes)

        def apply(params: Params, x: Float[Array, " batch *features"]) -> Float[Array, "batch classes"]:
            x = flat(x)
            for layer in params[:-1]:
                x = jax.nn.relu(dense_int8(layer, x))
            return dense_int8(params[-1], x)

        return Model(lambda key: init_layers(key, widths), apply)

    return Builder(chain_spec("mlp-int8", hidden), build)
