"""A generation as a fixed number of chunks: the unit of work, addressed by (key, generation, chunk index).

The plan follows from the population and the model alone, never from the number of workers, and sums over
chunks follow a fixed binary tree: whoever computes a chunk, the bits are the same.
"""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from nograd.trees import add, binary_tree_sum
from nograd.types import Params

# A unit is one draw, addressed by its number: unit -> fitness [members]; (unit, weights [members]) -> Σ w · ε.
Evaluate: TypeAlias = Callable[[Int[Array, ""]], Float[Array, " members"]]
WeightedNoise: TypeAlias = Callable[[Int[Array, ""], Float[Array, " members"]], Params]

MAX_CHUNKS = 16
_MIN_CHUNKS = 8
# Units evaluated together must fit a core's share of the last-level cache: 2¹⁸ floats are 1 MiB.
_LANE_PARAMETERS = 1 << 18
_MAX_LANES = 64
_UNROLL = 4


class Plan(NamedTuple):
    """`chunks` chunks of `size` units, `lanes` units at a time. Units past `units` are padding."""

    units: int
    chunks: int
    size: int
    lanes: int


def plan(units: int, parameters: int) -> Plan:
    """The plan with the least padding, for a population of `units` draws on a model of `parameters`."""
    most = max(1, min(_MAX_LANES, _LANE_PARAMETERS // max(parameters, 1)))

    def candidate(chunks: int) -> Plan:
        size = -(-units // chunks)
        lanes = next(n for n in range(min(most, size), 0, -1) if size % n == 0)
        return Plan(units, -(-units // size), size, lanes)

    counts = range(min(units, MAX_CHUNKS), min(units, _MIN_CHUNKS) - 1, -1)
    return min(map(candidate, counts), key=lambda p: p.chunks * p.size)


def chunk_units(plan: Plan, index: Int[Array, ""]) -> Int[Array, " size"]:
    """The unit numbers of one chunk."""
    return index * plan.size + jnp.arange(plan.size)


def evaluate_chunk(plan: Plan, evaluate: Evaluate, index: Int[Array, ""]) -> Float[Array, "size members"]:
    """The fitness of one chunk's members, `plan.lanes` units at a time."""
    # A batch of one unit would still turn every product into a batched one.
    lanes = plan.lanes if plan.lanes > 1 else None
    return jax.lax.map(evaluate, chunk_units(plan, index), batch_size=lanes)


def estimate_chunk(
    plan: Plan, weighted_noise: WeightedNoise, weights: Float[Array, "padded members"], index: Int[Array, ""]
) -> Params:
    """Σ over one chunk's members of w · ε, redrawn: population × parameters floats would dwarf the model."""
    units = chunk_units(plan, index)
    own = jax.lax.dynamic_slice_in_dim(weights, index * plan.size, plan.size)
    shapes = jax.eval_shape(weighted_noise, units[0], own[0])
    zeros = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)

    def step(total: Params, unit: tuple[Array, Array]) -> tuple[Params, None]:
        return add(total, weighted_noise(*unit)), None

    # Unrolled, several draws share one pass over the total, which is larger than the first-level caches.
    return jax.lax.scan(step, zeros, (units, own), unroll=min(_UNROLL, plan.size))[0]


def evaluate_all(plan: Plan, evaluate: Evaluate) -> Float[Array, "units members"]:
    """The fitness of the whole population, chunk after chunk."""
    fitness = jax.lax.map(lambda index: evaluate_chunk(plan, evaluate, index), jnp.arange(plan.chunks))
    return fitness.reshape(-1, fitness.shape[-1])[: plan.units]


def estimate_all(plan: Plan, weighted_noise: WeightedNoise, weights: Float[Array, "units members"]) -> Params:
    """Σ over the population of w · ε along the fixed tree of chunks."""
    padded = jnp.pad(weights, ((0, plan.chunks * plan.size - plan.units), (0, 0)))
    return binary_tree_sum(lambda index: estimate_chunk(plan, weighted_noise, padded, index), plan.chunks)
