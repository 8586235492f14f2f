"""Low-rank perturbation: a member's weights are W ± (σ/√r) A Bᵀ (EGGROLL, Sarkar et al. 2025, arXiv 2511.16652)."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from nograd.core.random import ROW_STREAM
from nograd.core.trees import leaf_streams, shown_names
from nograd.core.types import ConfigError, InterpretError, Key, Params, PyTree
from nograd.perturbations.alignment import aligned, data_matrices
from nograd.perturbations.batch_limits import BatchLimits, power_of_two
from nograd.perturbations.directions import FRAME_NOISES, Directions, check_frame, frame, rows, shared_out
from nograd.perturbations.jaxpr.factors import Factors
from nograd.perturbations.jaxpr.interpret import NoRuleError, lift
from nograd.perturbations.lowrank_members import estimate, fitness, of_members, one_direction, outputs
from nograd.perturbations.members import SMALL, Loss, Weigh
from nograd.perturbations.tiled import TiledPerturbation


class _Settings(NamedTuple):
    sigma: float
    rank: int
    directions: int
    group: int
    noise: str
    mirrored: bool
    densify: bool


class LowRank(TiledPerturbation, _Settings):
    """The low-rank perturbation. A unit has one factor A and `directions` factors B per matrix; see `lowrank`."""

    @property
    def word(self) -> str:
        """What the command line calls it."""
        return "lowrank"

    @property
    def shared_directions(self) -> int | None:
        """All directions where the group is the whole batch, else None."""
        return None if self.group else self.directions

    @property
    def by_example(self) -> bool:
        """False: the examples of a group see the same members."""
        return False

    def whole_batch(self) -> "LowRank":
        """This perturbation with group 0: all examples see the same members."""
        return self._replace(group=0)

    def prepare(self, loss: Loss, params: Params, example: PyTree) -> "MatrixSplits":
        """Where to cut each leaf: between the axes that make the factors smallest and that the network allows.

        Raises:
            InterpretError: a large parameter meets a primitive without a low-rank rule, and `densify` is not set.
        """
        names, shapes = shown_names(params), [jnp.shape(leaf) for leaf in jax.tree.leaves(params)]
        left = {name: _candidates(shape, self.rank) for name, shape in zip(names, shapes, strict=True)}
        ruleless: tuple[str, ...] = ()
        while True:
            cuts = MatrixSplits(tuple(left[name][0] for name in names), ruleless)

            def value(params: Params, example: PyTree, cuts: MatrixSplits = cuts) -> PyTree:
                noise = self.draw(cuts, params, jax.random.key(0), 0, 1)
                return lift(loss, params, *example)(one_direction(noise), 1.0)

            try:
                jax.eval_shape(value, params, example)
                if self.noise == "aligned":
                    return cuts._replace(data=data_matrices(loss, params, example, cuts.at))
                return cuts
            except NoRuleError as error:
                left[error.path].pop(0)
                size = math.prod(shapes[names.index(error.path)])
                if left[error.path] == [None]:
                    ruleless += (error.path,)
                if left[error.path] == [None] and size > SMALL and not self.densify:
                    raise InterpretError(
                        f"{error}; pass densify=True to give it dense noise ({4e-6 * size:.3g} MB a member), "
                        "or use perturbation node or dense"
                    ) from None

    def fallbacks(self, prepared: "MatrixSplits") -> list[str]:
        """The matrices that get dense noise, as they enter a primitive without a low-rank rule."""
        return sorted(prepared.ruleless)

    def tile(self, elements: int, units: int, count: int | None, limits: BatchLimits) -> tuple[int, int]:
        """As many units as fit one call with all their directions."""
        wanted = -(-units // (count or limits.lowrank_tiles))
        most = min(limits.tile // max(elements * self.directions, 1), limits.units, wanted)
        return power_of_two(most), self.directions

    def draw(self, prepared: "MatrixSplits", params: Params, key: Key, first: Array | int, units: int) -> PyTree:
        """The noise of units first, first + 1, …: a tree like the parameters.

        A leaf is `Factors` of a [units, *A, r] and `Directions` of b [units, directions, *B, r], or
        `Directions` of dense noise [units, directions, *shape].
        """
        leaves, structure = jax.tree.flatten(params)
        parts = [_of_directions(jnp.shape(leaf), cut, self.rank) for leaf, cut in zip(leaves, prepared.at, strict=True)]
        columns = shared_out(self.noise, self.directions, [math.prod(part) for part in parts])
        drawn = []
        for leaf, cut, part, own, stream in zip(leaves, prepared.at, parts, columns, leaf_streams(params), strict=True):
            kind = jnp.result_type(leaf)
            b = frame(self.noise, key, stream, first, units, self.directions, part, own)
            if cut is None:
                drawn.append(_scaled(b, 1.0, kind))
                continue
            a = rows(self.noise, key, stream ^ ROW_STREAM, first, units, (*jnp.shape(leaf)[:cut], self.rank))
            drawn.append(Factors(a.astype(kind), _scaled(b, 1 / math.sqrt(self.rank), kind)))  # type: ignore[arg-type]
        return jax.tree.unflatten(structure, drawn)

    def fitness(
        self,
        prepared: "MatrixSplits",
        loss: Loss,
        params: Params,
        inputs: PyTree,
        noise: PyTree,
        shared: bool,
        block: int,
    ) -> Float[Array, "units directions signs"]:
        """The mean over a unit's examples of the function's value for each member; all directions at once."""
        noise = aligned(prepared.data, noise, inputs, shared)
        return fitness(self._scales, self.directions, loss, params, inputs, noise, shared)

    def both(
        self,
        prepared: "MatrixSplits",
        loss: Loss,
        params: Params,
        inputs: PyTree,
        noise: PyTree,
        weights: Weigh,
        shared: bool,
        block: int,
    ) -> tuple[Float[Array, "units directions signs"], Params]:
        """The fitness of all members, and Σ w · ε; the fitness is not computed where no weight asks for it."""
        noise = aligned(prepared.data, noise, inputs, shared)
        values = fitness(self._scales, self.directions, loss, params, inputs, noise, shared)
        return values, estimate(noise, weights(values, 0))

    def laid_out(self, total: Params, params: Params) -> Params:
        """The sum unchanged: it is already arranged like the parameters."""
        return total

    def outputs(self, apply: Callable[..., PyTree], params: Params, inputs: PyTree, noise: PyTree) -> PyTree:
        """The outputs of each member's network for its own inputs, [units, directions, signs, ...]."""
        self._require_random()
        return outputs(self._scales, apply, params, inputs, noise)

    def of_members(self, function: Callable[..., PyTree], params: Params, inputs: PyTree, noise: PyTree) -> PyTree:
        """The value of a function of (params, *inputs) for each member, on the same inputs."""
        self._require_random()
        return of_members(self._scales, self.directions, function, params, inputs, noise)

    def _require_random(self) -> None:
        if self.noise == "aligned":
            raise ConfigError("noise aligned goes by the examples of a data set; use orthogonal or rademacher here")

    @property
    def _scales(self) -> Float[Array, " signs"]:
        return jnp.array([self.sigma, -self.sigma][: self.signs])


