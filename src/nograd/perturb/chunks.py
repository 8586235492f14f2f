"""A generation as a fixed number of chunks: the unit of work, addressed by (key, generation, chunk index).

The plan follows from the population alone, never from the number of workers, and sums over
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
# unit -> (fitness [members], Σ w · ε), where the weights follow from the unit's own fitness.
Both: TypeAlias = Callable[[Int[Array, ""]], tuple[Float[Array, " members"], Params]]

MAX_CHUNKS = 16
_MIN_CHUNKS = 8
_UNROLL = 4


class Plan(NamedTuple):
    """`chunks` chunks of `size` units. Units past `units` are padding."""

    units: int
    chunks: int
    size: int


def plan(units: int) -> Plan:
    """The plan with the least padding for a population of `units` draws; of equal ones the most chunks."""
    counts = range(min(units, MAX_CHUNKS), min(units, _MIN_CHUNKS) - 1, -1)
    plans = [Plan(units, -(-units // size), size) for size in (-(-units // count) for count in counts)]
    return min(plans, key=lambda candidate: candidate.chunks * candidate.size)


def chunk_units(plan: Plan, index: Int[Array, ""]) -> Int[Array, " size"]:
    """The unit numbers of one chunk."""
    return index * plan.size + jnp.arange(plan.size)


def evaluate_chunk(plan: Plan, evaluate: Evaluate, index: Int[Array, ""]) -> Float[Array, "size members"]:
    """The fitness of one chunk's members, unit after unit.

    Several units in one `vmap` were measured to be slower for all but the smallest networks: the products of
    one member are large enough, and batched products are not as well laid out.
    """
    return jax.lax.map(evaluate, chunk_units(plan, index))


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


def both_chunk(plan: Plan, both: Both, index: Int[Array, ""]) -> tuple[Params, Float[Array, "size members"]]:
    """Σ w · ε of one chunk and the fitness of its members, in one pass."""
    units = chunk_units(plan, index)
    if plan.size == 1:
        fitness, total = both(units[0])
        return total, fitness[None]
    shapes = jax.eval_shape(both, units[0])[1]
    zeros = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)

    def step(total: Params, unit: Array) -> tuple[Params, Array]:
        fitness, own = both(unit)
        return add(total, own), fitness

    return jax.lax.scan(step, zeros, units)


def evaluate_all(plan: Plan, evaluate: Evaluate) -> Float[Array, "units members"]:
    """The fitness of the whole population, chunk after chunk."""
    fitness = jax.lax.map(lambda index: evaluate_chunk(plan, evaluate, index), jnp.arange(plan.chunks))
    return fitness.reshape(-1, fitness.shape[-1])[: plan.units]


def estimate_all(plan: Plan, weighted_noise: WeightedNoise, weights: Float[Array, "units members"]) -> Params:
    """Σ over the population of w · ε along the fixed tree of chunks."""
    padded = jnp.pad(weights, ((0, plan.chunks * plan.size - plan.units), (0, 0)))
    return binary_tree_sum(lambda index: (estimate_chunk(plan, weighted_noise, padded, index), ()), plan.chunks)[0]


def both_all(plan: Plan, both: Both) -> tuple[Float[Array, "units members"], Params]:
    """Fitness and estimate of the whole population in one pass. `both` gives padding units no weight."""
    total, fitness = binary_tree_sum(lambda index: both_chunk(plan, both, index), plan.chunks)
    return fitness.reshape(-1, fitness.shape[-1])[: plan.units], total
