"""Layers with parameters, and attention. PyTorch's layouts: channels are the second axis, a weight is [out, in, …]."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array


def linear(x: Array, weight: Array, bias: Array | None = None) -> Array:
    """x Wᵀ + b, without a transposed copy of W [out, in]."""
    y = jax.lax.dot_general(x, weight, (((x.ndim - 1,), (1,)), ((), ())))
    return y if bias is None else y + bias


def _embedding(weight: Array, tokens: Array, *unused: Any) -> Array:
    """Rows of the table [words, width]. A padding index concerns gradients alone."""
    return jnp.take(weight, tokens, axis=0)


# Convolutions --------------------------------------------------------------------------------------------


def _convolution(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    stride: Sequence[int] = (1,),
    padding: Sequence[int] | str = (0,),
    dilation: Sequence[int] = (1,),
    groups: int = 1,
) -> Array:
    """x [batch, in, …] with weight [out, in / groups, …]."""
    axes = weight.ndim - 2
    if isinstance(padding, str):
        pads = [_same_padding(size, step) for size, step in zip(weight.shape[2:], _each(dilation, axes), strict=True)]
        pads = pads if padding == "same" else [(0, 0)] * axes
    else:
        pads = [(width, width) for width in _each(padding, axes)]
    y = jax.lax.conv_general_dilated(
        x,
        weight,
        _each(stride, axes),
        pads,
        rhs_dilation=_each(dilation, axes),
        dimension_numbers=_layout(axes),
        feature_group_count=groups,
    )
    return _with_bias(y, bias)


def _any_convolution(
    x: Array,
    weight: Array,
    bias: Array | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
    output_padding: Sequence[int],
    groups: int,
) -> Array:
    if not transposed:
        return _convolution(x, weight, bias, stride, padding, dilation, groups)
    return _transposed(x, weight, bias, stride, padding, dilation, output_padding, groups)


def _transposed(
    x: Array,
    weight: Array,
    bias: Array | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    output_padding: Sequence[int],
    groups: int,
) -> Array:
    """The transpose of a convolution: x spread by its stride, with the mirrored weight [in, out / groups, …]."""
    axes = weight.ndim - 2
    steps, widths, more = (_each(values, axes) for values in (dilation, padding, output_padding))
    reach = [step * (size - 1) for step, size in zip(steps, weight.shape[2:], strict=True)]
    pads = [(r - w, r - w + m) for r, w, m in zip(reach, widths, more, strict=True)]
    grouped = weight.reshape(groups, weight.shape[0] // groups, *weight.shape[1:]).swapaxes(1, 2)
    kernel = jnp.flip(grouped.reshape(-1, *grouped.shape[2:]), tuple(range(2, weight.ndim)))
    y = jax.lax.conv_general_dilated(
        x,
        kernel,
        (1,) * axes,
        pads,
        lhs_dilation=_each(stride, axes),
        rhs_dilation=steps,
        dimension_numbers=_layout(axes),
        feature_group_count=groups,
    )
    return _with_bias(y, bias)


def _same_padding(size: int, dilation: int) -> tuple[int, int]:
    total = dilation * (size - 1)
    return total // 2, total - total // 2


def _each(values: Sequence[int] | int, axes: int) -> tuple[int, ...]:
    """A value for each axis; one value stands for all of them."""
    values = (values,) if isinstance(values, int) else tuple(values)
    return values * axes if len(values) == 1 else values


def _layout(axes: int) -> tuple[str, str, str]:
    spatial = "DHW"[3 - axes :]
    return f"NC{spatial}", f"OI{spatial}", f"NC{spatial}"


def _with_bias(y: Array, bias: Array | None) -> Array:
    return y if bias is None else y + bias.reshape(-1, *[1] * (y.ndim - 2))


# Norms ---------------------------------------------------------------------------------------------------


def _normalized(x: Array, axes: tuple[int, ...], epsilon: float) -> Array:
    """(x - mean) / √(variance + ε) over these axes."""
    centred = x - x.mean(axes, keepdims=True)
    return centred * jax.lax.rsqrt((centred**2).mean(axes, keepdims=True) + epsilon)


def _scaled(y: Array, weight: Array | None, bias: Array | None) -> Array:
    y = y if weight is None else y * weight
    return y if bias is None else y + bias


def _by_channel(y: Array, weight: Array | None, bias: Array | None) -> Array:
    shape = (-1, *[1] * (y.ndim - 2))
    return _scaled(y, *(None if part is None else part.reshape(shape) for part in (weight, bias)))


def _layer_norm(
    x: Array,
    shape: Sequence[int],
    weight: Array | None = None,
    bias: Array | None = None,
    epsilon: float = 1e-5,
    *unused: Any,
) -> Array:
    return _scaled(_normalized(x, tuple(range(-len(shape), 0)), epsilon), weight, bias)


def _group_norm(
    x: Array,
    groups: int,
    weight: Array | None = None,
    bias: Array | None = None,
    epsilon: float = 1e-5,
    *unused: Any,
) -> Array:
    grouped = x.reshape(x.shape[0], groups, -1)
    return _by_channel(_normalized(grouped, (2,), epsilon).reshape(x.shape), weight, bias)


def _instance_norm(
    x: Array,
    weight: Array | None,
    bias: Array | None,
    mean: Array | None,
    variance: Array | None,
    from_input: bool,
    momentum: float,
    epsilon: float,
    *unused: Any,
) -> Array:
    if mean is None or variance is None:
        return _by_channel(_normalized(x, tuple(range(2, x.ndim)), epsilon), weight, bias)
    if from_input:
        raise NotImplementedError("an instance norm that tracks statistics has no rule; pass frozen=True")
    return _stored_norm(x, weight, bias, mean, variance, momentum, epsilon)[0]


def _stored_norm(
    x: Array, weight: Array | None, bias: Array | None, mean: Array, variance: Array, momentum: float, epsilon: float
) -> tuple[Array, Array, Array]:
    """Batch norm with its stored statistics; PyTorch's operation also returns two empty arrays."""
    shape = (-1, *[1] * (x.ndim - 2))
    y = (x - mean.reshape(shape)) * jax.lax.rsqrt(variance.reshape(shape) + epsilon)
    return _by_channel(y, weight, bias), jnp.zeros(0), jnp.zeros(0)


