"""A generation as a fixed number of chunks: the unit of work, addressed by (key, generation, chunk index).

The plan depends on the population only, never on the number of workers, and the sum over chunks
is added along a fixed binary tree. So the result is bitwise the same whichever worker computes a chunk.
"""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from nograd.core.trees import Span, add, binary_tree_sum, rows_total, with_row
from nograd.core.types import Params

# A unit is one draw, addressed by its number: unit -> fitness [members]; (unit, weights [members]) -> Σ w · ε.
Evaluate: TypeAlias = Callable[[Int[Array, ""]], Float[Array, " members"]]
WeightedNoise: TypeAlias = Callable[[Int[Array, ""], Float[Array, " members"]], Params]
# unit -> (fitness [members], Σ w · ε), with weights that are computed from the fitness of this unit alone.
Both: TypeAlias = Callable[[Int[Array, ""]], tuple[Float[Array, " members"], Params]]

MAX_CHUNKS = 16
_MIN_CHUNKS = 8
_UNROLL = 4


class Plan(NamedTuple):
    """`chunks` chunks of `size` units. Units past `units` are padding."""

    units: int
    chunks: int
    size: int


def plan(units: int, count: int | None = None) -> Plan:
    """The plan with the least padding for a population of `units` draws; among equal plans the one with most chunks.

    Args:
        units: draws of the population.
        count: the wanted number of chunks. Fewer are planned if they hold all units in chunks of the same size.
    """
    if count is not None:
        size = -(-units // min(count, units))
        return Plan(units, -(-units // size), size)
    counts = range(min(units, MAX_CHUNKS), min(units, _MIN_CHUNKS) - 1, -1)
    plans = [Plan(units, -(-units // size), size) for size in (-(-units // count) for count in counts)]
    return min(plans, key=lambda candidate: candidate.chunks * candidate.size)


def chunk_units(plan: Plan, index: Int[Array, ""]) -> Int[Array, " size"]:
    """The unit numbers of one chunk."""
    return index * plan.size + jnp.arange(plan.size)


def evaluate_chunk(
    plan: Plan, evaluate: Evaluate, index: Int[Array, ""], at_once: int = 1
) -> Float[Array, "size members"]:
    """The fitness of one chunk's members, evaluated `at_once` units at a time.

    The default is 1: on a CPU core several units in one `vmap` were measured to be slower for all but the smallest
    networks. The matrix products of one member are large enough, and batched products use memory less well.
    """
    units = chunk_units(plan, index)
    size = None if at_once == 1 else min(at_once, plan.size)
    return jax.lax.map(evaluate, units, batch_size=size)


def estimate_chunk(
    plan: Plan, weighted_noise: WeightedNoise, weights: Float[Array, "chunks size members"], index: Int[Array, ""]
) -> Params:
    """Σ over one chunk's members of w · ε. ε is drawn again: storing it would take population × parameters floats."""
    units, own = chunk_units(plan, index), weights[index]
    if plan.size == 1:
        return weighted_noise(units[0], own[0])
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


def evaluate_chunks(
    plan: Plan, evaluate: Evaluate, span: Span | None = None, at_once: int = 1
) -> Float[Array, "chunks size members"]:
    """The fitness of the population, computed one chunk after another; zeros for chunks outside of `span`."""
    start, length = (0, plan.chunks) if span is None else span
    shape = jax.eval_shape(evaluate, jnp.int32(0))

    def step(index: Array, fitness: Array) -> Array:
        return fitness.at[start + index].set(evaluate_chunk(plan, evaluate, start + index, at_once))

    return jax.lax.fori_loop(0, length, step, jnp.zeros((plan.chunks, plan.size, *shape.shape), shape.dtype))


def estimate_chunks(
    plan: Plan, weighted_noise: WeightedNoise, weights: Float[Array, "chunks size members"], span: Span | None = None
) -> Params:
    """Σ w · ε over the population, or over the chunks in `span`, added along the fixed binary tree."""

    def term(index: Array) -> tuple[Params, tuple[()]]:
        return estimate_chunk(plan, weighted_noise, weights, index), ()

    return binary_tree_sum(term, plan.chunks, span)[0]


def estimate_at_once(
    plan: Plan, weighted_noise: WeightedNoise, weights: Float[Array, "chunks size members"], count: Int[Array, ""]
) -> Params:
    """`estimate_chunks` over the whole population, with its bits: all chunks are held at once, and then added up.

    It is quicker where a chunk takes microseconds, and takes the memory of all chunks.

    Args:
        count: the number of chunks, as an argument of the program: a loop of a known length is compiled otherwise, and
            may round otherwise.
    """
    shapes = jax.eval_shape(lambda: estimate_chunk(plan, weighted_noise, weights, jnp.int32(0)))
    rows = jax.tree.map(lambda leaf: jnp.zeros((plan.chunks, *leaf.shape), leaf.dtype), shapes)

    def step(index: Array, rows: Params) -> Params:
        return with_row(rows, index, estimate_chunk(plan, weighted_noise, weights, index))

    rows = jax.lax.fori_loop(0, count, step, rows)
    zeros = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
    # In a loop, which is done once: XLA would add again wherever the sum is used, and might round otherwise there.
    return jax.lax.fori_loop(0, jnp.minimum(count, 1), lambda _, __: rows_total(rows, plan.chunks), zeros)


def both_chunks(plan: Plan, both: Both, span: Span | None = None) -> tuple[Float[Array, "chunks size members"], Params]:
    """Fitness and estimate in one pass. `both` must give padding units the weight 0."""
    total, fitness = binary_tree_sum(lambda index: both_chunk(plan, both, index), plan.chunks, span)
    return fitness, total


def by_units(plan: Plan, chunked: Float[Array, "chunks size members"]) -> Float[Array, "units members"]:
    """The rows in the order of units, without padding."""
    return chunked.reshape(-1, chunked.shape[-1])[: plan.units]


def by_chunks(plan: Plan, rows: Float[Array, "units members"]) -> Float[Array, "chunks size members"]:
    """The rows in the order of chunks, padded with zeros."""
    padded = jnp.pad(rows, ((0, plan.chunks * plan.size - plan.units), (0, 0)))
    return padded.reshape(plan.chunks, plan.size, -1)
