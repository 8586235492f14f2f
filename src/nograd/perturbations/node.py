"""Node perturbation: noise on the outputs of every layer that is linear in its parameters.

Where a layer's output y meets a function that is not linear, the walk over the function's jaxpr (`walk`) goes on with
the data stop_gradient(y) + σξ, and remembers y. With the fitness of every member known, the estimate is the transpose
of the remembered y applied to w · ξ. Only linear functions are ever transposed, each at its own layer: nothing is
propagated backward through the network, and nothing needs a derivative.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.extend import core
from jaxtyping import Array, Float

from nograd.core.trees import add, leaf_names
from nograd.core.types import InterpretError, Key, Params, PyTree
from nograd.perturbations.directions import Frame, check_frame, frame
from nograd.perturbations.jaxpr.flatten import flat_jaxpr
from nograd.perturbations.jaxpr.walk import Value, Walk, read_later, refuse
from nograd.perturbations.members import SMALL, Loss, Weigh, over_members, signs

_NARROW = 32  # columns of a matrix


class Node(NamedTuple):
    """A unit is one example with a frame of directions: see `node`."""

    sigma: float
    directions: int
    noise: str
    mirrored: bool
    densify: bool

    @property
    def signs(self) -> int:
        """Members a direction."""
        return signs(self.mirrored)

    @property
    def group(self) -> int:
        """Examples that see the same noise: noise on outputs is an example's own."""
        return 1


class Site(NamedTuple):
    """A place where noise is added: a layer's output, or a parameter itself (then `parameter` is its path)."""

    shape: tuple[int, ...]
    parameter: str | None
    first: bool  # nothing before it has noise, so that what is there is the same for all members of a unit


def node(
    sigma: float = 0.05,
    directions: int = 32,
    *,
    noise: str = "rademacher",
    mirrored: bool = True,
    densify: bool = False,
) -> Node:
    """y ← y ± σξ at each layer output y = xW: the estimate for W is xᵀ(Δ ξ)/σ with Δ = (f₊ − f₋)/2.

    Every example has its own ξ, in `directions` that are orthogonal to each other. The variance falls from the
    number of weights to the number of units (Fiete and Seung 2006; Hiratani et al. 2022, arXiv 2206.06234).
    Where both halves of a mirrored pair reach a layer with different inputs, x is the mean of the two.

    Args:
        sigma: standard deviation σ of the noise, in units of the layers' outputs.
        directions: D, each evaluated with both signs: 2D forward passes an example share the first layer.
        noise: "rademacher" (orthogonal random signs) or "gaussian" (independent normals).
        mirrored: whether each ξ is evaluated with both signs.
        densify: whether a large parameter that no linear layer output carries may have dense noise of its own in
            every member (otherwise an error names it and the memory).

    Raises:
        ConfigError: a number is out of its range.
    """
    check_frame(noise, directions, sigma)
    return Node(sigma, directions, noise, mirrored, densify)


def prepare(node: Node, loss: Loss, params: Params, example: PyTree) -> tuple[Site, ...]:
    """The places of noise in the evaluation of one example, in the order of the walk.

    Raises:
        InterpretError: a large parameter enters through a function that is not linear, and `densify` is not set.
    """
    sites: list[Site] = []

    def note(shape: tuple[int, ...], kind: Any, parameter: str | None, reader: str, first: bool) -> Array:
        size = math.prod(shape)
        if parameter is not None and size > SMALL and not node.densify:
            raise InterpretError(
                f"no linear layer output carries parameter {parameter!r} {list(shape)}: it enters {reader!r}; mark a "
                f"rounding by nograd.straight_through, or pass densify=True to give it dense noise of its own "
                f"({4e-6 * size:.3g} MB a member)"
            )
        sites.append(Site(shape, parameter, first))
        return jnp.zeros(shape, kind)

    def forward(params: Params, example: PyTree) -> list[Array]:
        return Walk(flat_jaxpr(loss, params, *example)[0], arguments(params, example), note).run()

    jax.eval_shape(forward, params, example)
    return tuple(sites)


