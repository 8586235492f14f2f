"""Operations that move, join, choose or make elements."""

import operator
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array


def _same(x: Array, *unused: Any, **options: Any) -> Array:
    """Views, copies and memory formats are one thing where arrays never change."""
    return x


def _reshaped(x: Array, shape: Sequence[int]) -> Array:
    return x.reshape(tuple(shape))


def _expanded(x: Array, shape: Sequence[int], **unused: Any) -> Array:
    """-1 leaves an axis as it is; new axes come first."""
    missing = len(shape) - x.ndim
    sizes = [x.shape[at - missing] if size == -1 else size for at, size in enumerate(shape)]
    return jnp.broadcast_to(x, sizes)


def _swapped(x: Array, first: int, second: int) -> Array:
    return jnp.swapaxes(x, first, second) if x.ndim else x


def _sliced(x: Array, axis: int = 0, start: int | None = None, end: int | None = None, step: int = 1) -> Array:
    """x[start:end:step] along one axis; PyTorch writes the largest whole number for an open end."""
    return x[(slice(None),) * (axis % x.ndim) + (slice(start, end, step),)]


def _selected(x: Array, axis: int, index: int) -> Array:
    return jax.lax.index_in_dim(x, index, axis, keepdims=False)


def _parts(x: Array, sizes: Sequence[int], axis: int = 0) -> list[Array]:
    ends = [sum(sizes[: at + 1]) for at in range(len(sizes))]
    return [_sliced(x, axis, end - size, end) for size, end in zip(sizes, ends, strict=True)]


def _equal_parts(x: Array, size: int, axis: int = 0) -> list[Array]:
    length = x.shape[axis]
    return _parts(x, [min(size, length - start) for start in range(0, length, size)], axis)


def _unbound(x: Array, axis: int = 0) -> list[Array]:
    return [_selected(x, axis, at) for at in range(x.shape[axis])]


def _joined(arrays: Sequence[Array], axis: int = 0) -> Array:
    # PyTorch lets an empty vector stand among arrays of any shape.
    return jnp.concatenate([x for x in arrays if x.shape != (0,)] or list(arrays), axis)


def _indexed(x: Array, indices: Sequence[Array | None], *unused: Any) -> Array:
    return x[tuple(slice(None) if index is None else index for index in indices)]


def _gathered(x: Array, axis: int, index: Array, **unused: Any) -> Array:
    return jnp.take_along_axis(x, index, axis) if x.shape[:axis] == index.shape[:axis] else _corner(x, axis, index)


def _corner(x: Array, axis: int, index: Array) -> Array:
    """The other axes of an index may be shorter than those of the array."""
    axis %= x.ndim
    sizes = tuple(slice(None) if at == axis else slice(size) for at, size in enumerate(index.shape))
    return jnp.take_along_axis(x[sizes], index, axis)


def _taken(x: Array, axis: int, index: Array) -> Array:
    return jnp.take(x, index, axis)


def _with_slice(
    x: Array, part: Array, axis: int = 0, start: int | None = None, end: int | None = None, step: int = 1
) -> Array:
    return x.at[(slice(None),) * (axis % x.ndim) + (slice(start, end, step),)].set(part)


def _with_selected(x: Array, part: Array, axis: int, index: int) -> Array:
    return x.at[(slice(None),) * (axis % x.ndim) + (index,)].set(part)


def _with_indexed(x: Array, indices: Sequence[Array | None], values: Array, add: bool = False) -> Array:
    at = x.at[tuple(slice(None) if index is None else index for index in indices)]
    return at.add(values) if add else at.set(values)


def _scattered(x: Array, axis: int, index: Array, values: Any) -> Array:
    """x with values at these places of one axis; an index may be shorter than x, and values longer than it."""
    grid = list(jnp.indices(index.shape, sparse=True))
    grid[axis] = index
    if jnp.ndim(values):
        values = values[tuple(slice(size) for size in index.shape)]
    return x.at[tuple(grid)].set(values)


def _windows(x: Array, axis: int, size: int, step: int) -> Array:
    """The windows of one axis, their elements along a new last axis."""
    starts = np.arange(0, x.shape[axis] - size + 1, step)
    axis %= x.ndim
    return jnp.moveaxis(jnp.take(x, starts[:, None] + np.arange(size), axis), axis + 1, -1)


