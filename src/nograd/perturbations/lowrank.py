"""Low-rank perturbation: a member's weights are W ± (σ/√r) A Bᵀ (EGGROLL, Sarkar et al. 2025, arXiv 2511.16652)."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from nograd.core.random import ROW_STREAM
from nograd.core.trees import leaf_names, leaf_streams
from nograd.core.types import ConfigError, InterpretError, Key, Params, PyTree
from nograd.perturbations.directions import Frame, check_frame, frame, rows
from nograd.perturbations.jaxpr.factors import Factors
from nograd.perturbations.jaxpr.interpret import NoRuleError, lift
from nograd.perturbations.members import SMALL, Loss, Weigh, over_members, signs


class LowRank(NamedTuple):
    """A unit is one factor A a matrix, with a frame of `directions` factors B: see `lowrank`."""

    sigma: float
    rank: int
    directions: int
    group: int
    noise: str
    mirrored: bool
    densify: bool

    @property
    def signs(self) -> int:
        """Members a direction."""
        return signs(self.mirrored)


class Cuts(NamedTuple):
    """Where each leaf of the parameters is cut into rows and columns; None: it has dense noise."""

    at: tuple[int | None, ...]
    ruleless: tuple[str, ...] = ()  # leaves that have dense noise because the network allows no other


def lowrank(
    rank: int = 1,
    sigma: float = 0.05,
    directions: int = 16,
    group: int = 8,
    *,
    noise: str = "rademacher",
    mirrored: bool = True,
    densify: bool = False,
) -> LowRank:
    """θᵢ = θ ± σEᵢ with E = A Bᵀ/√r for every matrix, so that x(W + σE) = xW + (σ/√r)(xA)Bᵀ shares xW.

    The update is Σ wᵢ Aᵢ Bᵢᵀ/√r, one matrix product a layer. Vectors (biases, norms), and matrices with a side no
    longer than the rank, have dense noise; so have small ones that the network does not use as matrices (the biases
    [heads, width] of an attention). A convolution kernel or an embedding is cut between two of its axes.

    Args:
        rank: r, the columns of A and B.
        sigma: standard deviation of each weight's perturbation, in units of the parameters.
        directions: factors B that share a factor A on the same examples. They are orthogonal, so they count as
            much as `directions` independent pairs, at little more than the cost of one.
        group: examples of the batch that see the same members; 0: the whole batch, as in the paper.
        noise: "rademacher" (random signs) or "gaussian".
        mirrored: whether each E is evaluated with both signs.
        densify: what to do where a large parameter meets a primitive without a low-rank rule: an error, or (True)
            dense noise for that parameter, which then takes its own product in every member.

    Raises:
        ConfigError: a number is out of its range.
    """
    check_frame(noise, directions, sigma)
    if not isinstance(rank, int) or rank < 1:
        raise ConfigError(f"rank must be a whole number of at least 1, got {rank}; 1 to 4 are usual")
    if not isinstance(group, int) or group < 0:
        raise ConfigError(f"group must be 0 (the whole batch) or a number of examples, got {group}; try 8")
    return LowRank(sigma, rank, directions, group, noise, mirrored, densify)


def prepare(lowrank: LowRank, loss: Loss, params: Params, example: PyTree) -> Cuts:
    """Where to cut each leaf: between the axes that make the factors smallest and that the network allows.

    Raises:
        InterpretError: a large parameter meets a primitive without a low-rank rule, and `densify` is not set.
    """
    names, shapes = leaf_names(params), [jnp.shape(leaf) for leaf in jax.tree.leaves(params)]
    left = {name: _candidates(shape, lowrank.rank) for name, shape in zip(names, shapes, strict=True)}
    ruleless: tuple[str, ...] = ()
    while True:
        cuts = Cuts(tuple(left[name][0] for name in names), ruleless)

        def value(params: Params, example: PyTree, cuts: Cuts = cuts) -> PyTree:
            noise = draw(lowrank, cuts, params, jax.random.key(0), 0, 1)
            return lift(loss, params, *example)(_one_direction(noise), 1.0)

        try:
            jax.eval_shape(value, params, example)
            return cuts
        except NoRuleError as error:
            left[error.path].pop(0)
            size = math.prod(shapes[names.index(error.path)])
            if left[error.path] == [None]:
                ruleless += (error.path,)
            if left[error.path] == [None] and size > SMALL and not lowrank.densify:
                raise InterpretError(
                    f"{error}; pass densify=True to give it dense noise ({4e-6 * size:.3g} MB a member), "
                    "or use perturbation node or dense"
                ) from None


def draw(lowrank: LowRank, cuts: Cuts, params: Params, key: Key, first: Array | int, units: int) -> PyTree:
    """The noise of units first, first + 1, …: a tree like the parameters.

    A leaf is `Factors` of a [units, *A, r] and a `Frame` of b [units, directions, *B, r], or a `Frame` of dense
    noise [units, directions, *shape].
    """
    leaves, structure = jax.tree.flatten(params)
    drawn = []
    for leaf, cut, stream in zip(leaves, cuts.at, leaf_streams(params), strict=True):
        shape = jnp.shape(leaf)
        kind = jnp.result_type(leaf)
        if cut is None:
            drawn.append(_scaled(frame(lowrank.noise, key, stream, first, units, lowrank.directions, shape), 1.0, kind))
            continue
        a = rows(lowrank.noise, key, stream ^ ROW_STREAM, first, units, (*shape[:cut], lowrank.rank))
        b = frame(lowrank.noise, key, stream, first, units, lowrank.directions, (*shape[cut:], lowrank.rank))
        drawn.append(Factors(a.astype(kind), _scaled(b, 1 / math.sqrt(lowrank.rank), kind)))  # type: ignore[arg-type]
    return jax.tree.unflatten(structure, drawn)


def fallbacks(cuts: Cuts) -> list[str]:
    """The matrices that have dense noise: they meet a primitive without a low-rank rule."""
    return sorted(cuts.ruleless)


def fitness(
    lowrank: LowRank, cuts: Cuts, loss: Loss, params: Params, inputs: PyTree, noise: PyTree, shared: bool, block: int
) -> Float[Array, "units directions signs"]:
    """The mean over a unit's examples of the function's value for each of its members.

    Args:
        inputs: [units, group, ...], or with `shared` [batch, ...] for all units.
    """
    scales = _scales(lowrank)

    def unit(inputs: PyTree, noise: PyTree) -> Array:
        axes = _direction_axes(noise)

        def example(example: PyTree) -> Array:
            lifted = lift(loss, params, *example)
            return over_members(
                lambda noise, scale: (lifted(noise, scale), ()), noise, axes, lowrank.directions, scales
            )[0]

        return jnp.mean(jax.vmap(example)(inputs), axis=0)

    return jax.vmap(unit, in_axes=(None if shared else 0, 0))(inputs, _all_directions(noise))


def outputs(
    lowrank: LowRank, apply: Callable[..., Array], params: Params, inputs: PyTree, noise: PyTree
) -> Float[Array, "units directions signs batch outputs"]:
    """What each member's network gives for inputs of its own, the product with the mean made once for all members.

    Args:
        apply: (params, *inputs of a member) -> [batch, outputs].
        inputs: a tuple of trees of arrays [units, directions, signs, ...].
    """

    def unit(inputs: PyTree, noise: PyTree) -> Array:
        def direction(noise: PyTree, inputs: PyTree) -> Array:
            return jax.vmap(lambda scale, own: lift(apply, params, *own)(noise, scale))(_scales(lowrank), inputs)

        return jax.vmap(direction, (_direction_axes(noise), 0))(noise, inputs)

    return jax.vmap(unit)(inputs, _all_directions(noise))


def of_members(
    lowrank: LowRank, function: Callable[..., PyTree], params: Params, inputs: PyTree, noise: PyTree
) -> PyTree:
    """What a function of (params, *inputs) gives for each member, [units, directions, signs, ...], on the same inputs.

    A direction at a time: the inputs may be many examples.
    """
    lifted = lift(function, params, *inputs)

    def unit(noise: PyTree) -> PyTree:
        axes = _direction_axes(noise)

        def direction(at: Array) -> PyTree:
            own = jax.tree.map(lambda leaf, axis: leaf if axis is None else leaf[at], noise, axes)
            return jax.vmap(lambda scale: lifted(own, scale))(_scales(lowrank))

        return jax.lax.map(direction, jnp.arange(lowrank.directions))

    return jax.lax.map(unit, _all_directions(noise))


def both(
    lowrank: LowRank,
    cuts: Cuts,
    loss: Loss,
    params: Params,
    inputs: PyTree,
    noise: PyTree,
    weights: Weigh,
    shared: bool,
    block: int,
) -> tuple[Float[Array, "units directions signs"], Params]:
    """The fitness of all members, and Σ w · ε over them with w = weights(f)."""
    values = fitness(
        lowrank, cuts, loss, params, inputs, noise, shared, block
    )  # not computed where no weight asks for it
    return values, estimate(noise, weights(values, 0))


def laid_out(total: Params, params: Params) -> Params:
    """The sum of what `both` gives, as the parameters are laid out: it is already."""
    return total


def estimate(noise: PyTree, weights: Float[Array, "units directions signs"]) -> Params:
    """Σ w · ε over the members, multiplied out: one matrix product a leaf."""
    signed = weights[..., 0] - weights[..., 1] if weights.shape[-1] == 2 else weights[..., 0]

    def leaf(noise: Frame | Factors) -> Array:
        if isinstance(noise, Frame):
            return jnp.sum(noise.weighted(signed.astype(noise.values.dtype)), axis=0)
        a, directions = noise.a, cast(Frame, noise.b)
        b = directions.weighted(signed.astype(directions.values.dtype))
        units, rank = a.shape[0], a.shape[-1]
        total = jnp.einsum("uar,ubr->ab", a.reshape(units, -1, rank), b.reshape(units, -1, rank))
        return total.reshape(*a.shape[1:-1], *b.shape[1:-1])

    return jax.tree.map(leaf, noise, is_leaf=_is_noise)


def _candidates(shape: tuple[int, ...], rank: int) -> list[int | None]:
    """Cuts from the smallest factors to the largest; None, dense noise, comes last."""
    cuts = [c for c in range(1, len(shape)) if min(math.prod(shape[:c]), math.prod(shape[c:])) > rank]
    return [*sorted(cuts, key=lambda c: math.prod(shape[:c]) + math.prod(shape[c:])), None]


def _scales(lowrank: LowRank) -> Float[Array, " signs"]:
    return jnp.array([lowrank.sigma, -lowrank.sigma][: lowrank.signs])


def _is_noise(node: Any) -> bool:
    return isinstance(node, Factors | Frame)


def _scaled(frame: Frame, scale: float, kind: Any) -> Frame:
    return Frame((frame.values * scale).astype(kind), frame.rows.astype(kind))


def _all_directions(noise: PyTree) -> PyTree:
    """The noise with its frames as arrays [units, directions, ...]."""

    def leaf(node: Frame | Factors) -> Array | Factors:
        return node.all() if isinstance(node, Frame) else Factors(node.a, cast(Frame, node.b).all())

    return jax.tree.map(leaf, noise, is_leaf=_is_noise)


def _direction_axes(noise: PyTree) -> PyTree:
    """vmap's axes for one direction of a unit's noise: a is shared, b and dense noise are not."""
    is_factors = lambda node: isinstance(node, Factors)  # noqa: E731
    return jax.tree.map(lambda node: Factors(None, 0) if is_factors(node) else 0, noise, is_leaf=is_factors)  # type: ignore[arg-type]


def _one_direction(noise: PyTree) -> PyTree:
    """The first direction of the first unit, as `lift` takes it."""
    is_factors = lambda node: isinstance(node, Factors)  # noqa: E731
    return jax.tree.map(
        lambda node: Factors(node.a[0], node.b[0, 0]) if is_factors(node) else node[0, 0],
        _all_directions(noise),
        is_leaf=is_factors,
    )
