"""The process engine: this process and others like it, one a core, each with a single-threaded XLA."""

import os
import time
from typing import Any

import jax
import numpy as np

from nograd.engines.crew import Child
from nograd.engines.generation import Generation, Keys, Outcome
from nograd.engines.inline import Inline
from nograd.engines.memory import Block, anonymous_file, layout, sums_of
from nograd.engines.trial import Trial
from nograd.engines.worker import Done, Share, split
from nograd.strategies.openai_es import State
from nograd.trees import tree_nodes, tree_total
from nograd.types import EngineError

_SHARED = ("evaluate", "both", "estimate")  # the programs that do shares


def available_cores() -> list[int]:
    """The cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


class Process(Inline):
    """Generations on `workers` processes, of which this one is the first.

    It begins alone: a worker joins when it has started, and one that dies, or is silent for longer than `deadline`
    seconds, is replaced while the others go on; its chunks are done again here. Who does a chunk changes no bit of it.
    With `may_work_alone` the generations are not shared where that is slower, as small ones are on a busy machine.
    """

    def __init__(
        self,
        generation: Generation,
        state: State,
        keys: Keys,
        workers: int,
        deadline: float = 60.0,
        may_work_alone: bool = False,
    ) -> None:
        self.workers, self._deadline = workers, deadline
        self._trial = Trial() if may_work_alone else None
        self._alone = False
        cores = available_cores()
        self._file = anonymous_file()
        self._children: list[Child] = []
        try:
            # Started first: they import JAX while this process compiles.
            for number in range(1, workers):
                core = cores[number] if workers <= len(cores) else None
                self._children.append(Child(number, core, self._file))
            super().__init__(generation, state, keys)
            self._share_memory(state)
        except BaseException:
            self.close()
            raise

    def _share_memory(self, state: State) -> None:
        """Lays out what the workers read and write, and tells them."""
        chunks, params = self.generation.plan.chunks, jax.tree.leaves(state.params)
        local = self.generation.local is not None
        programs = {name: program for name, program in self.programs.items() if name in _SHARED}
        codes = [np.frombuffer(program.portable, np.uint8) for program in programs.values()]
        fitness = [jax.ShapeDtypeStruct(self.generation.fitness_shape, np.float32)]
        shares = [share for count in range(1, min(self.workers, chunks) + 1) for share in split(chunks, count)]
        room = max(len(tree_nodes(*share, chunks)) for share in shares)
        plan = layout(
            {"params": params, "weights": fitness, "fitness": fitness, "fixed": self.fixed, "programs": codes}
            | {sums_of(child.number): params * room for child in self._children}
        )
        os.ftruncate(self._file, plan.size)
        self._block = Block(plan, self._file)
        self._block.fill("fixed", self.fixed)
        self._block.fill("programs", codes)
        (self._fitness,) = self._block.arrays("fitness")
        for child in self._children:
            child.setup((plan, list(programs), local, chunks, child.number))

    def wait_until_ready(self, seconds: float = 120.0) -> None:
        """Returns when every worker has started. Raises EngineError where one cannot."""
        end = time.monotonic() + seconds
        for child in self._children:
            while not child.wait_until_ready(max(end - time.monotonic(), 0.0)):
                if time.monotonic() > end:
                    raise EngineError(
                        f"worker {child.number} has not started within {seconds:.0f} s; try fewer --workers"
                    )

    def step(self, state: State) -> tuple[State, Outcome]:
        """The next generation."""
        if self._trial is None or not all(child.is_ready() for child in self._children):
            return super().step(state)
        self._alone = not self._trial.shared()
        start = time.perf_counter()
        result = super().step(state)
        self._trial.note(time.perf_counter() - start)
        return result

    def share(self, kind: str, params: list[Any], number: Any, weights: Any = None) -> tuple[Any, list[Any]]:
        """All chunks of one phase, dealt to the workers that are ready."""
        most = self.generation.plan.chunks - 1  # no more hands than chunks
        crew = [child for child in self._children if child.is_ready()][:most]
        if self._alone or not crew:
            return super().share(kind, params, number, weights)
        times = [time.perf_counter()]
        # Written once, for all: the parameters in the first phase, the weights in the second.
        self.bytes_down += self._block.fill(*(("weights", [weights]) if kind == "estimate" else ("params", params)))
        own, *others = split(self.generation.plan.chunks, 1 + len(crew))
        for child, share in zip(crew, others, strict=True):
            self.bytes_down += child.ask(kind, int(number), share)
        times.append(time.perf_counter())
        done = {own: jax.block_until_ready(self.worker.run(kind, params, number, own, weights))}
        times.append(time.perf_counter())
        answers = [child.answer(self._deadline) for child in crew]
        times.append(time.perf_counter())
        for child, share, answer in zip(crew, others, answers, strict=True):
            if answer:
                done[share] = self._result(kind, child, share, *answer)
            else:
                child.replace()
                done[share] = self.worker.run(kind, params, number, share, weights)
        merged = self._merged(kind, done)
        times.append(time.perf_counter())
        for name, start, end in zip(
            ("communicate", "evaluate", "wait", "communicate"), times[:-1], times[1:], strict=True
        ):
            self.seconds[name] += end - start
        return merged

    def close(self) -> None:
        """Ends the workers, and gives the shared memory back."""
        for child in self._children:
            child.stop()
        self._children = []
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _result(self, kind: str, child: Child, share: Share, nodes: list[Any], size: int) -> Done:
        """What a worker left in the shared memory."""
        leaves = self._block.arrays(sums_of(child.number))
        width = len(self._block.plan.sections["params"])
        sums = {node: leaves[at * width : (at + 1) * width] for at, node in enumerate(nodes)}
        fitness = None if kind == "estimate" else self._fitness[slice(*share)]
        self.bytes_up += size + sum(leaf.nbytes for total in sums.values() for leaf in total)
        self.bytes_up += 0 if fitness is None else fitness.nbytes
        return Done(fitness, sums)

    def _merged(self, kind: str, done: dict[Share, Done]) -> tuple[Any, list[Any]]:
        """The shares put together: fitness in the order of the chunks, sums along their tree."""
        fitness = None if kind == "estimate" else np.concatenate([done[share].fitness for share in sorted(done)])
        if kind == "evaluate":
            return fitness, []
        sums = {node: list(map(np.asarray, total)) for part in done.values() for node, total in part.sums.items()}
        return fitness, tree_total(sums, self.generation.plan.chunks)