class MatrixSplits(NamedTuple):
    """Where each leaf of the parameters is cut into rows and columns; None: it has dense noise."""

    at: tuple[int | None, ...]
    ruleless: tuple[str, ...] = ()  # leaves that have dense noise because the network allows no other
    data: tuple[int | None, ...] = ()  # with "aligned" noise: the array of an example that a leaf multiplies


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
    """The low-rank perturbation θᵢ = θ ± σEᵢ with E = A Bᵀ/√r for every matrix (Sarkar et al. 2025, arXiv 2511.16652).

    x(W + σE) = xW + (σ/√r)(xA)Bᵀ, where xW is computed once for all members. The update is Σ wᵢ Aᵢ Bᵢᵀ/√r, one matrix
    product for each layer. Vectors (biases, norms), and matrices with a side no longer than the rank, have dense
    noise; so have small arrays that the network does not use as matrices (the biases [heads, width] of an attention).
    A convolution kernel or an embedding is seen as a matrix by splitting its axes into two groups.

    Args:
        rank: r, the columns of A and B.
        sigma: standard deviation of each weight's perturbation, in units of the parameters.
        directions: factors B that share a factor A on the same examples. They are orthogonal, so they count as
            much as `directions` independent pairs, at little more than the cost of one.
        group: examples of the batch that see the same members; 0: the whole batch, as in the paper.
        noise: "rademacher" (random signs), "orthogonal" (random signs whose directions are orthogonal for all matrices
            together: use a power of two of them), "aligned" (the same, and the factor A of a matrix that multiplies the
            examples is a random combination of the group's examples) or "gaussian".
        mirrored: whether each E is evaluated with both signs.
        densify: whether a large parameter that is used by a primitive without a low-rank rule gets dense noise, which
            costs a separate product for every member; otherwise it is an error.

    Raises:
        ConfigError: a number is out of its range.
    """
    check_frame(noise, directions, sigma, (*FRAME_NOISES, "aligned"))
    if not isinstance(rank, int) or rank < 1:
        raise ConfigError(f"rank must be a whole number of at least 1, got {rank}; 1 to 4 are usual")
    if not isinstance(group, int) or group < 0:
        raise ConfigError(f"group must be 0 (the whole batch) or a number of examples, got {group}; try 8")
    return LowRank(sigma, rank, directions, group, noise, mirrored, densify)


def _candidates(shape: tuple[int, ...], rank: int) -> list[int | None]:
    """Cuts from the smallest factors to the largest; None, dense noise, comes last."""
    cuts = [c for c in range(1, len(shape)) if min(math.prod(shape[:c]), math.prod(shape[c:])) > rank]
    return [*sorted(cuts, key=lambda c: math.prod(shape[:c]) + math.prod(shape[c:])), None]


def _of_directions(shape: tuple[int, ...], cut: int | None, rank: int) -> tuple[int, ...]:
    """The shape of the part of a leaf's noise that each direction has for itself: B, or the noise itself."""
    return shape if cut is None else (*shape[cut:], rank)


def _scaled(frame: Directions, scale: float, kind: Any) -> Directions:
    return Directions((frame.values * scale).astype(kind), frame.rows.astype(kind))
