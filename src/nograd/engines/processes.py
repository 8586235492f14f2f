"""The process engine: this process and others like it, one a core, each with a single-threaded XLA."""

import os
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from typing import Any, Protocol

import jax
import numpy as np

from nograd.core.trees import tree_nodes
from nograd.engines.cores import pinned_cores
from nograd.engines.inline import Inline
from nograd.engines.pool import Pool
from nograd.engines.process_handle import Child
from nograd.engines.programs import SHARED, Program, require_portable
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
    workers = max(1, min(workers, generation.plan.chunks))  # more would have no chunk to compute
    with ExitStack() as undone:
        # Started first: they import JAX while this process compiles.
        transport = undone.enter_context(closing(Processes()))
        for number, core in enumerate(pinned_cores(workers)[1:], 1):
            transport.children.append(Child(number, core, transport.file))
        here = Inline(generation, state, keys, workers, programs)
        require_portable(here.programs)
        transport.setup(here, state, deadline)
        undone.pop_all()
    return Pool(here, transport, may_work_alone)


class MemoryChannel(Channel, Protocol):
    """A channel to a process that maps the shared memory."""

    number: int

    def setup(self, message: Any) -> None:
        """Tells the process the layout of the shared memory."""


class Processes:
    """Worker processes of this machine, and the memory that all of them see; a `Transport`."""

    kind = "process"

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self.file, self._clock = anonymous_file(), clock
        self.children: list[MemoryChannel] = []
        self.handles: list[WorkerHandle] = []

    def setup(self, here: Inline, state: State, deadline: float) -> None:
        """Lays out what the children read and write, and tells them."""
        programs = {name: program for name, program in here.programs.items() if name in SHARED}
        codes = [np.frombuffer(program.portable, np.uint8) for program in programs.values()]
        generation, chunks = here.generation, here.generation.plan.chunks
        constant = {"fixed": here.fixed, "programs": codes}
        self._block = memory(generation, state, self.file, len(self.children), constant)
        self._width = len(total_of(generation, state))
        local = generation.local is not None
        for child in self.children:
            child.setup((self._block.plan, list(programs), local, chunks, child.number))
            patience = Patience(deadline, here.compile_seconds)
            self.handles.append(WorkerHandle(child.number, child, patience, here.remedy, clock=self._clock))

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
        if self.file >= 0:
            os.close(self.file)
            self.file = -1


def memory(generation: Generation, state: State, file: int, workers: int, constant: dict[str, list[Any]]) -> Block:
    """The shared memory of a training: what is constant and what is published, and a place for each worker's results.

    Each worker writes to a place of its own, so that none can write over what another has found.
    """
    chunks, total = generation.plan.chunks, total_of(generation, state)
    shares = [share for count in range(1, min(1 + workers, chunks) + 1) for share in split(chunks, count)]
    room = max(len(tree_nodes(*share, chunks)) for share in shares)
    own = {sums_of(number): total * room for number in range(1, workers + 1)}
    own |= {found_of(number): generation.found for number in range(1, workers + 1)}
    published = {"params": generation.leaves(state), "fitness": generation.found[:1]}
    plan = layout(with_epochs(published) | own | constant)
    os.ftruncate(file, plan.size)
    block = Block(plan, file)
    block.clear()
    for name, arrays in constant.items():
        block.fill(name, arrays)
    return block


def total_of(generation: Generation, state: State) -> list[Any]:
    """The shapes of Σ w · ε."""
    return jax.tree.leaves(generation.around(generation.published(state)))


def result_of(block: Block, number: int, width: int, share: Share, kind: str, nodes: list[Node]) -> tuple[Done, int]:
    """What a worker left in the shared memory, and its bytes; a sum has `width` arrays."""
    leaves = block.arrays(sums_of(number))
    sums = {node: leaves[at * width : (at + 1) * width] for at, node in enumerate(nodes)}
    found = None if kind == "estimate" else [array[slice(*share)] for array in block.arrays(found_of(number))]
    size = sum(leaf.nbytes for total in sums.values() for leaf in total)
    return Done(found, sums), size + sum(array.nbytes for array in found or [])
