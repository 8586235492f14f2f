"""The process engine: this process and others like it, one a core, each with a single-threaded XLA."""

import os
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from typing import Any, Protocol

import numpy as np

from nograd.core.trees import tree_nodes
from nograd.engines.cores import pinned_cores
from nograd.engines.exchange import Points, Sums
from nograd.engines.inline import Inline
from nograd.engines.points import Drawing, is_quick
from nograd.engines.pool import Pool
from nograd.engines.process_handle import Child
from nograd.engines.programs import Program, require_portable
from nograd.engines.protocol import Epoch, Share
from nograd.engines.shared_memory import Block, anonymous_file, found_of, layout, sums_of, with_epochs
from nograd.engines.worker import Done, Node, split
from nograd.engines.worker_handle import Channel, Clock, Patience, WorkerHandle
from nograd.generation.base import Generation, Keys
from nograd.strategies.base import State


def process_engine(
    generation: Generation,
    state: State,
    keys: Keys,
    workers: int,
    deadline: float = 60.0,
    may_work_alone: bool = False,
    programs: Mapping[str, Program] | None = None,
) -> Pool:
    """Generations on `workers` processes of this machine, of which this one is the first; see `Pool`."""
    return process_pool(Processes(), generation, state, keys, workers, deadline, may_work_alone, programs)


def process_pool(
    transport: "Processes",
    generation: Generation,
    state: State,
    keys: Keys,
    workers: int,
    deadline: float,
    may_work_alone: bool,
    programs: Mapping[str, Program] | None,
) -> Pool:
    """A `Pool` on the processes of a transport, and on more where there are fewer than `workers` − 1."""
    used = max(1, min(workers, generation.plan.chunks))  # more would have no chunk to compute
    with ExitStack() as undone:
        undone.enter_context(closing(transport))
        # Started first: they import JAX while this process compiles.
        for number, core in list(enumerate(pinned_cores(workers)))[1 + len(transport.children) : used]:
            transport.children.append(Child(number, core))
        quick = is_quick(generation, state)
        here = (Drawing if quick else Inline)(generation, state, keys, used, programs)
        require_portable(here.programs)
        transport.setup(here, state, deadline)
        undone.pop_all()

    def again(generation: Generation, state: State, keys: Keys, programs: Mapping[str, Program] | None) -> Pool:
        return process_pool(transport, generation, state, keys, workers, deadline, may_work_alone, programs)

    return Pool(here, transport, may_work_alone, Points() if quick else Sums(), again)


class MemoryChannel(Channel, Protocol):
    """A channel to a process that maps the shared memory."""

    number: int

    def setup(self, message: Any, memory: int) -> None:
        """Tells the process the layout of the shared memory, and the descriptor of its file."""


class Processes:
    """Worker processes of this machine, and the memory that all of them see; a `Transport`."""

    kind = "process"

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock, self._file = clock, -1
        self.children: list[MemoryChannel] = []
        self.handles: list[WorkerHandle] = []

    def setup(self, here: Inline, state: State, deadline: float) -> None:
        """Lays out what the children read and write, and tells them; also those that were set up before.

        Each time it is other memory: one that is slow may still read and write what it was set up with before.
        """
        sent, before, self._file = here.sent(), self._file, anonymous_file()
        codes = [np.frombuffer(program, np.uint8) for program in sent.programs.values()]
        self._block = memory(here, state, self._file, len(self.children), {"fixed": sent.fixed, "programs": codes})
        self._width = len(here.sums(state))
        generation, patience = here.generation, Patience(deadline, here.compile_seconds)
        for child in self.children:
            told = self._block.plan, list(sent.programs), generation.local is not None, generation.plan.chunks
            child.setup((*told, child.number), self._file)
        for handle in self.handles:
            handle.begin_again(patience, here.remedy)
        for child in self.children[len(self.handles) :]:
            self.handles.append(WorkerHandle(child.number, child, patience, here.remedy, clock=self._clock))
        _close(before)

    def publish(self, name: str, epoch: Epoch, arrays: list[Any], crew: Sequence[WorkerHandle]) -> int:
        """Copies the arrays into the shared memory; returns their bytes."""
        return self._block.publish(name, epoch, arrays)

    def result(self, handle: WorkerHandle, share: Share, kind: str, result: list[Node]) -> tuple[Done, int]:
        """What a worker left in the shared memory, and its bytes."""
        return result_of(self._block, handle.number, self._width, share, kind, result)

    def close(self) -> None:
        """Ends the workers, and gives the shared memory back."""
        for child in self.children:
            child.close()
        self.children, self.handles = [], []
        _close(self._file)
        self._file = -1


def _close(file: int) -> None:
    if file >= 0:
        os.close(file)


def memory(here: Inline, state: State, file: int, workers: int, constant: dict[str, list[Any]]) -> Block:
    """The shared memory of a training: what is constant and what is published, and a place for each worker's results.

    Each worker writes to a place of its own, so that none can write over what another has found.
    """
    chunks, total = here.generation.plan.chunks, here.sums(state)
    shares = [share for count in range(1, min(1 + workers, chunks) + 1) for share in split(chunks, count)]
    room = max(len(tree_nodes(*share, chunks)) for share in shares)
    own = {sums_of(number): total * room for number in range(1, workers + 1)}
    own |= {found_of(number): here.generation.found for number in range(1, workers + 1)}
    plan = layout(with_epochs(here.reads(state)) | own | constant)
    os.ftruncate(file, plan.size)
    block = Block(plan, file)
    block.clear()
    for name, arrays in constant.items():
        block.fill(name, arrays)
    return block


def result_of(block: Block, number: int, width: int, share: Share, kind: str, nodes: list[Node]) -> tuple[Done, int]:
    """What a worker left in the shared memory, and its bytes; a sum has `width` arrays."""
    leaves = block.arrays(sums_of(number))
    sums = {node: leaves[at * width : (at + 1) * width] for at, node in enumerate(nodes)}
    found = None if kind == "estimate" else [array[slice(*share)] for array in block.arrays(found_of(number))]
    size = sum(leaf.nbytes for total in sums.values() for leaf in total)
    return Done(found, sums), size + sum(array.nbytes for array in found or [])
