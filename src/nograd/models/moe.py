"""A hard mixture of experts: a router sends each example to one small network, and only its output counts."""

from collections.abc import Callable
from typing import TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from nograd.core.types import Key, ModelError, Params
from nograd.models.base import Builder, Model, Shape
from nograd.models.layers import dense, flat, init_kernel

Gate: TypeAlias = Callable[[Float[Array, "batch experts"]], Float[Array, "batch experts"]]


def top_one(scores: Float[Array, "batch experts"]) -> Float[Array, "batch experts"]:
    """1 for the expert with the highest score, 0 for the others."""
    return jax.nn.one_hot(jnp.argmax(scores, axis=-1), scores.shape[-1], dtype=scores.dtype)


def moe_hard(experts: int = 8, hidden: int = 64, *, gate: Gate = top_one) -> Builder:
    """x → Dense(experts) → the expert e with the highest score; x → Dense_e(hidden) → ReLU → Dense_e(classes).

    The score of an expert decides which one is used, and nothing else: no output is multiplied by it, so the router has
    no gradient (Shazeer et al. 2017, arXiv 1701.06538, multiply by it to have one).

    Args:
        experts: E, the number of experts.
        hidden: units of each expert.
        gate: from the router's scores to the weight of each expert. `jax.nn.softmax` gives the differentiable network
            of the same shape, which is not known to the command line.
    """
    if min(experts, hidden) < 1:
        raise ModelError(f"moe-hard needs at least 1 expert of 1 unit, got {experts},{hidden}; try moe-hard:8,64")

    def build(shape: Shape, classes: int) -> Model:
        inputs = int(np.prod(shape))

        def init(key: Key) -> Params:
            router, first, last = jax.random.split(key, 3)
            return {
                "router": init_kernel(router, (inputs, experts)),
                "hidden": _side_by_side(first, (inputs, hidden), experts),
                "outputs": _side_by_side(last, (hidden, classes), experts),
            }

        def apply(params: Params, x: Float[Array, " batch *features"]) -> Float[Array, "batch classes"]:
            x = flat(x)
            share = gate(dense(params["router"], x))
            hidden_of = dense(params["hidden"], x).reshape(-1, experts, hidden)
            if gate is top_one:
                # Chosen before the ReLU: node perturbation then disturbs the units of one expert, not those of all.
                outputs_of = dense(params["outputs"], jax.nn.relu(_mixed(share, hidden_of)))
                return _mixed(share, outputs_of.reshape(-1, experts, classes))
            kernel, bias = params["outputs"]["kernel"], params["outputs"]["bias"]
            own = jnp.einsum("beh,hec->bec", jax.nn.relu(hidden_of), kernel.reshape(hidden, experts, classes))
            return _mixed(share, own + bias.reshape(experts, classes))

        return Model(init, apply)

    return Builder(f"moe-hard:{experts},{hidden}" if gate is top_one else None, build)


def _mixed(
    share: Float[Array, "batch experts"], values: Float[Array, "batch experts width"]
) -> Float[Array, "batch width"]:
    """The values of each example, weighted by the experts' shares."""
    return jnp.sum(share[:, :, None] * values, axis=1)


def _side_by_side(key: Key, shape: Shape, experts: int) -> dict[str, Array]:
    """One layer of every expert, each with first weights as if it were alone: [inputs, experts × units]."""
    keys = jax.random.split(key, experts)
    kernel = jnp.concatenate([init_kernel(own, shape)["kernel"] for own in keys], axis=1)
    return {"kernel": kernel, "bias": jnp.zeros(experts * shape[1], jnp.float32)}
