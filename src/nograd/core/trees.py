"""Pytree arithmetic, a random stream for each leaf path, and sums along a fixed binary tree."""

import itertools
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int

from nograd.core.precision import widened
from nograd.core.random import ANGLE_STREAM, ROW_STREAM
from nograd.core.types import ConfigError, Params, PyTree

Path: TypeAlias = tuple[Any, ...]  # the keys from the root of a tree to one of its leaves


ROOT = "(root)"  # the name of a tree that is one bare array


def leaf_names(tree: PyTree) -> list[str]:
    """The path of each leaf as one string, in the order of the leaves: `layers/0/kernel`. All names differ.

    Within a key `/` and `~` are written `~1` and `~0`, as in a JSON pointer (RFC 6901). Keys of one container that
    look the same (the number 0 and the text "0") carry their types: `0~int`, `0~str`.
    """
    paths = [path for path, _ in jax.tree_util.tree_flatten_with_path(tree)[0]]
    siblings: dict[Path, dict[str, set[Any]]] = {}  # the keys of each container, by their text
    for path in paths:
        for depth, key in enumerate(path):
            siblings.setdefault(path[:depth], {}).setdefault(_text(key), set()).add(key)

    def name(path: Path) -> str:
        texts = [
            _text(key) if len(siblings[path[:depth]][_text(key)]) == 1 else _typed(key)
            for depth, key in enumerate(path)
        ]
        return "/".join(texts) if path else ROOT

    return _numbered([name(path) for path in paths])


def plain_names(names: Sequence[str]) -> list[str]:
    """Names of leaves for people and for files that others read: `layers/0/weight`, where that is one key of a dict.

    The `~1` that stands for a key's own `/` is left as it is where two names would be the same without it.
    """
    plain = [name.replace("~1", "/") for name in names]
    return plain if len(set(plain)) == len(plain) else list(names)


def shown_names(tree: PyTree) -> list[str]:
    """The path of each leaf as messages show it; see `plain_names`."""
    return plain_names(leaf_names(tree))


def relative_name(name: str, part: str) -> str | None:
    """The name of a leaf as seen from the subtree at the path `part`; None for a leaf that lies elsewhere."""
    if not part:
        return name
    if name == part:
        return ROOT
    return name.removeprefix(f"{part}/") if name.startswith(f"{part}/") else None


def _text(key: Any) -> str:
    """One key of a path, escaped, as are the reserved word of safetensors and lone surrogates, which it cannot hold."""
    text = jax.tree_util.keystr((key,), simple=True).replace("~", "~0").replace("/", "~1")
    if text == "__metadata__":
        return f"~{text}"
    return "".join(f"~u{ord(c):x}" if "\ud800" <= c <= "\udfff" else c for c in text)


def _typed(key: Any) -> str:
    inner = key.key if isinstance(key, jax.tree_util.DictKey) else key
    return f"{_text(key)}~{type(inner).__name__}"


def _numbered(names: list[str]) -> list[str]:
    """The names, with a number added to each repeated one (a user's container may repeat a key)."""
    taken: set[str] = set()
    unique = []
    for name in names:
        candidates = itertools.chain([name], (f"{name}~{number}" for number in itertools.count(2)))
        unique.append(next(candidate for candidate in candidates if candidate not in taken))
        taken.add(unique[-1])
    return unique


def require_floats(params: Params) -> None:
    """Raises ConfigError if a parameter is not an array of floating-point numbers."""
    for name, leaf in zip(shown_names(params), jax.tree.leaves(params), strict=True):
        if not jnp.issubdtype(jnp.result_type(leaf), jnp.floating):
            raise ConfigError(
                f"parameter {name!r} is {jnp.result_type(leaf)}; ES perturbs floating-point arrays only, "
                "so convert it or keep it out of the parameters"
            )


