"""A low-rank direction E = Σᵣ aᵣ ⊗ bᵣ that is never multiplied out, and how linear primitives act on it.

A parameter of shape (*A, *B) is seen as a matrix of |A| rows and |B| columns, cut between two of its axes:
E[i, j] = Σᵣ a[i, r] b[j, r]. Then x·E = (x·a)·bᵀ costs r (|A| + |B|) multiplications in place of |A|·|B|.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float


class Factors(NamedTuple):
    """E = Σᵣ a[..., r] ⊗ b[..., r], of shape (*A, *B)."""

    a: Float[Array, "*A rank"]
    b: Float[Array, "*B rank"]

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape (*A, *B) of E."""
        return (*self.a.shape[:-1], *self.b.shape[:-1])

    @property
    def cut(self) -> int:
        """Axes that belong to a."""
        return self.a.ndim - 1


def multiply_out(factors: Factors) -> Array:
    """E itself, |A|·|B| numbers."""
    return jnp.tensordot(factors.a, factors.b, axes=[[-1], [-1]])


def gathered(equation: Any, slopes: Sequence[Any], means: Sequence[Array]) -> Array | None:
    """Rows of an embedding: where what is indexed are axes of a, and those of b are taken whole."""
    factors, indices = slopes[0], means[1]
    numbers, sizes, mode = (equation.params[name] for name in ("dimension_numbers", "slice_sizes", "mode"))
    cut, result = factors.cut, equation.outvars[0].aval
    width = len(factors.shape) - cut
    trailing = tuple(range(result.ndim - width, result.ndim))
    of_a = [at for at, axis in enumerate(numbers.start_index_map) if axis < cut]
    # The index of an axis that is taken whole is 0, or is clipped to it: it can be left out.
    indexed = of_a and (len(of_a) == indices.shape[-1] or mode != jax.lax.GatherScatterMode.FILL_OR_DROP)
    whole = sizes[cut:] == factors.shape[cut:] and max(numbers.collapsed_slice_dims, default=0) < cut
    if not indexed or not whole or numbers.operand_batching_dims or numbers.offset_dims[-width:] != trailing:
        return None
    # The same gather on a, whose one trailing axis is the rank.
    own = numbers._replace(
        offset_dims=(*numbers.offset_dims[:-width], result.ndim - width),
        start_index_map=tuple(numbers.start_index_map[at] for at in of_a),
    )
    rows = jax.lax.gather(
        factors.a,
        indices[..., np.array(of_a)],
        own,
        (*sizes[:cut], factors.a.shape[-1]),
        mode=mode,
        fill_value=0,
        indices_are_sorted=equation.params["indices_are_sorted"],
    )
    return jnp.tensordot(rows, factors.b, axes=[[-1], [-1]])


def summed(equation: Any, slopes: Sequence[Any], means: Sequence[Array]) -> Factors | None:
    """left ± right: the ranks side by side, where both are cut alike. A constant operand has no slope."""
    left, right = slopes
    sign = -1.0 if equation.primitive.name == "sub" else 1.0
    if isinstance(left, Factors) and isinstance(right, Factors):
        if left.a.shape[:-1] != right.a.shape[:-1] or left.b.shape[:-1] != right.b.shape[:-1]:
            return None
        return Factors(jnp.concatenate([left.a, right.a], -1), jnp.concatenate([left.b, sign * right.b], -1))
    if left is not None and right is not None:
        return None
    factors: Factors = right if left is None else left
    if factors.shape != equation.outvars[0].aval.shape:
        return None
    return negative(equation, factors) if left is None and sign < 0 else factors


def quotient(equation: Any, slopes: Sequence[Any], means: Sequence[Array]) -> Factors | None:
    """E / c, for one number c."""
    factors, divisor = slopes[0], means[1]
    return Factors(factors.a, factors.b / divisor) if jnp.ndim(divisor) == 0 else None


