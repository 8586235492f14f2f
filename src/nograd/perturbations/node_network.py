"""Evaluates a network for node perturbation: the part before any noise once, the rest for every member."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.extend import core
from jaxtyping import Array, Float

from nograd.core.trees import shown_names
from nograd.core.types import Params, PyTree
from nograd.perturbations.directions import Directions
from nograd.perturbations.jaxpr.flatten import flat_jaxpr
from nograd.perturbations.jaxpr.walk import Value, Walk, read_later, refuse
from nograd.perturbations.members import Loss, over_members


class NoiseSite(NamedTuple):
    """A place where noise is added: a layer's output, or a parameter itself (then `parameter` is its path)."""

    shape: tuple[int, ...]
    parameter: str | None
    first: bool  # nothing before it has noise, so that what is there is the same for all members of a unit


class Network:
    """A function's flat jaxpr with the parameters and examples that it is walked with."""

    def __init__(self, closed: core.ClosedJaxpr, params: Params, examples: PyTree) -> None:
        self._closed, self._examples = closed, examples
        self.leaves, self._structure = jax.tree.flatten(params)
        self._known: dict[Any, Value] = {}

    @classmethod
    def of(cls, loss: Loss, params: Params, inputs: PyTree) -> "Network":
        """The network of a loss, for inputs [units, 1, ...]."""
        examples = jax.tree.map(lambda leaf: leaf[:, 0], inputs)
        example = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape[1:], leaf.dtype), examples)
        return cls(flat_jaxpr(loss, params, *example)[0], params, examples)

    def _params(self, leaves: list[Array]) -> Params:
        return jax.tree.unflatten(self._structure, leaves)

    def before(self, leaves: list[Array]) -> tuple[list[Array], list[Array]]:
        """All that no noise has come into, [units, ...]: the values that are linear in the parameters, and the data."""

        def unit(example: PyTree) -> tuple[list[Array], list[Array]]:
            self._known = Walk(self._closed, arguments(self._params(leaves), example), refuse).before_noise()
            split = [[v.array for v in self._known.values() if v.linear == linear] for linear in (True, False)]
            self._known = {variable: value._replace(array=None) for variable, value in self._known.items()}
            return split[0], split[1]

        return jax.vmap(unit)(self._examples)

    def undisturbed(self, before: tuple[list[Array], list[Array]]) -> Float[Array, " units"]:
        """The function's value for each example without noise."""

        def unit(example: PyTree, before: tuple[list[Array], list[Array]]) -> Array:
            given, known = arguments(self._params(self.leaves), example), self._with(before)
            (value,) = Walk(self._closed, given, lambda shape, kind, *_: jnp.zeros(shape, kind), known).run()
            return value

        return jax.vmap(unit)(self._examples, before)

    def _with(self, before: tuple[list[Array], list[Array]]) -> dict[Any, Value]:
        linear, data = map(iter, before)
        return {k: v._replace(array=next(linear if v.linear else data)) for k, v in self._known.items()}

    def read_later(self) -> list[bool]:
        """The leaves of the parameters that enter after `before`."""
        return read_later(self._closed, self._known)[: len(self.leaves)]

    def outputs(
        self,
        scales: Float[Array, " signs"],
        directions: int,
        sites: Sequence[NoiseSite],
        leaves: list[Array],
        before: tuple[list[Array], list[Array]],
        noise: list[Directions],
    ) -> tuple[Float[Array, "units directions signs"], list[Array]]:
        """Fitness of every member, and the layers' outputs [units, directions, signs, ...] (first: [units, ...])."""
        count = noise[0].directions if noise else directions

        def unit(
            example: PyTree, before: tuple[list[Array], list[Array]], noise: list[Array]
        ) -> tuple[tuple[Array, list[Array]], list[Array]]:
            known = self._with(before)

            def member(noise: list[Array], scale: Array) -> tuple[tuple[Array, list[Array]], list[Array]]:
                left = iter(noise)
                add_noise = lambda shape, kind, *_: (scale * next(left)).astype(kind)  # noqa: E731
                walk = Walk(self._closed, arguments(self._params(leaves), example), add_noise, known)
                (value,) = walk.run()
                own = [layer for site, layer in zip(sites, walk.layers, strict=True) if not site.first]
                return (value, own), [layer for site, layer in zip(sites, walk.layers, strict=True) if site.first]

            return over_members(member, noise, 0, count, scales)

        (values, own), common = jax.vmap(unit)(self._examples, before, [frame.all() for frame in noise])
        both = iter(common), iter(own)
        return values, [next(both[0] if site.first else both[1]) for site in sites]


def arguments(params: Params, example: PyTree) -> list[Value]:
    """The values that a walk starts with."""
    parameters = zip(jax.tree.leaves(params), shown_names(params), strict=True)
    given = [Value(leaf, True, True, path=name) for leaf, name in parameters]
    return given + [Value(leaf, False, False) for leaf in jax.tree.leaves(example)]
