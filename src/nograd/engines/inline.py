"""The inline engine: every chunk of a generation in this process, on one device."""

import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from nograd.engines import memory_advice
from nograd.engines.programs import SHARED, Program, Programs, compile_all
from nograd.engines.protocol import Share
from nograd.engines.worker import Done, Worker
from nograd.generation.base import Generation, Keys, Outcome
from nograd.strategies.base import Info, State


class Sent(NamedTuple):
    """What another worker needs to compute shares."""

    programs: dict[str, bytes]  # portable, by name
    fixed: list[Any]  # the arrays that all of them read


class Inline:
    """Computes generations in this process: an `Engine` by itself, and the driver's own share in every other engine.

    Compiled once, ahead of the first generation.

    Args:
        generation: what is computed.
        state: of these shapes and types.
        keys: of the run.
        workers: how many share a generation; where memory runs out, the error advises fewer.
        programs: of a generation of the same shapes and settings, where they are compiled already.
    """

    kind = "process"

    def __init__(
        self,
        generation: Generation,
        state: State,
        keys: Keys,
        workers: int = 1,
        programs: Mapping[str, Program] | None = None,
    ) -> None:
        self.generation, self.workers = generation, workers
        fixed = generation.fixed(keys)
        start = time.perf_counter()
        self.programs = programs or compile_all(generation, state, fixed)
        self.compile_seconds = time.perf_counter() - start
        self.fixed = jax.tree.leaves(fixed)
        self.calls = {name: program.call for name, program in self.programs.items()}
        self.worker = Worker(self._shares(), self.fixed, generation.plan.chunks)
        self.seconds = dict.fromkeys(("evaluate", "communicate", "wait", "update"), 0.0)
        self.bytes_down = self.bytes_up = 0  # nothing is sent
        self._parameters = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(state.params))  # bytes

    def step(self, state: State) -> tuple[State, Outcome]:
        """Computes the next generation. The given state stays valid, so that a bad update can be discarded."""
        params, number = self.published(state), np.int32(state.generation)
        if self.generation.halves:
            found, total = self.share("both", params, number)
        else:
            found, _ = self.share("evaluate", params, number)
            _, total = self.share("estimate", params, number, found[0])
        return self.updated(state, total, found)

    def sent(self) -> Sent:
        """What other workers are set up with."""
        return Sent({name: program.portable for name, program in self.programs.items() if name in SHARED}, self.fixed)

    def reads(self, state: State) -> dict[str, list[Any]]:
        """The shapes and types of all that shares read, by the names under which it is published."""
        return {"params": self.generation.leaves(state), "fitness": self.generation.found[:1]}

    def sums(self, state: State) -> list[Any]:
        """The shapes and types of Σ w · ε, as shares give it."""
        return jax.tree.leaves(self.generation.around(self.generation.published(state)))

    def published(self, state: State) -> list[Any]:
        """What evaluation reads of a state."""
        return self.generation.leaves(state)

    def updated(self, state: State, total: list[Any], found: list[Any]) -> tuple[State, Outcome]:
        """The next state, from Σ w · ε over all chunks and the results of all members."""
        start = time.perf_counter()
        leaves, told = jax.block_until_ready(self.calls["update"](jax.tree.leaves(state), total, found))
        self.seconds["update"] += time.perf_counter() - start
        return jax.tree.unflatten(jax.tree.structure(state), leaves), outcome_of(told)

    def share(self, kind: str, params: list[Any], number: Any, fitness: Any = None) -> tuple[list[Any], list[Any]]:
        """All chunks of one phase: (the results of all members, Σ w · ε), each where asked for."""
        start, chunks = time.perf_counter(), self.generation.plan.chunks
        done = self.own(kind, params, number, (0, chunks), fitness)
        self.seconds["evaluate"] += time.perf_counter() - start
        return done.found or [], next(iter(done.sums.values()), [])

    def own(self, kind: str, params: list[Any], number: Any, share: Share, fitness: Any = None) -> Done:
        """A share done by this process. Raises EngineError where memory runs out."""
        with memory_advice.named("this process", self.remedy):
            return jax.block_until_ready(self.worker.run(kind, params, number, share, fitness))

    def _shares(self) -> Programs:
        """The functions that do shares, by name."""
        return self.calls

    def remedy(self) -> str:
        """What to do where memory ran out."""
        fewer = f"--workers {self.workers // 2}" if self.workers > 1 else ""
        return memory_advice.remedy(self.generation, self.programs, self._parameters, fewer)

    def wait_until_ready(self, seconds: float = 120.0) -> None:
        """Returns at once: there are no other workers."""

    def close(self) -> None:
        """Does nothing: there are no other workers, and no resources outside of this process."""


def outcome_of(told: Sequence[Any]) -> Outcome:
    """The report of a generation, from its parts in a row."""
    width = len(Info._fields)
    return Outcome(Info(*told[:width]), told[width], told[width + 1], tuple(told[width + 2 :]))
