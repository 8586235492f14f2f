"""GRU, LSTM and plain recurrent layers: a loop over time, with the products of the inputs taken out of it."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
from jaxtyping import Array

from nograd.models.adapters.aten.layers import linear

# (carry, x Wᵀ + b of this step, W of the carry, its b) -> the next carry; its first array is the output.
Carry: TypeAlias = tuple[Array, ...]
Cell: TypeAlias = Callable[[Carry, Array, Array, Array | None], Carry]


class _Weights(NamedTuple):
    """The weights of one layer in one direction."""

    inputs: Array  # [gates × width, features]
    carry: Array  # [gates × width, width]
    inputs_bias: Array | None  # [gates × width]
    carry_bias: Array | None


def _gru_cell(carry: Carry, from_input: Array, weight: Array, bias: Array | None) -> Carry:
    """h' = (1 - z) n + z h with n = tanh(i_n + r h_n): PyTorch's order r, z, n and its reset after the product."""
    (h,) = carry
    i_reset, i_update, i_new = jnp.split(from_input, 3, -1)
    h_reset, h_update, h_new = jnp.split(linear(h, weight, bias), 3, -1)
    reset, update = jax.nn.sigmoid(i_reset + h_reset), jax.nn.sigmoid(i_update + h_update)
    new = jnp.tanh(i_new + reset * h_new)
    return (new + update * (h - new),)


def _lstm_cell(carry: Carry, from_input: Array, weight: Array, bias: Array | None) -> Carry:
    """c' = f c + i g, h' = o tanh(c'): PyTorch's order i, f, g, o."""
    h, c = carry
    enter, forget, new, out = jnp.split(from_input + linear(h, weight, bias), 4, -1)
    c = jax.nn.sigmoid(forget) * c + jax.nn.sigmoid(enter) * jnp.tanh(new)
    return jax.nn.sigmoid(out) * jnp.tanh(c), c


def _plain_cell(activation: Callable[[Array], Array]) -> Cell:
    def cell(carry: Carry, from_input: Array, weight: Array, bias: Array | None) -> Carry:
        return (activation(from_input + linear(carry[0], weight, bias)),)

    return cell


def _layer(cell: Cell, x: Array, carry: Carry, weights: _Weights, backwards: bool) -> tuple[Array, Carry]:
    """(outputs [time, batch, width], the last carry) of x [time, batch, features]."""

    def step(carry: Carry, from_input: Array) -> tuple[Carry, Array]:
        carry = cell(carry, from_input, weights.carry, weights.carry_bias)
        return carry, carry[0]

    last, outputs = jax.lax.scan(step, carry, linear(x, weights.inputs, weights.inputs_bias), reverse=backwards)
    return outputs, last


def _network(cell: Cell) -> Callable[..., tuple[Array, Carry]]:
    """(outputs, last carries [layers × directions, batch, width]) of a stack of layers."""

    def run(
        x: Array,
        carries: Carry,
        weights: Sequence[Array],
        has_bias: bool,
        layers: int,
        dropout: float,
        train: bool,
        both_ways: bool,
        batch_first: bool,
    ) -> tuple[Array, Carry]:
        each = 4 if has_bias else 2
        directions = 2 if both_ways else 1
        if len(weights) != each * layers * directions:
            raise NotImplementedError("recurrent layers with proj_size have no rule")
        x = x.swapaxes(0, 1) if batch_first else x
        lasts = []
        for layer in range(layers):
            outputs = []
            for direction in range(directions):
                at = layer * directions + direction
                own = weights[at * each : (at + 1) * each]
                start = tuple(carry[at] for carry in carries)
                y, last = _layer(cell, x, start, _Weights(*own, *(None,) * (4 - each)), direction == 1)
                outputs.append(y)
                lasts.append(last)
            x = jnp.concatenate(outputs, -1) if both_ways else outputs[0]
        return (x.swapaxes(0, 1) if batch_first else x), tuple(map(jnp.stack, zip(*lasts, strict=True)))

    return run


def _of_one(cell: Cell) -> Callable[..., tuple[Array, Array]]:
    """A network whose carry is one array."""
    network = _network(cell)

    def run(x: Array, carry: Array, *arguments: Any) -> tuple[Array, Array]:
        outputs, (last,) = network(x, (carry,), *arguments)
        return outputs, last

    return run


def _lstm(x: Array, carries: Sequence[Array], *arguments: Any) -> tuple[Array, Array, Array]:
    outputs, (h, c) = _network(_lstm_cell)(x, tuple(carries), *arguments)
    return outputs, h, c


RULES: dict[str, Callable[..., Any]] = {
    "gru.input": _of_one(_gru_cell),
    "lstm.input": _lstm,
    "rnn_relu.input": _of_one(_plain_cell(jax.nn.relu)),
    "rnn_tanh.input": _of_one(_plain_cell(jnp.tanh)),
}