# Attention -----------------------------------------------------------------------------------------------


def _attention(
    query: Array,
    key: Array,
    value: Array,
    mask: Array | None = None,
    dropout: float = 0.0,
    is_causal: bool = False,
    *,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Array:
    """softmax(q kᵀ / √width + mask) v; a query that may attend to nothing gets 0, as in PyTorch.

    Args:
        query: [..., queries, width].
        key: [..., keys, width].
        value: [..., keys, features].
        mask: [..., queries, keys]: added to the scores, or booleans that say what may be attended to.
    """
    if enable_gqa:  # fewer heads of keys than of queries
        key, value = (jnp.repeat(x, query.shape[-3] // x.shape[-3], axis=-3) for x in (key, value))
    scores = (query @ key.swapaxes(-1, -2)) * (1 / math.sqrt(query.shape[-1]) if scale is None else scale)
    if is_causal:
        mask = jnp.tril(jnp.ones(scores.shape[-2:], bool))
    if mask is None:
        return jax.nn.softmax(scores, -1) @ value
    scores = jnp.where(mask, scores, -jnp.inf) if mask.dtype == bool else scores + mask
    is_lost = jnp.all(scores == -jnp.inf, axis=-1, keepdims=True)
    return jnp.where(is_lost, 0.0, jax.nn.softmax(jnp.where(is_lost, 0.0, scores), -1)) @ value


RULES: dict[str, Callable[..., Any]] = {
    "_native_batch_norm_legit_no_training": _stored_norm,
    "conv1d": _convolution,
    "conv2d": _convolution,
    "conv3d": _convolution,
    "convolution": _any_convolution,
    "embedding": _embedding,
    "group_norm": _group_norm,
    "instance_norm": _instance_norm,
    "layer_norm": _layer_norm,
    "linear": linear,
    "scaled_dot_product_attention": _attention,
}