def leaf_streams(tree: PyTree) -> list[int]:
    """A 32-bit number for each leaf, from its path alone: adding a layer does not change the noise of the others.

    Only if two paths have the same checksum, the later leaf gets another number.
    """
    taken: set[int] = set()
    streams = []
    for name in leaf_names(tree):
        text = b"" if name == ROOT else name.encode()
        candidates = (zlib.crc32(text + b"\0" * more) for more in itertools.count())
        streams.append(next(stream for stream in candidates if taken.isdisjoint(_drawn_from(stream))))
        taken.update(_drawn_from(streams[-1]))
    return streams


def _drawn_from(stream: int) -> set[int]:
    """All streams of random words that the noise of a leaf is drawn from."""
    return {stream, stream ^ ANGLE_STREAM, stream ^ ROW_STREAM, stream ^ ANGLE_STREAM ^ ROW_STREAM}


def parameter_count(tree: PyTree) -> int:
    """Σ over leaves of their number of elements."""
    return sum(int(np.prod(jnp.shape(leaf))) for leaf in jax.tree.leaves(tree))


def add(left: PyTree, right: PyTree) -> PyTree:
    """left + right, leaf by leaf."""
    return jax.tree.map(jnp.add, left, right)


def add_scaled(tree: PyTree, scale: Array | float, direction: PyTree) -> PyTree:
    """tree + scale · direction, in the types of `tree`; computed in the wider precision of leaf and direction."""

    def moved(leaf: Array, step: Array) -> Array:
        return (leaf + jnp.asarray(scale, step.dtype) * step).astype(leaf.dtype)

    return jax.tree.map(moved, tree, direction)


def scaled(scale: Array | float, tree: PyTree) -> PyTree:
    """scale · tree, in the type of each leaf."""
    return jax.tree.map(lambda leaf: jnp.asarray(scale, leaf.dtype) * leaf, tree)


def filled(like: PyTree, value: float) -> PyTree:
    """A tree of this shape filled with one value, in float32 or wider: a sum of small steps needs that precision."""
    return jax.tree.map(lambda leaf: jnp.full_like(leaf, value, dtype=widened(leaf.dtype)), like)


def norm(tree: PyTree) -> Array:
    """The Euclidean norm √Σ leaf², by inner products: XLA's sums on a CPU go element by element, which is slower."""

    def square(leaf: Array) -> Array:
        flat = jnp.ravel(leaf)
        return jnp.vdot(flat, flat, preferred_element_type=jnp.promote_types(leaf.dtype, jnp.float32))

    return jnp.sqrt(sum(map(square, jax.tree.leaves(tree))))


def all_finite(tree: PyTree) -> Bool[Array, ""]:
    """Whether all numbers of all leaves are finite."""

    def one_by_one() -> Array:
        return jnp.all(jnp.stack([jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves(tree)]))

    # The norm is three times as fast, and finite only if all terms are. If it is not finite it may have overflowed.
    return jax.lax.cond(jnp.isfinite(norm(tree)), lambda: jnp.bool_(True), one_by_one)


# The first of some consecutive terms, and how many: plain or traced numbers.
Span: TypeAlias = tuple[Int[Array, ""] | int, Int[Array, ""] | int]


