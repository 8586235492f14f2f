"""Recurrent networks: a cell that carries what it has seen from step to step, and dense layers behind it."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from nograd.core.types import Key, ModelError, Params, PyTree
from nograd.models.base import Builder, Model, Shape
from nograd.models.layers import columns, dense, flat

_LAST = 0.1  # the norm of an output's first weights: the first outputs are small


class _Cell(NamedTuple):
    bias: tuple[float, ...]  # first values, one a gate: a gate is what each unit computes of inputs and state
    carry: Callable[[int], PyTree]  # before the first step, of so many units
    step: Callable[[Params, PyTree, Array], tuple[Array, PyTree]]  # (params, carry, x) -> (state, carry)


def gru(units: int = 32, *hidden: int) -> Builder:
    """h ← (1 − z) ∘ tanh(x Wₙ + bₙ + r ∘ h Uₙ) + z ∘ h, with r, z = σ(x W + h U + b) (Cho et al. 2014, reset after).

    Dense layers follow: h → (Dense(k) → tanh) for k in hidden → Dense(outputs). In an environment h is carried from
    step to step; of examples [time, *features] the outputs are those of the last step.

    Args:
        units: of the cell; h = 0 before the first step.
        hidden: the widths of the hidden layers behind it.
    """
    return _recurrent("gru", _Cell((0.0, 0.0, 0.0), _zeros, _gru), units, hidden)


def lstm(units: int = 32, *hidden: int) -> Builder:
    """c ← σ(f) ∘ c + σ(i) ∘ tanh(g), h ← σ(o) ∘ tanh(c), with i, f, g, o = x W + h U + b (Gers et al. 2000).

    The bias of f begins at 1, so that the cell begins by keeping what it has seen. Dense layers follow, as in `gru`.

    Args:
        units: of the cell; h = c = 0 before the first step.
        hidden: the widths of the hidden layers behind it.
    """
    cell = _Cell((0.0, 1.0, 0.0, 0.0), lambda units: (_zeros(units), _zeros(units)), _lstm)
    return _recurrent("lstm", cell, units, hidden)


def _recurrent(word: str, cell: _Cell, units: int, hidden: tuple[int, ...]) -> Builder:
    spec = f"{word}:{','.join(map(str, (units, *hidden)))}"
    if min([units, *hidden]) < 1:
        raise ModelError(f"{word} widths must be at least 1, got {spec.partition(':')[2]}; try {word}:32")

    def build(shape: Shape, outputs: int) -> Model:
        inputs, widths, gates = int(np.prod(shape)), (units, *hidden, outputs), len(cell.bias) * units

        def init(key: Key) -> Params:
            of_inputs, of_state, *rest = jax.random.split(key, 2 + len(widths) - 1)
            norms = [1.0] * len(hidden) + [_LAST]
            return {
                "inputs": {
                    "kernel": columns(of_inputs, inputs, gates, 1.0),
                    "bias": jnp.repeat(jnp.array(cell.bias, jnp.float32), units),
                },
                "state": {"kernel": columns(of_state, units, gates, 1.0)},
                "head": [
                    {"kernel": columns(one, before, after, norm), "bias": jnp.zeros(after, jnp.float32)}
                    for one, before, after, norm in zip(rest, widths[:-1], widths[1:], norms, strict=True)
                ],
            }

        def apply(
            params: Params, carry: PyTree, x: Float[Array, " batch *features"]
        ) -> tuple[Float[Array, "batch outputs"], PyTree]:
            state, carry = cell.step(params, carry, flat(x))
            for layer in params["head"][:-1]:
                state = jnp.tanh(dense(layer, state))
            return dense(params["head"][-1], state), carry

        return Model(init, apply, initial_carry=lambda: cell.carry(units))

    return Builder(spec, build, of_steps=True)


def _zeros(units: int) -> Float[Array, " units"]:
    return jnp.zeros(units, jnp.float32)


def _gru(params: Params, h: Float[Array, "batch units"], x: Float[Array, "batch inputs"]) -> tuple[Array, Array]:
    of_inputs = jnp.split(dense(params["inputs"], x), 3, axis=-1)
    of_state = jnp.split(h @ params["state"]["kernel"], 3, axis=-1)
    reset, keep = (jax.nn.sigmoid(a + b) for a, b in zip(of_inputs[:2], of_state[:2], strict=True))
    new = jnp.tanh(of_inputs[2] + reset * of_state[2])
    after = (1.0 - keep) * new + keep * h
    return after, after


def _lstm(
    params: Params, carry: tuple[Array, Array], x: Float[Array, "batch inputs"]
) -> tuple[Array, tuple[Array, Array]]:
    h, c = carry
    into, forget, new, out = jnp.split(dense(params["inputs"], x) + h @ params["state"]["kernel"], 4, axis=-1)
    c = jax.nn.sigmoid(forget) * c + jax.nn.sigmoid(into) * jnp.tanh(new)
    h = jax.nn.sigmoid(out) * jnp.tanh(c)
    return h, (h, c)