def _padded(x: Array, widths: Sequence[int], value: float = 0.0) -> Array:
    """Widths come in pairs, the last axis first; a negative one crops."""
    config = [(0, 0, 0)] * x.ndim
    for at in range(len(widths) // 2):
        config[x.ndim - 1 - at] = (widths[2 * at], widths[2 * at + 1], 0)
    return jax.lax.pad(x, jnp.asarray(value, x.dtype), config)


def _mirrored(x: Array, widths: Sequence[int], mode: str) -> Array:
    pairs = [(widths[2 * at], widths[2 * at + 1]) for at in range(len(widths) // 2)][::-1]
    return jnp.pad(x, [(0, 0)] * (x.ndim - len(pairs)) + pairs, mode=mode)


def _full(shape: Sequence[int], value: Any, dtype: Any = None, **unused: Any) -> Array:
    return jnp.full(tuple(shape), value, dtype)


def _full_like(x: Array, value: Any, dtype: Any = None, **unused: Any) -> Array:
    return jnp.full_like(x, value, dtype=dtype)


def _range(start: Any, end: Any = None, step: Any = 1, dtype: Any = None, **unused: Any) -> Array:
    return jnp.arange(start, end, step, dtype) if end is not None else jnp.arange(start, dtype=dtype)


def _triangle(function: Callable[..., Array]) -> Callable[..., Array]:
    return lambda x, diagonal=0: function(x, diagonal)


def _repeated(x: Array, counts: Sequence[int]) -> Array:
    return jnp.tile(x, tuple(counts))


def _rolled(x: Array, shifts: Sequence[int], axes: Sequence[int] = ()) -> Array:
    return jnp.roll(x, tuple(shifts), tuple(axes)) if axes else jnp.roll(x, shifts[0])


RULES: dict[str, Callable[..., Any]] = {
    **dict.fromkeys(("alias", "clone", "contiguous", "lift_fresh_copy"), _same),
    **dict.fromkeys(("view", "reshape", "_unsafe_view"), _reshaped),
    "arange": _range,
    "arange.start": _range,
    "cat": _joined,
    "constant_pad_nd": _padded,
    "copy": lambda x, source, *unused: jnp.broadcast_to(source, x.shape).astype(x.dtype),
    "detach": jax.lax.stop_gradient,
    "empty": lambda shape, **options: _full(shape, 0, **options),
    "expand": _expanded,
    "flip": lambda x, axes: jnp.flip(x, tuple(axes)),
    "full": _full,
    "full_like": _full_like,
    "gather": _gathered,
    "getitem": operator.getitem,
    "index": _indexed,
    "index_put": _with_indexed,
    "index_select": _taken,
    "ones": lambda shape, **options: _full(shape, 1, **options),
    "permute": lambda x, axes: jnp.transpose(x, tuple(axes)),
    "reflection_pad1d": lambda x, widths: _mirrored(x, widths, "reflect"),
    "reflection_pad2d": lambda x, widths: _mirrored(x, widths, "reflect"),
    "repeat": _repeated,
    "replication_pad1d": lambda x, widths: _mirrored(x, widths, "edge"),
    "replication_pad2d": lambda x, widths: _mirrored(x, widths, "edge"),
    "roll": _rolled,
    "scalar_tensor": lambda value, dtype=None, **unused: jnp.asarray(value, dtype),
    "scatter.src": _scattered,
    "scatter.value": _scattered,
    "select": _selected,
    "select_scatter": _with_selected,
    "slice": _sliced,
    "slice_scatter": _with_slice,
    "split": _equal_parts,
    "split_with_sizes": _parts,
    # The axes are those of size 1 for every batch: written by `torch_export`.
    "squeeze": lambda x, axes: jnp.squeeze(x, tuple(axes)),
    "stack": lambda arrays, axis=0: jnp.stack(arrays, axis),
    "sym_size": lambda x, axis: x.shape[axis],
    "t": jnp.transpose,
    "transpose": _swapped,
    "tril": _triangle(jnp.tril),
    "triu": _triangle(jnp.triu),
    "unbind": _unbound,
    "unfold": _windows,
    "unsqueeze": lambda x, axis: jnp.expand_dims(x, axis),
    "zeros": lambda shape, **options: _full(shape, 0, **options),
}
