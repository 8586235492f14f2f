"""Node perturbation: noise on the outputs of every layer that is linear in its parameters.

A walk over the function's jaxpr keeps two kinds of values: *data*, and values that are *linear* in the parameters
with data as coefficients (xW + b, a convolution, an embedding, γ ∘ normalised). Where a linear value y meets a
function that is not linear (an activation, a norm, a product with another linear value), it is a layer's output:
the walk goes on with the data stop_gradient(y) + σξ, and remembers y. With the fitness of every member known, the
estimate is the transpose of the remembered y applied to w · ξ. Only linear functions are ever transposed, each at
its own layer: nothing is propagated backward through the network, and nothing needs a derivative.
"""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
from jax.extend import core
from jaxtyping import Array, Float

from nograd.perturb.affine import BILINEAR, is_affine
from nograd.perturb.frames import Frame, check_frame, frame
from nograd.perturb.jaxprs import bind, flat_jaxpr, flattened, write
from nograd.perturb.members import SMALL, Loss, over_members, signs
from nograd.trees import leaf_names
from nograd.types import InterpretError, Key, Params, PyTree

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

    jax.eval_shape(lambda p, e: _forward(loss, p, e, note)[0], params, example)
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
    node: Node, sites: Sequence[Site], loss: Loss, params: Params, inputs: PyTree, noise: list[Frame], shared: bool
) -> Float[Array, "units directions signs"]:
    """The function's value for each member of each example: inputs are [units, 1, ...], never `shared`."""
    return _outputs(node, sites, loss, params, inputs, noise)[0]


def both(
    node: Node,
    sites: Sequence[Site],
    loss: Loss,
    params: Params,
    inputs: PyTree,
    noise: list[Frame],
    weights: Callable[[Array], Array],
    shared: bool,
) -> tuple[Float[Array, "units directions signs"], Params]:
    """The fitness of all members, and Σ w · Lᵀ(±ξ) over them with w = weights(f − f₀), Lᵀ each layer's transpose.

    The layers' inputs are the members' own, so a pair's share is (w₊ x₊ − w₋ x₋) ξ. What both weights have in common
    would be left as noise in (x₊ − x₋) ξ: f₀, the example's fitness without noise, takes it out at the price of one
    more forward pass. It does not depend on ξ, so the estimate stays unbiased, also where activations are steps.
    The sum is laid out as `turned`.
    """

    def outputs(turned_params: Params) -> tuple[list[Array], Array]:
        values, layers = _outputs(node, sites, loss, turned(turned_params, params), inputs, noise)
        return layers, values

    layers, transpose, values = jax.vjp(outputs, turned(params, params), has_aux=True)
    # A member without a finite loss has weight 0, but its layers' inputs may be NaN, and 0 · NaN is NaN.
    transpose = jax.tree.map(_finite, transpose)
    undisturbed = jax.vmap(lambda example: loss(params, *jax.tree.map(lambda leaf: leaf[0], example)))(inputs)
    baseline = jnp.where(jnp.isfinite(undisturbed), undisturbed, 0.0)[:, None, None]
    signed = weights(values - baseline) * jnp.array([1.0, -1.0][: node.signs])
    cotangents = []
    for site, y, xi in zip(sites, layers, noise, strict=True):
        if site.first:
            cotangent = xi.weighted(jnp.sum(signed, axis=2))
        else:
            cotangent = jnp.expand_dims(signed, range(3, y.ndim)) * xi.all()[:, :, None]
        cotangents.append(cotangent.astype(y.dtype))
    return values, transpose(cotangents)[0]


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


def _outputs(
    node: Node, sites: Sequence[Site], loss: Loss, params: Params, inputs: PyTree, noise: list[Frame]
) -> tuple[Float[Array, "units directions signs"], list[Array]]:
    """Fitness of every member, and the layers' outputs [units, directions, signs, ...] (first sites: [units, ...])."""
    scales = jnp.array([node.sigma, -node.sigma][: node.signs])

    def unit(inputs: PyTree, noise: list[Array]) -> tuple[tuple[Array, list[Array]], list[Array]]:
        example = jax.tree.map(lambda leaf: leaf[0], inputs)

        def member(noise: list[Array], scale: Array) -> tuple[tuple[Array, list[Array]], list[Array]]:
            left = iter(noise)
            value, layers = _forward(loss, params, example, lambda shape, kind, *_: (scale * next(left)).astype(kind))
            own = [layer for site, layer in zip(sites, layers, strict=True) if not site.first]
            return (value, own), [layer for site, layer in zip(sites, layers, strict=True) if site.first]

        return over_members(member, noise, 0, node.directions, scales)

    (values, own), common = jax.vmap(unit)(inputs, [frame.all() for frame in noise])
    both = iter(common), iter(own)
    return values, [next(both[0] if site.first else both[1]) for site in sites]


# The walk ------------------------------------------------------------------------------------------------

# (shape, dtype, the parameter's path or None, the primitive that reads the value, whether it is a first site) -> σξ
AddNoise: TypeAlias = Callable[[tuple[int, ...], Any, str | None, str, bool], Array]


class _Value(NamedTuple):
    array: Array
    linear: bool  # in the parameters, with data as coefficients
    constant: bool  # the same for every example
    first: bool = True  # no noise has come into it
    path: str | None = None  # of the (first) parameter of a linear value