def concatenation(equation: Any, slopes: Sequence[Any], means: Sequence[Array]) -> Factors | None:
    """Factors side by side; no rule where one of them is an array or a constant."""
    if not all(isinstance(slope, Factors) for slope in slopes):
        return None
    return concatenated(slopes, equation.params["dimension"])


def concatenated(parts: Sequence[Factors], axis: int) -> Factors | None:
    """Parts side by side along an axis of b (or of a): the ranks add, each with zeros outside of its part."""
    if len({part.cut for part in parts}) > 1:
        return None
    if axis < parts[0].cut:
        turned = concatenated([Factors(part.b, part.a) for part in parts], axis + parts[0].b.ndim - 1)
        return turned and Factors(turned.b, turned.a)
    axis -= parts[0].cut
    sizes = [part.b.shape[axis] for part in parts]

    def widened(b: Array, before: int) -> Array:
        around = [(0, 0)] * b.ndim
        around[axis] = (before, sum(sizes) - before - b.shape[axis])
        return jnp.pad(b, around)

    b = [widened(part.b, sum(sizes[:i])) for i, part in enumerate(parts)]
    return Factors(jnp.concatenate([part.a for part in parts], -1), jnp.concatenate(b, -1))


def dot_general(equation: Any, left: Array | Factors, right: Array | Factors) -> Array:
    """Any contraction with E as one einsum over x, a and b: b comes last, or first where that is shorter."""
    (contract_l, contract_r), (batch_l, batch_r) = equation.params["dimension_numbers"]
    names_l = list(range(len(left.shape)))
    names_r = [len(names_l) + axis for axis in range(len(right.shape))]
    for axis_l, axis_r in zip((*contract_l, *batch_l), (*contract_r, *batch_r), strict=True):
        names_r[axis_r] = names_l[axis_l]
    free_l = [names_l[i] for i in range(len(names_l)) if i not in (*contract_l, *batch_l)]
    free_r = [names_r[i] for i in range(len(names_r)) if i not in (*contract_r, *batch_r)]
    out = [*(names_l[i] for i in batch_l), *free_l, *free_r]
    kind = equation.params.get("preferred_element_type")
    left_is_factors = isinstance(left, Factors)
    factors, other = (left, right) if left_is_factors else (right, left)
    named, names = (names_l, names_r) if left_is_factors else (names_r, names_l)
    assert isinstance(factors, Factors)
    if isinstance(other, Factors):
        return jnp.einsum(multiply_out(other), names, multiply_out(factors), named, out, preferred_element_type=kind)
    rank = len(names_l) + len(names_r)
    a, b = [*named[: factors.cut], rank], [*named[factors.cut :], rank]
    # First the factor that is contracted, with the data on the left: in another order XLA would transpose the data.
    (first, first_names), (last, last_names) = (factors.a, a), (factors.b, b)
    if not set(first_names) & (set(names) - set(out)):
        (first, first_names), (last, last_names) = (last, last_names), (first, first_names)
    inner = [name for name in names if name in {*out, *last_names}]
    inner += [name for name in first_names if name not in inner and name in {*out, *last_names}]
    thin = jnp.einsum(other, names, first, first_names, inner, preferred_element_type=kind)
    return jnp.einsum(thin, inner, last, last_names, out, preferred_element_type=kind)


def mul(equation: Any, left: Array | Factors, right: Array | Factors) -> Factors | None:
    """cE, for one number c."""
    factors, scale = (left, right) if isinstance(left, Factors) else (right, left)
    if not isinstance(factors, Factors) or isinstance(scale, Factors) or math.prod(jnp.shape(scale)) != 1:
        return None
    return Factors(factors.a, factors.b * jnp.reshape(scale, ()).astype(factors.b.dtype))


