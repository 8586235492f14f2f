"""Memory that several processes of one machine see: anonymous, so that it is gone with the last of them."""

import mmap
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from struct import Struct
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np

from nograd.engines.protocol import NEVER, Epoch, Request
from nograd.engines.worker import Done, Node

_ALIGNMENT = 64  # of every array, as XLA wants it to read in place


class Slot(NamedTuple):
    """An array's place in a block."""

    offset: int
    shape: tuple[int, ...]
    dtype: str


class Layout(NamedTuple):
    """Where the arrays of a block lie, by section."""

    sections: dict[str, list[Slot]]
    size: int  # bytes


def layout(sections: Mapping[str, Sequence[Any]]) -> Layout:
    """One after another, each aligned; of the arrays only shape and dtype count."""
    placed: dict[str, list[Slot]] = {}
    end = 0
    for name, arrays in sections.items():
        placed[name] = []
        for array in arrays:
            dtype = np.dtype(array.dtype)
            placed[name].append(Slot(end, tuple(array.shape), dtype.name))
            end += -(-int(np.prod(array.shape)) * dtype.itemsize // _ALIGNMENT) * _ALIGNMENT
    return Layout(placed, max(end, 1))


def sums_of(worker: int) -> str:
    """The section that a worker writes its sums to."""
    return f"sums {worker}"


def found_of(worker: int) -> str:
    """The section that a worker writes to what it found."""
    return f"found {worker}"


def with_epochs(published: Mapping[str, Sequence[Any]]) -> dict[str, Sequence[Any]]:
    """Sections that are published, each with one for its epoch beside it."""
    epochs = {_EPOCH + name: [np.zeros(len(Epoch._fields), np.int64)] for name in published}
    return {**published, **epochs}


_EPOCH = "epoch of "
_NUMBERS = Struct(f"={len(Epoch._fields)}q")  # an epoch's: NumPy would take ten times as long to write three numbers


class Block:
    """A file's bytes mapped as arrays: every process that maps the file sees the same ones."""

    def __init__(self, plan: Layout, file: int) -> None:
        self.plan = plan
        memory = mmap.mmap(file, plan.size)
        self._arrays = {
            section: [np.ndarray(slot.shape, _dtype(slot.dtype), buffer=memory, offset=slot.offset) for slot in slots]
            for section, slots in plan.sections.items()
        }
        self._memory = memory
        self._marks = {  # where the epoch of each section lies
            section.removeprefix(_EPOCH): slots[0].offset
            for section, slots in plan.sections.items()
            if section.startswith(_EPOCH)
        }

    def arrays(self, section: str) -> list[np.ndarray]:
        """The arrays of a section, in place."""
        return self._arrays[section]

    def fill(self, section: str, arrays: Sequence[Any]) -> int:
        """Copies arrays into a section; returns the bytes."""
        places = self.arrays(section)
        for place, array in zip(places, arrays, strict=True):
            place[...] = array
        return sum(place.nbytes for place in places)

    def publish(self, name: str, epoch: Epoch, arrays: Sequence[Any]) -> int:
        """Copies arrays into a section under their epoch; returns the bytes. Until then it has none."""
        mark = self._marks[name]
        _NUMBERS.pack_into(self._memory, mark, *NEVER)
        size = self.fill(name, arrays)
        _NUMBERS.pack_into(self._memory, mark, *epoch)
        return size

    def clear(self) -> None:
        """Marks everything as not published yet."""
        for mark in self._marks.values():
            _NUMBERS.pack_into(self._memory, mark, *NEVER)

    def epochs(self) -> dict[str, Epoch]:
        """The epochs of all that is published, by name."""
        return {name: Epoch(*_NUMBERS.unpack_from(self._memory, mark)) for name, mark in self._marks.items()}


def left_by(block: Block, worker: int) -> Callable[[Request, Done, int], list[Node]]:
    """A function that writes a worker's results into the memory, and returns the subtrees whose sums they hold."""
    found, sums = block.arrays(found_of(worker)), block.arrays(sums_of(worker))

    def leave(request: Request, done: Done, checksum: int) -> list[Node]:
        for whole, part in zip(found, done.found or [], strict=False):
            whole[slice(*request.share)] = part
        leaves = [leaf for total in done.sums.values() for leaf in total]
        for place, leaf in zip(sums, leaves, strict=False):  # there is room for the most subtrees of any share
            place[...] = leaf
        return list(done.sums)

    return leave


def anonymous_file() -> int:
    """A descriptor of a file without a name: in memory where the system has such, else on disk, already removed."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("nograd")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def _dtype(name: str) -> np.dtype:
    try:
        return np.dtype(name)
    except TypeError:  # bfloat16 and its kin
        return np.dtype(getattr(ml_dtypes, name))
