"""How much one vectorised call computes at once: a core's caches, or an accelerator's memory, set the limit."""

from typing import NamedTuple

import jax


class BatchLimits(NamedTuple):
    """The limits of one call, in float32 elements of the widest value and in units."""

    tile: int  # elements of a tile
    block: int  # elements of a block of directions
    units: int  # of a tile, at most
    least: int  # units that a tile of `node` has where there are as many: products with less take as long
    node_tiles: int  # that a population of `node` is cut into, unless tiles of the least size are fewer
    lowrank_tiles: int  # that one of `lowrank` is cut into at least, where it has as many units
    members: int  # elements of the parameters of dense members that are evaluated side by side


# 2 MB are about what the caches of a core hold. Members side by side are slower there for all networks but tiny ones.
_CORE = BatchLimits(tile=1 << 19, block=1 << 18, units=256, least=16, node_tiles=8, lowrank_tiles=1, members=0)


def batch_limits() -> BatchLimits:
    """The limits of the devices that JAX computes on: of a core, or of accelerators with at least one tile each.

    An accelerator wants few and large calls; half a gigabyte for the widest value leaves room for the others.
    """
    if jax.default_backend() == "cpu":
        return _CORE
    devices = jax.local_device_count()
    return BatchLimits(1 << 27, 1 << 27, 1 << 20, 1, devices, devices, 1 << 27)


def power_of_two(most: int) -> int:
    """The largest power of two up to `most`, at least 1."""
    return 1 << max(most, 1).bit_length() - 1


def at_once(elements: int) -> int:
    """How many units of dense members are evaluated side by side, if a unit has `elements` parameters in all."""
    return max(batch_limits().members // elements, 1)
