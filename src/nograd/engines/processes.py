"""The process engine: this process and others like it, one a core, each with a single-threaded XLA."""

import os
from functools import partial
from typing import Any

import jax
import numpy as np

from nograd.core.trees import tree_nodes
from nograd.engines.pool import Crewed
from nograd.engines.process_handle import Child
from nograd.engines.programs import SHARED
from nograd.engines.shared_memory import Block, anonymous_file, layout, sums_of
from nograd.engines.worker import Done, Node, Share, split
from nograd.generation.base import Generation, Keys
from nograd.strategies.base import State


def available_cores() -> list[int]:
    """The cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


class Process(Crewed):
    """Generations on `workers` processes of this machine, of which this one is the first; see `Crewed`."""

    def __init__(
        self,
        generation: Generation,
        state: State,
        keys: Keys,
        workers: int,
        deadline: float = 60.0,
        may_work_alone: bool = False,
    ) -> None:
        cores = available_cores()
        children: list[Child] = []
        self._file = anonymous_file()
        self.members = children
        try:
            # Started first: they import JAX while this process compiles.
            for number in range(1, workers):
                core = cores[number] if workers <= len(cores) else None
                children.append(Child(number, core, self._file, self.remedy))
            super().__init__(generation, state, keys, children, deadline, may_work_alone)
            self._share_memory(children, state)
        except BaseException:
            self.close()
            raise

    def publish(self, kind: str, arrays: list[Any]) -> int:
        """Into the shared memory."""
        return self._block.fill(kind, arrays)

    def close(self) -> None:
        """Ends the workers, and gives the shared memory back."""
        super().close()
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _share_memory(self, children: list[Child], state: State) -> None:
        """Lays out what the workers read and write, and tells them."""
        generation, chunks = self.generation, self.generation.plan.chunks
        total = jax.tree.leaves(generation.around(generation.published(state)))
        programs = {name: program for name, program in self.programs.items() if name in SHARED}
        codes = [np.frombuffer(program.portable, np.uint8) for program in programs.values()]
        shares = [share for count in range(1, min(self.workers, chunks) + 1) for share in split(chunks, count)]
        room = max(len(tree_nodes(*share, chunks)) for share in shares)
        plan = layout(
            {"params": generation.leaves(state), "fitness": generation.found[:1], "found": generation.found}
            | {"fixed": self.fixed, "programs": codes}
            | {sums_of(child.number): total * room for child in children}
        )
        os.ftruncate(self._file, plan.size)
        self._block = Block(plan, self._file)
        self._block.fill("fixed", self.fixed)
        self._block.fill("programs", codes)
        local = self.generation.local is not None
        for child in children:
            message = plan, list(programs), local, chunks, child.number
            child.setup(message, partial(_result, self._block, child.number, len(total)))


def _result(block: Block, number: int, width: int, kind: str, share: Share, nodes: list[Node]) -> tuple[Done, int]:
    """What a worker left in the shared memory, and its bytes; a sum has `width` arrays."""
    leaves = block.arrays(sums_of(number))
    sums = {node: leaves[at * width : (at + 1) * width] for at, node in enumerate(nodes)}
    found = None if kind == "estimate" else [array[slice(*share)] for array in block.arrays("found")]
    size = sum(leaf.nbytes for total in sums.values() for leaf in total)
    return Done(found, sums), size + sum(array.nbytes for array in found or [])
