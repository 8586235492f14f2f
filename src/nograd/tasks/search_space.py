"""The argument of an objective as a search space: a tree of leaves, and coordinates that a search moves in."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from nograd.core.trees import ROOT
from nograd.core.types import Key, PyTree
from nograd.strategies.margin import Block
from nograd.tasks.search_leaves import Choice, Integers, Reals


class Space(NamedTuple):
    """The argument of a function as a tree of leaves; coordinates are a tuple with one array per leaf."""

    leaves: tuple[Any, ...]  # of `Leaf`
    structure: Any
    names: tuple[str, ...]

    @property
    def size(self) -> int:
        """Coordinates of all leaves."""
        return sum(int(np.prod(leaf.shape)) for leaf in self.leaves)

    def origin(self) -> tuple[Array, ...]:
        """The coordinates of the start: zeros, float64 where JAX has it enabled, else float32."""
        return tuple(jnp.zeros(leaf.shape, float) for leaf in self.leaves)

    def values(self, coordinates: Sequence[Array]) -> tuple[Array, ...]:
        """The values at some coordinates, leaf by leaf."""
        return tuple(leaf.value(z) for leaf, z in zip(self.leaves, coordinates, strict=True))

    def drawn(self, key: Key) -> tuple[Array, ...]:
        """Coordinates that another search can begin at; see `Leaf.drawn`."""
        keys = jax.random.split(key, len(self.leaves))
        return tuple(leaf.drawn(own) for leaf, own in zip(self.leaves, keys, strict=True))

    @property
    def is_discrete(self) -> bool:
        """Whether some leaf is no real number."""
        return any(not isinstance(leaf, Reals) for leaf in self.leaves)

    def margin(self, mean: Sequence[Array], blocks: Sequence[Block], alpha: float) -> tuple[list[Array], list[Array]]:
        """The mean of a search, and factors on its deviations, leaf by leaf; see `Leaf.margin`."""
        made = [leaf.margin(*own, alpha) for leaf, *own in zip(self.leaves, mean, blocks, strict=True)]
        return [z for z, _ in made], [factor for _, factor in made]

    def traced(self, values: Sequence[Array]) -> PyTree:
        """The argument of a JAX function."""
        return self._tree([leaf.traced(value) for leaf, value in zip(self.leaves, values, strict=True)])

    def plain(self, values: Sequence[np.ndarray]) -> PyTree:
        """The argument of a Python function."""
        return self._tree([leaf.plain(value) for leaf, value in zip(self.leaves, values, strict=True)])

    def stacked(self, values: Sequence[np.ndarray]) -> PyTree:
        """The argument of a vectorized Python function, for several points."""
        return self._tree([leaf.several(value) for leaf, value in zip(self.leaves, values, strict=True)])

    def record(self) -> list[dict[str, Any]]:
        """The record of it in config.json."""
        return [{"name": name, **leaf.record()} for name, leaf in zip(self.names, self.leaves, strict=True)]

    def _tree(self, leaves: list[Any]) -> PyTree:
        alone = jax.tree_util.treedef_is_leaf(self.structure)  # by far the quicker answer, which each call waits for
        return leaves[0] if alone else jax.tree.unflatten(self.structure, leaves)


def recorded_space(record: Sequence[Mapping[str, Any]]) -> Space:
    """The space that `Space.record` has written: its points are mappings by name, and options texts."""
    leaves = tuple(_recorded(dict(leaf)) for leaf in record)
    names = tuple(leaf["name"] for leaf in record)
    if names == (ROOT,):
        return Space(leaves, jax.tree.structure(0), names)
    # A plain mapping's leaves would come in the order of its sorted keys.
    return Space(leaves, jax.tree.structure(OrderedDict.fromkeys(names, 0)), names)


def _recorded(leaf: dict[str, Any]) -> Any:
    kind = leaf.pop("kind")
    del leaf["name"]
    if kind == "choice":
        return Choice(tuple(leaf["options"]), leaf["start"])
    if kind == "integers":
        return Integers(**leaf)
    start, low, high, scale = (np.array(leaf[name], float) for name in ("start", "low", "high", "scale"))
    low, high = np.where(np.isnan(low), -np.inf, low), np.where(np.isnan(high), np.inf, high)  # no JSON has ∞
    return Reals(start, low, high, scale, leaf["number"])