def binary_tree_sum(
    term: Callable[[Int[Array, ""]], tuple[Params, PyTree]], count: int, span: Span | None = None
) -> tuple[Params, PyTree]:
    """Σᵢ term(i) for i in 0..count−1, added along a fixed binary tree in log₂(count) + 1 buffers.

    The tree is the one of a binary counter: two finished sums of 2ˡ terms merge into one of 2ˡ⁺¹. Its shape
    depends on `count` alone, so a subtree has bitwise the same sum when it is computed alone.

    Args:
        term: maps a traced index to (a tree of arrays to add up, a tree of arrays to stack).
        count: the number of terms, at least 1.
        span: the terms of one subtree alone; see `tree_nodes`.

    Returns:
        The sum, and the stacked arrays with a leading axis of `count`; zeros outside of the span.
    """
    start, length = (0, count) if span is None else span
    # Level l of the stack holds a finished sum of 2ˡ terms: log(count) trees, not count of them.
    levels = count.bit_length()
    merges = jnp.asarray([(~index & (index + 1)).bit_length() - 1 for index in range(count)])
    sums, besides = jax.eval_shape(term, jnp.int32(0))
    stack = jax.tree.map(lambda leaf: jnp.zeros((levels, *leaf.shape), leaf.dtype), sums)
    beside = jax.tree.map(lambda leaf: jnp.zeros((count, *leaf.shape), leaf.dtype), besides)

    def take(tree: PyTree, level: Array) -> PyTree:
        return jax.tree.map(lambda leaf: jax.lax.dynamic_index_in_dim(leaf, level, keepdims=False), tree)

    def push(index: Array, carry: tuple[PyTree, PyTree]) -> tuple[PyTree, PyTree]:
        stack, beside = carry
        level = merges[index]
        own, own_beside = term(start + index)
        total = jax.lax.fori_loop(0, level, lambda below, right: add(take(stack, below), right), own)
        stack = jax.tree.map(lambda leaf, new: leaf.at[level].set(new), stack, total)
        return stack, jax.tree.map(lambda leaf, new: leaf.at[start + index].set(new), beside, own_beside)

    def join(level: Array, total: Params) -> Params:
        """Adds the finished sums, one for each bit of the length, from the smallest on."""
        first = (length & ((1 << level) - 1)) == 0
        return jax.lax.cond(
            (length >> level) & 1 == 1,
            lambda: jax.lax.cond(first, lambda: take(stack, level), lambda: add(take(stack, level), total)),
            lambda: total,
        )

    length = jnp.int32(length)
    stack, beside = jax.lax.fori_loop(0, length, push, (stack, beside))
    # If the length is a power of two there is nothing to add: only the highest level holds a sum.
    lowest = jax.lax.population_count((length & -length) - 1)
    return jax.lax.fori_loop(lowest + 1, levels, join, take(stack, lowest)), beside


def tree_nodes(start: int, stop: int, count: int) -> list[tuple[int, int]]:
    """The largest subtrees, each (first term, number of terms), that cover the terms start..stop−1 of `count`."""

    def cover(first: int, length: int) -> list[tuple[int, int]]:
        if stop <= first or start >= first + length:
            return []
        if start <= first and first + length <= stop:
            return [(first, length)]
        half = _half(length)
        return cover(first, half) + cover(first + half, length - half)

    return cover(0, count)


def row_of(rows: PyTree, index: Int[Array, ""] | int) -> PyTree:
    """Leaf by leaf the row at a place, which is one of theirs."""
    return jax.tree.map(lambda leaf: jax.lax.dynamic_index_in_dim(leaf, index, keepdims=False), rows)


def with_row(rows: PyTree, index: Int[Array, ""], row: PyTree) -> PyTree:
    """Leaf by leaf the rows with another one at a place, which is one of theirs."""
    # Not `.at[index].set`: its check that there is such a place is several steps of a program, each time.
    return jax.tree.map(lambda all, one: jax.lax.dynamic_update_index_in_dim(all, one, index, 0), rows, row)


def rows_total(rows: PyTree, count: int) -> PyTree:
    """The sum of `count` terms that are the rows of each leaf, with the bits of `binary_tree_sum`."""

    def total(first: int, length: int) -> PyTree:
        if length == 1:
            return jax.tree.map(lambda leaf: leaf[first], rows)
        half = _half(length)
        return add(total(first, half), total(first + half, length - half))

    return total(0, count)


def tree_total(sums: Mapping[tuple[int, int], list[np.ndarray]], count: int) -> list[np.ndarray]:
    """The sum of all `count` terms from the sums of subtrees that cover them, with the bits of `binary_tree_sum`.

    Writable arrays of `sums` are overwritten: allocating new memory costs more than the addition.
    """

    def total(first: int, length: int) -> list[np.ndarray]:
        if (first, length) in sums:
            return sums[first, length]
        half = _half(length)
        left, right = total(first, half), total(first + half, length - half)
        return [_added(one, other) for one, other in zip(left, right, strict=True)]

    return total(0, count)


def _added(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.add(one, other, out=next((array for array in (one, other) if array.flags.writeable), None))


def _half(length: int) -> int:
    """Terms in the left branch of a subtree: the largest power of two below its length."""
    return 1 << (length - 1).bit_length() - 1