def _forward(loss: Loss, params: Params, example: PyTree, noise: AddNoise) -> tuple[Array, list[Array]]:
    """The value of one member on one example, and the layer outputs as they were before their noise."""
    closed, _ = flat_jaxpr(loss, params, *example)
    leaves = zip(jax.tree.leaves(params), leaf_names(params), strict=True)
    arguments = [_Value(leaf, True, True, path=name) for leaf, name in leaves]
    arguments += [_Value(leaf, False, False) for leaf in jax.tree.leaves(example)]
    (value,), layers = _walk(closed, arguments, noise)
    return value, layers


def _walk(closed: core.ClosedJaxpr, arguments: Sequence[_Value], noise: AddNoise) -> tuple[list[Array], list[Array]]:
    """The outputs of a flat jaxpr as data, and the layer outputs met on the way."""
    jaxpr, layers = closed.jaxpr, []
    values = {
        variable: _Value(const, False, True) for variable, const in zip(jaxpr.constvars, closed.consts, strict=True)
    }
    values.update(zip(jaxpr.invars, arguments, strict=True))
    noisy: dict[Any, Array] = {}

    def get(atom: Any) -> _Value:
        return _Value(atom.val, False, True) if isinstance(atom, core.Literal) else values[atom]

    def data(atom: Any, reader: str) -> Array:
        value = get(atom)
        if not value.linear:
            return value.array
        if atom not in noisy:
            layers.append(value.array)
            path = value.path if value.constant else None
            # Nothing of what follows may reach the parameters by differentiation.
            drawn = noise(value.array.shape, value.array.dtype, path, reader, value.first)
            noisy[atom] = jax.lax.stop_gradient(value.array) + drawn
            if not value.constant:  # a layer's output has its noise for whoever reads it from here on
                values[atom] = _Value(noisy[atom], False, False, False)
        return noisy[atom]

    for equation in jaxpr.eqns:
        operands, name = [get(atom) for atom in equation.invars], equation.primitive.name
        for at in _coefficients(equation, operands):
            operands[at] = _Value(data(equation.invars[at], name), False, operands[at].constant, False)
        linear = [operand.linear for operand in operands]
        constant, first = (all(getattr(operand, what) for operand in operands) for what in ("constant", "first"))
        if not any(linear) or is_affine(equation, linear):
            path = next((operand.path for operand in operands if operand.linear), None)
            results = bind(equation, [operand.array for operand in operands])
            write(values, equation, [_Value(r, any(linear), constant, first, path) for r in results])
            continue
        if name == "scan":
            results, found = _scan(equation, operands, [partial(data, atom, name) for atom in equation.invars], noise)
            layers += found
        else:
            results = bind(equation, [data(atom, name) for atom in equation.invars])
        write(values, equation, [_Value(result, False, constant, False) for result in results])
    return [data(atom, "the value itself") for atom in jaxpr.outvars], layers


def _coefficients(equation: Any, operands: Sequence[_Value]) -> Sequence[int]:
    """Which linear operands of a product or quotient become data, so that it is linear in the one that is left.

    In hW the layer's output h, not the parameter W; of two parameters the smaller one; of two layers' outputs both.
    """
    if len(operands) != 2 or not all(operand.linear for operand in operands):
        return ()
    if equation.primitive.name == "div":
        return (1,)
    if equation.primitive.name not in BILINEAR:
        return ()
    left, right = operands
    if left.constant and right.constant:
        return (0,) if left.array.size <= right.array.size else (1,)
    return [at for at, operand in enumerate(operands) if not operand.constant]


def _scan(
    equation: Any, operands: Sequence[_Value], data: Sequence[Callable[[], Array]], noise: AddNoise
) -> tuple[list[Array], list[Array]]:
    """A scan whose body is walked in its turn, with noise of its own at every step; what it carries is data."""
    consts, carries = equation.params["num_consts"], equation.params["num_carry"]
    body, length = flattened(equation.params["jaxpr"]), equation.params["length"]
    carried = range(consts, consts + carries)
    given = [
        (_Value(data[i](), False, False) if i in carried else operand)._replace(first=False)
        for i, operand in enumerate(operands)
    ]
    arrays = [value.array for value in given]

    def inside(arrays: Sequence[Array], noise: AddNoise) -> tuple[list[Array], list[Array]]:
        return _walk(body, [value._replace(array=a) for value, a in zip(given, arrays, strict=True)], noise)

    asked: list[tuple[tuple[int, ...], Any, str | None, str]] = []

    def ask(shape: tuple[int, ...], kind: Any, path: str | None, reader: str, _: bool) -> Array:
        asked.append((shape, kind, path, reader))
        return jnp.zeros(shape, kind)

    rows = [jax.ShapeDtypeStruct(v.aval.shape, v.aval.dtype) for v in body.jaxpr.invars]
    jax.eval_shape(lambda arrays: inside(arrays, ask)[0], rows)
    drawn = [noise((length, *shape), kind, path, reader, False) for shape, kind, path, reader in asked]

    def step(
        carry: list[Array], x: tuple[list[Array], list[Array]]
    ) -> tuple[list[Array], tuple[list[Array], list[Array]]]:
        left = iter(x[1])
        outputs, layers = inside([*arrays[:consts], *carry, *x[0]], lambda *_: next(left))
        return outputs[:carries], (outputs[carries:], layers)

    carry, (stacked, layers) = jax.lax.scan(
        step,
        arrays[consts : consts + carries],
        (arrays[consts + carries :], drawn),
        length=length,
        reverse=equation.params["reverse"],
        unroll=equation.params["unroll"],
    )
    return [*carry, *stacked], layers
