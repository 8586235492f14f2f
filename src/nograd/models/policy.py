"""The policy networks that words of the command line name."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from nograd.core.types import Key, Params
from nograd.models.base import Builder, Model, Shape
from nograd.models.layers import chain_spec, columns, dense, flat, widths_of

_LAST = 0.01  # the norm of an output's first weights: the first actions are small


def policy_mlp(*hidden: int) -> Builder:
    """x → (Dense(h) → tanh) for h in hidden → Dense(outputs); the first weights of a unit are a random unit vector.

    The last layer's are a hundredth of that, as in the code of Salimans et al. 2017. Biases are 0.
    """

    def build(shape: Shape, outputs: int) -> Model:
        widths = widths_of(shape, hidden, outputs)

        def init(key: Key) -> Params:
            keys, norms = jax.random.split(key, len(widths) - 1), [1.0] * len(hidden) + [_LAST]
            return [
                {"kernel": columns(one, before, after, norm), "bias": jnp.zeros(after, jnp.float32)}
                for one, before, after, norm in zip(keys, widths[:-1], widths[1:], norms, strict=True)
            ]

        def apply(params: Params, x: Float[Array, " batch *features"]) -> Float[Array, "batch outputs"]:
            x = flat(x)
            for layer in params[:-1]:
                x = jnp.tanh(dense(layer, x))
            return dense(params[-1], x)

        return Model(init, apply)

    return Builder(chain_spec("mlp", hidden), build)


def linear_policy() -> Builder:
    """x → x W, from W = 0: the policy of Mania, Guy & Recht 2018."""

    def build(shape: Shape, outputs: int) -> Model:
        inputs, _ = widths_of(shape, (), outputs)
        return Model(
            lambda key: {"kernel": jnp.zeros((inputs, outputs), jnp.float32)},
            lambda params, x: flat(x) @ params["kernel"],
        )

    return Builder("linear", build)