def conv(equation: Any, left: Array | Factors, right: Array | Factors) -> Array | None:
    """conv(x, E) = conv(x, a)·bᵀ where b is the kernel's axis of output features, and a all the others."""
    numbers = equation.params["dimension_numbers"]
    if isinstance(left, Factors) or not isinstance(right, Factors) or equation.params["feature_group_count"] != 1:
        return None
    features = numbers.rhs_spec[0]
    if features == len(right.shape) - 1 and right.b.ndim == 2:
        kernel, b = right.a, right.b
    elif features == 0 and right.a.ndim == 2:  # output features first: a and b change places
        kernel, b = jnp.moveaxis(right.b, -1, 0), right.a
    else:
        return None
    thin = equation.primitive.bind(left, kernel, **equation.params)
    at = numbers.out_spec[1]
    return jnp.moveaxis(jnp.tensordot(thin, b, axes=[[at], [-1]]), -1, at)


def reshape(equation: Any, factors: Factors) -> Factors | None:
    """E in a new shape; None if its axes do not split into rows and columns as before. See `_reshaped`."""
    return _reshaped(factors, equation.params["new_sizes"])


def _reshaped(factors: Factors, shape: Sequence[int]) -> Factors | None:
    """The new shape must have a cut where the old one has: axes may be split and merged within a and within b."""
    rows = math.prod(factors.a.shape[:-1])
    cuts = [cut for cut in range(1, len(shape)) if math.prod(shape[:cut]) == rows]
    if not cuts:
        return None
    cut = cuts[-1] if rows > 1 else cuts[0]
    rank = factors.a.shape[-1]
    return Factors(factors.a.reshape(*shape[:cut], rank), factors.b.reshape(*shape[cut:], rank))


def same_shape(equation: Any, factors: Factors) -> Factors | None:
    """The rule of primitives that only add or remove axes of length 1."""
    return _reshaped(factors, equation.outvars[0].aval.shape)


def broadcast(equation: Any, factors: Factors) -> Factors | None:
    """Where it only adds axes of length 1."""
    wanted = equation.params["shape"]
    return _reshaped(factors, wanted) if math.prod(wanted) == math.prod(factors.shape) else None


def transpose(equation: Any, factors: Factors) -> Factors | None:
    """Where the axes of a stay together, and those of b."""
    order, cut = equation.params["permutation"], factors.cut
    first, last = order[:cut], order[cut:]
    if max(first) < cut:
        return Factors(
            jnp.transpose(factors.a, (*first, cut)),
            jnp.transpose(factors.b, (*(axis - cut for axis in last), factors.b.ndim - 1)),
        )
    columns = factors.b.ndim - 1
    first, last = order[:columns], order[columns:]
    if min(first) >= cut:  # the columns come first: a and b change places
        return Factors(
            jnp.transpose(factors.b, (*(axis - cut for axis in first), columns)),
            jnp.transpose(factors.a, (*last, cut)),
        )
    return None


def sliced(equation: Any, factors: Factors) -> Factors:
    """The rows of a and the columns of b that are kept."""
    starts, limits = equation.params["start_indices"], equation.params["limit_indices"]
    strides = equation.params["strides"] or (1,) * len(starts)
    ranges = [slice(*bounds) for bounds in zip(starts, limits, strides, strict=True)]
    return Factors(factors.a[tuple(ranges[: factors.cut])], factors.b[tuple(ranges[factors.cut :])])


def split(equation: Any, factors: Factors) -> list[Factors]:
    """Parts along an axis of a, or of b."""
    axis, sizes, cut = equation.params["axis"], equation.params["sizes"], factors.cut
    ends = [sum(sizes[: i + 1]) for i in range(len(sizes) - 1)]
    if axis < cut:
        return [Factors(a, factors.b) for a in jnp.split(factors.a, ends, axis)]
    return [Factors(factors.a, b) for b in jnp.split(factors.b, ends, axis - cut)]


def convert(equation: Any, factors: Factors) -> Factors:
    """Both in the new type."""
    kind = equation.params["new_dtype"]
    return Factors(factors.a.astype(kind), factors.b.astype(kind))


def unchanged(equation: Any, factors: Factors) -> Factors:
    """For a copy."""
    return factors


def negative(equation: Any, factors: Factors) -> Factors:
    """−E."""
    return Factors(factors.a, -factors.b)