def fallbacks(sites: Sequence[Site]) -> list[str]:
    """The parameters that have dense noise of their own: no linear layer output carries them."""
    return sorted({site.parameter for site in sites if site.parameter is not None})


def draw(node: Node, sites: Sequence[Site], params: Params, key: Key, first: Array | int, units: int) -> list[Frame]:
    """ξ at each site for examples first, first + 1, …"""
    return [
        frame(node.noise, key, stream, first, units, node.directions, site.shape) for stream, site in enumerate(sites)
    ]


def fitness(
    node: Node,
    sites: Sequence[Site],
    loss: Loss,
    params: Params,
    inputs: PyTree,
    noise: list[Frame],
    shared: bool,
    block: int,
) -> Float[Array, "units directions signs"]:
    """The function's value for each member of each example: inputs are [units, 1, ...], never `shared`.

    What no noise has come into is computed once for all directions, then they are gone through block by block.
    """
    network = _Network.of(loss, params, inputs)
    before = network.before(network.leaves)

    def some(noise: list[Frame], first: Array | int) -> tuple[Array, tuple[()]]:
        return network.outputs(node, sites, network.leaves, before, noise)[0], ()

    return _by_blocks(noise, node.directions, block, some)[0]


def both(
    node: Node,
    sites: Sequence[Site],
    loss: Loss,
    params: Params,
    inputs: PyTree,
    noise: list[Frame],
    weights: Weigh,
    shared: bool,
    block: int,
) -> tuple[Float[Array, "units directions signs"], Params]:
    """The fitness of all members, and Σ w · Lᵀ(±ξ) over them with w = weights(f − f₀), Lᵀ each layer's transpose.

    The layers' inputs are the members' own, so a pair's share is (w₊ x₊ − w₋ x₋) ξ. What both weights have in common
    would be left as noise in (x₊ − x₋) ξ: f₀, the example's fitness without noise, takes it out at the price of one
    more forward pass. It does not depend on ξ, so the estimate stays unbiased, also where activations are steps.
    The sum is laid out as `turned`.

    Layers before the first noise have the same input for all members of an example, so their transposes are applied
    once, to what the directions give them together.
    """
    network = _Network.of(loss, params, inputs)
    leaves = turned(network.leaves, network.leaves)

    def before(leaves: list[Array]) -> tuple[list[Array], list[Array]]:
        return network.before(turned(leaves, network.leaves))

    linear, first_transpose, data = jax.vjp(before, leaves, has_aux=True)
    undisturbed = network.undisturbed((linear, data))
    baseline = jnp.where(jnp.isfinite(undisturbed), undisturbed, 0.0)[:, None, None]
    later = [at for at, is_read in enumerate(network.read_later()) if is_read]

    def some(noise: list[Frame], first: Array | int) -> tuple[Array, tuple[list[Array], list[Array]]]:
        def outputs(own: list[Array], linear: list[Array]) -> tuple[list[Array], Array]:
            own = turned(own, [network.leaves[at] for at in later])
            merged = [own[later.index(at)] if at in later else leaf for at, leaf in enumerate(network.leaves)]
            values, layers = network.outputs(node, sites, merged, (linear, data), noise)
            return layers, values

        layers, transpose, values = jax.vjp(outputs, [leaves[at] for at in later], linear, has_aux=True)
        signed = weights(values - baseline, first) * jnp.array([1.0, -1.0][: node.signs], jnp.float32)
        return values, _tolerant(transpose)(_cotangents(sites, layers, noise, signed))

    values, (own, of_linear) = _by_blocks(noise, node.directions, block, some)
    (total,) = _tolerant(first_transpose)(of_linear)
    for at, leaf in zip(later, own, strict=True):
        total[at] += leaf
    return values, jax.tree.unflatten(jax.tree.structure(params), total)


