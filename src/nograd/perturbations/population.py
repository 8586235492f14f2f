"""The population of a perturbation that is local to examples: units of a batch, in tiles, in chunks.

A unit is a group of examples with the directions that they are evaluated along (one example for `node`; `group` of
them for `lowrank`; the whole batch with a block of the directions where group is 0). A tile is as many units as one
vectorised call evaluates, a chunk a fixed number of tiles. All three follow from the settings, the network and the kind
of device (`batch_limits`), never from the number of workers.
"""

import math
from collections.abc import Callable
from typing import TypeAlias

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from nograd.core import chunks
from nograd.core.trees import Span
from nograd.core.types import ConfigError, Key, Params, PyTree
from nograd.perturbations.base import Local as Local
from nograd.perturbations.base import LocalPerturbation, Values, Weights
from nograd.perturbations.batch_limits import batch_limits
from nograd.perturbations.jaxpr.flatten import flat_jaxpr
from nograd.perturbations.members import Loss, Weigh

# From a part of the batch to arrays of examples. If the batch holds only the numbers of examples, each chunk reads the
# examples that it needs.
Read: TypeAlias = Callable[[PyTree], PyTree]

_BLOCK = 32  # directions of a unit whose examples are the whole batch


def local_population(
    perturbation: LocalPerturbation, loss: Loss, params: Params, *batch: PyTree, count: int | None = None
) -> Local:
    """How the batch and the directions are cut into units, tiles and chunks: from shapes alone.

    Args:
        perturbation: `lowrank`, `node`, or any other `LocalPerturbation`.
        loss: (params, *one example) -> its value, higher is better. Each example counts alone.
        params: the mean, or its shapes.
        batch: arrays (or their shapes) with a leading axis of examples.
        count: of chunks, in place of the plan's own; tiles are then small enough for it.

    Raises:
        ConfigError: the batch cannot be cut into groups.
        InterpretError: the network has a primitive without a rule.
    """
    size = jax.tree.leaves(batch)[0].shape[0]
    group = perturbation.group or size
    if size % group:
        raise ConfigError(
            f"the batch of {size} cannot be cut into groups of {group}; "
            f"use batch {max(size // group, 1) * group} or group 0 (the whole batch)"
        )
    example = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape[1:], leaf.dtype), batch)
    shared, units = perturbation.group == 0, size // group
    if shared:
        block = math.gcd(perturbation.directions, _BLOCK)
        while block % 2 == 0 and perturbation.directions // block < (count or 1):
            block //= 2  # a unit is in one chunk
        units = perturbation.directions // block
        perturbation = perturbation.along(block)
    prepared = perturbation.prepare(loss, params, example)
    elements = group * perturbation.signs * _widest(loss, params, example)  # for one unit and direction
    tile, block = perturbation.tile(elements, units, count, batch_limits())
    plan = chunks.plan(-(-units // tile), count)
    return Local(perturbation, loss, prepared, units, group, shared, tile, block, plan)


def _as_it_is(batch: PyTree) -> PyTree:
    return batch


def population_fitness(
    local: Local, params: Params, batch: PyTree, key: Key, span: Span | None = None, read: Read = _as_it_is
) -> Float[Array, "chunks size members"]:
    """The fitness of every member by tiles: the mean of its examples. See `by_pairs`."""
    rows = _padded(local, batch, read)

    def tile(index: Array) -> Array:
        inputs, noise = _tile(local, params, rows, key, index, read)
        found = local.perturbation.fitness(local.prepared, local.loss, params, inputs, noise, local.shared, local.block)
        return found.reshape(-1)

    return chunks.evaluate_chunks(local.plan, tile, span)


def population_estimate(
    local: Local,
    params: Params,
    batch: PyTree,
    key: Key,
    weights: Float[Array, "chunks size members"],
    span: Span | None = None,
    read: Read = _as_it_is,
) -> Params:
    """Σ w · ε over the population, with the noise (and the layers' inputs for `node`) made again."""
    rows = _padded(local, batch, read)

    def tile(index: Array, weights: Array) -> Params:
        shaped = weights.reshape(local.tile, local.perturbation.directions, local.perturbation.signs)
        if local.perturbation.mirrored:  # only the difference of a pair is information; see `node.both`
            shaped = shaped - jnp.mean(shaped, axis=2, keepdims=True)

        def given(fitness: Array, first: Array | int) -> Array:
            return jax.lax.dynamic_slice_in_dim(shaped, first, fitness.shape[1], axis=1)

        inputs, noise = _tile(local, params, rows, key, index, read)
        return _both(local, params, inputs, noise, given)[1]

    return local.perturbation.laid_out(chunks.estimate_chunks(local.plan, tile, weights, span), params)


def population_both(
    local: Local,
    params: Params,
    batch: PyTree,
    key: Key,
    weights: Weights,
    span: Span | None = None,
    read: Read = _as_it_is,
) -> tuple[Float[Array, "chunks size members"], Params]:
    """Fitness and Σ w · ε in one pass, where the weights of a pair follow from its own fitness."""
    rows = _padded(local, batch, read)

    def tile(index: Array) -> tuple[Array, Params]:
        real = index * local.tile + jnp.arange(local.tile) < local.units

        def of_pairs(fitness: Array, first: Array | int) -> Array:
            shaped = weights(fitness.reshape(-1, fitness.shape[-1])).reshape(fitness.shape)
            return jnp.where(real[:, None, None], shaped, 0.0)

        fitness, total = _both(local, params, *_tile(local, params, rows, key, index, read), of_pairs)
        return fitness.reshape(-1), total

    fitness, total = chunks.both_chunks(local.plan, tile, span)
    return fitness, local.perturbation.laid_out(total, params)


def by_pairs(local: Local, fitness: Float[Array, "chunks size members"]) -> Float[Array, "pairs members"]:
    """One row for each direction, with both signs if mirrored, without padding."""
    return fitness.reshape(-1, local.unit_members)[: local.units].reshape(-1, local.perturbation.signs)


def by_tiles(local: Local, weights: Float[Array, "pairs members"]) -> Float[Array, "chunks size members"]:
    """The inverse of `by_pairs`, padded with zeros."""
    given = weights.reshape(local.units, local.unit_members)
    padded = jnp.pad(given, ((0, -(-local.units // local.tile) * local.tile - local.units), (0, 0)))
    return chunks.by_chunks(local.plan, padded.reshape(-1, local.tile * local.unit_members))


def _padded(local: Local, batch: PyTree, read: Read) -> PyTree:
    """The batch by units [units, group, ...], the last one repeated to fill a tile; read as a whole, where shared."""
    if local.shared:
        return read(batch)
    more = local.plan.chunks * local.plan.size * local.tile - local.units

    def rows(leaf: Array) -> Array:
        units = leaf.reshape(local.units, local.group, *leaf.shape[1:])
        return jnp.pad(units, ((0, more), *((0, 0),) * leaf.ndim), mode="edge") if more else units

    return jax.tree.map(rows, batch)


def _both(local: Local, params: Params, inputs: PyTree, noise: PyTree, weights: Weigh) -> tuple[Array, Params]:
    given = (local.prepared, local.loss, params, inputs, noise)
    return local.perturbation.both(*given, weights, local.shared, local.block)


def _tile(local: Local, params: Params, rows: PyTree, key: Key, index: Array, read: Read) -> tuple[PyTree, PyTree]:
    """The inputs and the noise of one tile."""
    start = index * local.tile
    inputs = rows
    if not local.shared:
        inputs = read(jax.tree.map(lambda leaf: jax.lax.dynamic_slice_in_dim(leaf, start, local.tile), rows))
    noise = local.perturbation.draw(local.prepared, params, key, start, local.tile)
    return inputs, noise


def _widest(loss: Loss, params: Params, example: PyTree) -> int:
    """Elements of the largest value that is different for every member and example."""
    jaxpr = flat_jaxpr(loss, params, *example)[0].jaxpr
    count, largest = len(jax.tree.leaves(params)), 1
    of_members, of_examples = set(jaxpr.invars[:count]), set(jaxpr.invars[count:])
    for equation in jaxpr.eqns:
        read = [atom for atom in equation.invars if not hasattr(atom, "val")]
        for own in (of_members, of_examples):
            if any(atom in own for atom in read):
                own.update(equation.outvars)
        both = [v.aval for v in equation.outvars if v in of_members and v in of_examples]
        largest = max([largest, *(math.prod(getattr(aval, "shape", ())) for aval in both)])
    return largest


def sampled_by_example(
    perturbation: LocalPerturbation, values: Values, params: Params, inputs: PyTree, key: Key, weights: Weights
) -> tuple[Float[Array, "pairs members"], Params]:
    """See `Perturbation.sampled`: every example is evaluated alone."""

    def fitness(params: Params, *example: PyTree) -> Array:
        return values(params, *jax.tree.map(lambda leaf: leaf[None], example))[0]

    local = local_population(perturbation, fitness, params, *inputs)
    chunked, total = population_both(local, params, inputs, key, weights)
    return by_pairs(local, chunked), total
