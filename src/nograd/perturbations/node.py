"""Node perturbation: noise on the outputs of every layer that is linear in its parameters."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from nograd.core.types import ConfigError, InterpretError, Key, Params, PyTree
from nograd.perturbations.batch_limits import BatchLimits, power_of_two
from nograd.perturbations.directions import Directions, check_frame, frame, shared_out
from nograd.perturbations.jaxpr.flatten import flat_jaxpr
from nograd.perturbations.jaxpr.walk import Walk
from nograd.perturbations.members import SMALL, Loss, Weigh
from nograd.perturbations.node_estimate import both, fitness, turned
from nograd.perturbations.node_network import NoiseSite, arguments
from nograd.perturbations.tiled import TiledPerturbation


class _Settings(NamedTuple):
    sigma: float
    directions: int
    noise: str
    mirrored: bool
    densify: bool


class Node(TiledPerturbation, _Settings):
    """Node perturbation. A unit is one example with `directions` directions of noise; see `node`."""

    @property
    def word(self) -> str:
        """What the command line calls it."""
        return "node"

    @property
    def group(self) -> int:
        """1: each example has noise of its own."""
        return 1

    @property
    def shared_directions(self) -> None:
        """None: each example has directions of its own."""
        return None

    @property
    def by_example(self) -> bool:
        """True: each example has noise of its own."""
        return True

    def whole_batch(self) -> "Node":
        """Raises ConfigError: each example has noise of its own."""
        raise ConfigError("node perturbation goes by the examples of a batch; use a dense or low-rank one")

    def prepare(self, loss: Loss, params: Params, example: PyTree) -> tuple[NoiseSite, ...]:
        """The places of noise in the evaluation of one example, in the order of the walk.

        Raises:
            InterpretError: a large parameter enters through a function that is not linear, and `densify` is not set.
        """
        sites: list[NoiseSite] = []

        def note(shape: tuple[int, ...], kind: Any, parameter: str | None, reader: str, first: bool) -> Array:
            size = math.prod(shape)
            if parameter is not None and size > SMALL and not self.densify:
                raise InterpretError(
                    f"no linear layer output carries parameter {parameter!r} {list(shape)}: it enters {reader!r}; mark "
                    f"a rounding by nograd.straight_through, or pass densify=True to give it dense noise of its own "
                    f"({4e-6 * size:.3g} MB a member)"
                )
            sites.append(NoiseSite(shape, parameter, first))
            return jnp.zeros(shape, kind)

        def forward(params: Params, example: PyTree) -> list[Array]:
            return Walk(flat_jaxpr(loss, params, *example)[0], arguments(params, example), note).run()

        jax.eval_shape(forward, params, example)
        return tuple(sites)

    def fallbacks(self, prepared: Sequence[NoiseSite]) -> list[str]:
        """The parameters that have dense noise of their own: no linear layer output carries them."""
        return sorted({site.parameter for site in prepared if site.parameter is not None})

    def tile(self, elements: int, units: int, count: int | None, limits: BatchLimits) -> tuple[int, int]:
        """A tile as large as the chunks allow, gone through in blocks of directions that the caches hold.

        The transposes of the first layers are applied once a tile: their products are the better the more examples
        go into one.
        """
        wanted = -(-units // count) if count else max(-(-units // limits.node_tiles), limits.least)
        tile = power_of_two(min(limits.units, wanted, units))
        blocks = [block for block in range(1, self.directions + 1) if self.directions % block == 0]
        return tile, max((block for block in blocks if tile * block * elements <= limits.block), default=1)

    def draw(
        self, prepared: Sequence[NoiseSite], params: Params, key: Key, first: Array | int, units: int
    ) -> list[Directions]:
        """ξ at each site for examples first, first + 1, …"""
        columns = shared_out(self.noise, self.directions, [math.prod(site.shape) for site in prepared])
        return [
            frame(self.noise, key, stream, first, units, self.directions, site.shape, own)
            for stream, (site, own) in enumerate(zip(prepared, columns, strict=True))
        ]

    def fitness(
        self,
        prepared: Sequence[NoiseSite],
        loss: Loss,
        params: Params,
        inputs: PyTree,
        noise: list[Directions],
        shared: bool,
        block: int,
    ) -> Float[Array, "units directions signs"]:
        """The function's value for each member of each example; inputs are never `shared`."""
        return fitness(self._scales, self.directions, prepared, loss, params, inputs, noise, block)

    def both(
        self,
        prepared: Sequence[NoiseSite],
        loss: Loss,
        params: Params,
        inputs: PyTree,
        noise: list[Directions],
        weights: Weigh,
        shared: bool,
        block: int,
    ) -> tuple[Float[Array, "units directions signs"], Params]:
        """The fitness, and Σ w · ε laid out as `turned`."""
        return both(self._scales, self.directions, prepared, loss, params, inputs, noise, weights, block)

    def laid_out(self, total: Params, params: Params) -> Params:
        """The sum with its tall and narrow matrices transposed back."""
        # Behind a barrier, or XLA moves the transposition back into the products.
        return turned(jax.lax.optimization_barrier(total), params)

    @property
    def _scales(self) -> Float[Array, " signs"]:
        return jnp.array([self.sigma, -self.sigma][: self.signs])


def node(
    sigma: float = 0.05,
    directions: int = 32,
    *,
    noise: str = "rademacher",
    mirrored: bool = True,
    densify: bool = False,
) -> Node:
    """Node perturbation: y ← y ± σξ at each layer output y = xW; W's estimate is xᵀ(Δ ξ)/σ with Δ = (f₊ − f₋)/2.

    Every example has its own ξ, in `directions` that are orthogonal to each other. The variance falls from the
    number of weights to the number of units (Fiete and Seung 2006; Hiratani et al. 2022, arXiv 2206.06234).
    If the two members of a mirrored pair have different inputs x at a layer, x is the mean of the two.

    Args:
        sigma: standard deviation σ of the noise, in units of the layers' outputs.
        directions: D, each evaluated with both signs: 2D forward passes an example share the first layer.
        noise: "rademacher" (random signs, orthogonal for each layer), "orthogonal" (random signs, orthogonal for all
            layers together: use a power of two of directions) or "gaussian" (independent normals).
        mirrored: whether each ξ is evaluated with both signs.
        densify: whether a large parameter that does not enter a linear layer gets dense noise of its own in every
            member; otherwise it is an error, which names the parameter and the memory.

    Raises:
        ConfigError: a number is out of its range.
    """
    check_frame(noise, directions, sigma)
    return Node(sigma, directions, noise, mirrored, densify)