def _cotangents(
    sites: Sequence[Site], layers: list[Array], noise: list[Frame], signed: Float[Array, "units directions signs"]
) -> list[Array]:
    """±w · ξ of every layer's output; of a first site summed over the members."""
    cotangents = []
    for site, y, xi in zip(sites, layers, noise, strict=True):
        if site.first:
            cotangent = xi.weighted(jnp.sum(signed, axis=2))
        else:
            cotangent = jnp.expand_dims(signed, range(3, y.ndim)) * xi.all()[:, :, None]
        cotangents.append(cotangent.astype(y.dtype))
    return cotangents


def _by_blocks(
    noise: list[Frame], directions: int, block: int, some: Callable[[list[Frame], Array | int], tuple[Array, PyTree]]
) -> tuple[Float[Array, "units directions signs"], PyTree]:
    """some(noise of a block of directions, the first of them) -> (fitness, sums), for all directions."""
    if block >= directions:
        return some(noise, 0)

    def step(total: PyTree, first: Array) -> tuple[PyTree, Array]:
        values, own = some([frame.some(first, block) for frame in noise], first)
        return add(total, own), values

    shapes = jax.eval_shape(lambda: some([frame.some(0, block) for frame in noise], 0))[1]
    zeros = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
    total, values = jax.lax.scan(step, zeros, jnp.arange(0, directions, block))
    return jnp.moveaxis(values, 0, 1).reshape(values.shape[1], directions, -1), total


def _tolerant(transpose: Any) -> Any:
    """The transpose with zeros for NaN: a member without a finite loss has weight 0, but its layers' inputs may be
    NaN, and 0 · NaN is NaN."""
    return jax.tree.map(_finite, transpose)


def _finite(array: Array) -> Array:
    return jnp.where(jnp.isfinite(array), array, 0) if jnp.issubdtype(array.dtype, jnp.inexact) else array


def laid_out(total: Params, params: Params) -> Params:
    """The sum of what `both` gives, as the parameters are laid out."""
    # Behind a barrier, or XLA moves the transposition back into the products.
    return turned(jax.lax.optimization_barrier(total), params)


def turned(tree: Params, like: Params) -> Params:
    """The tree with its tall and narrow matrices transposed, from as in `like` to turned or back.

    On a CPU, hᵀc of h [examples, 128] and c [examples, 10] is five times slower than cᵀh; from 32 columns on the two
    are alike.
    """

    def leaf(leaf: Array, own: Array) -> Array:
        return leaf.T if own.ndim == 2 and own.shape[1] < min(_NARROW, own.shape[0]) else leaf

    return jax.tree.map(leaf, tree, like)


class _Network:
    """A function's flat jaxpr with the parameters and examples that it is walked with."""

    def __init__(self, closed: core.ClosedJaxpr, params: Params, examples: PyTree) -> None:
        self._closed, self._examples = closed, examples
        self.leaves, self._structure = jax.tree.flatten(params)
        self._known: dict[Any, Value] = {}

    @classmethod
    def of(cls, loss: Loss, params: Params, inputs: PyTree) -> "_Network":
        """Of inputs [units, 1, ...]."""
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
        """Which leaves of the parameters enter after `before`."""
        return read_later(self._closed, self._known)[: len(self.leaves)]

    def outputs(
        self,
        node: Node,
        sites: Sequence[Site],
        leaves: list[Array],
        before: tuple[list[Array], list[Array]],
        noise: list[Frame],
    ) -> tuple[Float[Array, "units directions signs"], list[Array]]:
        """Fitness of every member, and the layers' outputs [units, directions, signs, ...] (first: [units, ...])."""
        scales = jnp.array([node.sigma, -node.sigma][: node.signs])
        count = noise[0].directions if noise else node.directions

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
    """What a walk starts from."""
    parameters = zip(jax.tree.leaves(params), leaf_names(params), strict=True)
    given = [Value(leaf, True, True, path=name) for leaf, name in parameters]
    return given + [Value(leaf, False, False) for leaf in jax.tree.leaves(example)]
