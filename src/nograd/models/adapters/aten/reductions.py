"""Operations over axes: sums, moments, orders, softmax, and products of matrices."""

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
from jaxtyping import Array

Axes: TypeAlias = int | Sequence[int] | None


def _axes(axes: Axes) -> int | tuple[int, ...] | None:
    """PyTorch writes no axes, or an empty list of them, for all."""
    if axes is None or isinstance(axes, int):
        return axes
    return tuple(axes) or None


def _reduction(function: Callable[..., Array]) -> Callable[..., Array]:
    def reduced(x: Array, axes: Axes = None, keep: bool = False, *, dtype: Any = None) -> Array:
        return function(x if dtype is None else x.astype(dtype), axis=_axes(axes), keepdims=keep)

    return reduced


def _norm(x: Array, order: float = 2, axes: Axes = None, keep: bool = False, *, dtype: Any = None) -> Array:
    """(Σ |x|^order)^(1/order), with the limits 0, ∞ and -∞."""
    x, over = x if dtype is None else x.astype(dtype), _axes(axes)
    if order == 2:
        return jnp.sqrt((x**2).sum(over, keepdims=keep))
    size = jnp.abs(x)
    if math.isinf(order):
        return (jnp.max if order > 0 else jnp.min)(size, over, keepdims=keep)
    if order == 0:
        return (x != 0).sum(over, keepdims=keep).astype(x.dtype)
    return (size**order).sum(over, keepdims=keep) ** (1 / order)


def _variance(x: Array, axes: Axes = None, *, correction: Any = 1, keepdim: bool = False) -> Array:
    return jnp.var(x, _axes(axes), ddof=1 if correction is None else correction, keepdims=keepdim)


def _variance_and_mean(
    x: Array, axes: Axes = None, *, correction: Any = 1, keepdim: bool = False
) -> tuple[Array, Array]:
    mean = jnp.mean(x, _axes(axes), keepdims=keepdim)
    return _variance(x, axes, correction=correction, keepdim=keepdim), mean


def _extreme(find: Callable[..., Array], where: Callable[..., Array]) -> Callable[..., tuple[Array, Array]]:
    def found(x: Array, axis: int, keep: bool = False) -> tuple[Array, Array]:
        return find(x, axis=axis, keepdims=keep), where(x, axis=axis, keepdims=keep)

    return found


def _place(where: Callable[..., Array]) -> Callable[..., Array]:
    return lambda x, axis=None, keep=False: where(x, axis=axis, keepdims=keep)


def _sorted(x: Array, axis: int = -1, descending: bool = False) -> tuple[Array, Array]:
    order = jnp.argsort(x, axis=axis, stable=True, descending=descending)
    return jnp.take_along_axis(x, order, axis), order


def _top(x: Array, count: int, axis: int = -1, largest: bool = True, ordered: bool = True) -> tuple[Array, Array]:
    values, order = _sorted(x, axis, largest)
    return tuple(jax.lax.slice_in_dim(part, 0, count, axis=axis) for part in (values, order))  # type: ignore[return-value]


def _softmax(x: Array, axis: int, *unused: Any) -> Array:
    return jax.nn.softmax(x, axis)


def _log_softmax(x: Array, axis: int, *unused: Any) -> Array:
    return jax.nn.log_softmax(x, axis)


def _cumulative(function: Callable[..., Array]) -> Callable[..., Array]:
    return lambda x, axis, *, dtype=None: function(x, axis=axis, dtype=dtype)


def _plus_product(bias: Array, x: Array, y: Array, *, beta: float = 1, alpha: float = 1) -> Array:
    product = x @ y
    return (bias if beta == 1 else beta * bias) + (product if alpha == 1 else alpha * product)


RULES: dict[str, Callable[..., Any]] = {
    **dict.fromkeys(("bmm", "dot", "matmul", "mm", "mv"), jnp.matmul),
    "_log_softmax": _log_softmax,
    "_softmax": _softmax,
    "addmm": _plus_product,
    "all": _reduction(jnp.all),
    "amax": _reduction(jnp.max),
    "amin": _reduction(jnp.min),
    "any": _reduction(jnp.any),
    "argmax": _place(jnp.argmax),
    "argmin": _place(jnp.argmin),
    "baddbmm": _plus_product,
    "cumprod": _cumulative(jnp.cumprod),
    "cumsum": _cumulative(jnp.cumsum),
    "linalg_vector_norm": _norm,
    "log_softmax": _log_softmax,
    "max.default": _reduction(jnp.max),
    "max.dim": _extreme(jnp.max, jnp.argmax),
    "mean": _reduction(jnp.mean),
    "min.default": _reduction(jnp.min),
    "min.dim": _extreme(jnp.min, jnp.argmin),
    "prod": _reduction(jnp.prod),
    "softmax": _softmax,
    "sort": _sorted,
    "sum": _reduction(jnp.sum),
    "topk": _top,
    "var.correction": _variance,
    "var_mean.correction": _variance_and_mean,
}
