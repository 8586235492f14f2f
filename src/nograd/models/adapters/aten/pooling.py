"""Pooling over windows of the last axes, of [..., *spatial] arrays."""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array


class _Windows(NamedTuple):
    """Sizes, steps, dilations and (before, after) widths, one for every axis of an array."""

    sizes: tuple[int, ...]
    steps: tuple[int, ...]
    dilations: tuple[int, ...]
    pads: tuple[tuple[int, int], ...]

    def reduce(self, x: Array, start: Any, join: Callable[..., Array]) -> Array:
        return jax.lax.reduce_window(
            x, np.asarray(start, x.dtype)[()], join, self.sizes, self.steps, self.pads, window_dilation=self.dilations
        )


def _windows(
    x: Array,
    axes: int,
    size: Sequence[int],
    step: Sequence[int] = (),
    padding: Sequence[int] | int = 0,
    dilation: Sequence[int] | int = 1,
    ceil: bool = False,
) -> _Windows:
    """Without a step the windows lie side by side; with `ceil` the last one may reach beyond the padding."""
    sizes, widths, dilations = (_each(values, axes) for values in (size, padding, dilation))
    steps = _each(step, axes) if isinstance(step, int) or len(step) else sizes
    pads = []
    for at, (size_, step_, width, dilation_) in enumerate(zip(sizes, steps, widths, dilations, strict=True)):
        length, reach = x.shape[x.ndim - axes + at], dilation_ * (size_ - 1) + 1
        more = _overhang(length, reach, step_, width) if ceil else 0
        pads.append((width, width + more))
    others = x.ndim - axes
    ones = (1,) * others
    return _Windows(ones + sizes, ones + steps, ones + dilations, ((0, 0),) * others + tuple(pads))


def _overhang(length: int, reach: int, step: int, width: int) -> int:
    """How far the last window reaches beyond the padding; one that would start there is left out."""
    count = math.ceil((length + 2 * width - reach) / step) + 1
    if (count - 1) * step >= length + width:
        count -= 1
    return max((count - 1) * step + reach - length - 2 * width, 0)


def _each(values: Sequence[int] | int, axes: int) -> tuple[int, ...]:
    values = (values,) if isinstance(values, int) else tuple(values)
    return values * axes if len(values) == 1 else values


def _largest(axes: int) -> Callable[..., Array]:
    def pool(x: Array, size: Any, step: Any = (), padding: Any = 0, dilation: Any = 1, ceil: bool = False) -> Array:
        return _windows(x, axes, size, step, padding, dilation, ceil).reduce(x, -np.inf, jax.lax.max)

    return pool


def _mean(axes: int) -> Callable[..., Array]:
    def pool(
        x: Array,
        size: Any,
        step: Any = (),
        padding: Any = 0,
        ceil: bool = False,
        count_padding: bool = True,
        divisor: int | None = None,
    ) -> Array:
        windows = _windows(x, axes, size, step, padding, 1, ceil)
        total = windows.reduce(x, 0.0, jax.lax.add)
        if divisor is not None:
            return total / divisor
        return total / _counts(x, axes, windows, _each(padding, axes) if count_padding else (0,) * axes)

    return pool


def _counts(x: Array, axes: int, windows: _Windows, widths: Sequence[int]) -> Array:
    """How many elements each window holds, those of this much of the padding among them."""
    spatial = x.shape[x.ndim - axes :]
    others = x.ndim - axes
    within = np.ones([length + 2 * width for length, width in zip(spatial, widths, strict=True)], np.float32)
    pads = [(b - w, a - w) for (b, a), w in zip(windows.pads[others:], widths, strict=True)]
    held = _Windows(windows.sizes[others:], windows.steps[others:], (1,) * axes, tuple(pads))
    return held.reduce(jnp.asarray(within), 0.0, jax.lax.add)


def _bounds(length: int, parts: int) -> list[tuple[int, int]]:
    """The windows that cover a length with this many results: PyTorch's, which may overlap."""
    return [(at * length // parts, -(-(at + 1) * length // parts)) for at in range(parts)]


def _adaptive_mean(axes: int) -> Callable[..., Array]:
    def pool(x: Array, sizes: Any) -> Array:
        for at, parts in enumerate(_each(sizes, axes)):
            axis = x.ndim - axes + at
            weights = np.zeros((parts, x.shape[axis]), np.float32)
            for row, (start, end) in zip(weights, _bounds(x.shape[axis], parts), strict=True):
                row[start:end] = 1 / (end - start)
            x = jnp.moveaxis(jnp.tensordot(x, weights, ((axis,), (1,))), -1, axis)
        return x

    return pool


def _adaptive_largest(axes: int) -> Callable[..., tuple[Array]]:
    def pool(x: Array, sizes: Any) -> tuple[Array]:
        for at, parts in enumerate(_each(sizes, axes)):
            axis = x.ndim - axes + at
            windows = [jax.lax.slice_in_dim(x, *bounds, axis=axis) for bounds in _bounds(x.shape[axis], parts)]
            x = jnp.stack([window.max(axis) for window in windows], axis)
        return (x,)  # PyTorch returns the places too; a graph that reads them fails here

    return pool


RULES: dict[str, Callable[..., Any]] = {
    **{f"max_pool{axes}d": _largest(axes) for axes in (1, 2, 3)},
    **{f"avg_pool{axes}d": _mean(axes) for axes in (1, 2, 3)},
    **{f"adaptive_avg_pool{axes}d": _adaptive_mean(axes) for axes in (1, 2, 3)},
    **{f"adaptive_max_pool{axes}d": _adaptive_largest(axes) for axes in (1, 2, 3)},
}
