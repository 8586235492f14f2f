"""One generation of a driver. Its workers are chosen when it begins, and stay the same in all of its phases."""

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from nograd.core.trees import tree_total
from nograd.engines.base import Transport
from nograd.engines.inline import Inline
from nograd.engines.protocol import Answer, Epoch, EpochError, Refused, Request, Share
from nograd.engines.worker import Done, joined, split
from nograd.engines.worker_handle import WorkerHandle

_NAMES = ("communicate", "evaluate", "wait", "communicate")


class Phase(NamedTuple):
    """One phase of a generation, to be done for all chunks."""

    kind: str  # "evaluate", "estimate" or "both"
    number: Any  # of the generation, by the state: part of the address of every draw
    params: list[Any]
    fitness: Any = None  # of all members, where an estimate reads it

    @property
    def reads(self) -> dict[str, list[Any]]:
        """The arrays that workers read in it, by the names under which they are published."""
        return {"params": self.params} | ({} if self.fitness is None else {"fitness": [self.fitness]})


class Crew:
    """The driver and the workers that share one generation with it.

    A worker that dies leaves the crew for good: its successor waits for the next generation.

    Args:
        here: the engine that computes the driver's own share.
        transport: to the workers.
        free: gives up to so many workers that are free now: they work on this generation.
        run: the driver's random number.
        generation: how many it has begun.
        follows: whether it begins with the very state that the one before has given.
    """

    def __init__(
        self,
        here: Inline,
        transport: Transport,
        free: Callable[[int], list[WorkerHandle]],
        run: int,
        generation: int,
        follows: bool,
    ) -> None:
        self.here, self.transport, self.follows = here, transport, follows
        self.chunks = here.generation.plan.chunks
        self.handles = free(self.chunks - 1)  # no more workers than chunks
        self.bytes_down = self.bytes_up = 0
        self._free, self._epoch = free, Epoch(run, generation, 0)
        self._published: dict[str, Epoch] = {}  # in this generation

    def epoch(self, name: str) -> Epoch:
        """The epoch of what is published under a name in this generation."""
        return self._epoch._replace(phase=1 if name == "fitness" else 0)

    def alone(self, phase: Phase) -> dict[Share, Done]:
        """Chunks that the driver does one by one before anyone else is ready, so that the rest can be shared.

        Only here, before anything was published, may a worker join a generation that has begun.
        """
        done: dict[Share, Done] = {}
        start = time.perf_counter()
        while not self.handles and len(done) < self.chunks - 1:
            share = len(done), len(done) + 1
            done[share] = self.own(phase, share)
            self.handles = self._free(self.chunks - 1 - len(done))
        self.here.seconds["evaluate"] += time.perf_counter() - start
        return done

    def phase(self, phase: Phase, done: dict[Share, Done] | None = None) -> tuple[list[Any], list[Any]]:
        """(the results of all members, Σ w · ε), each where the phase asks for it. `done`: finished chunks."""
        done = done or {}
        first = len(done)
        if not self.handles and not done:
            return self.here.share(phase.kind, phase.params, phase.number, phase.fitness)
        times = [time.perf_counter()]
        self._publish(phase)
        own, *others = (
            (first + start, first + stop) for start, stop in split(self.chunks - first, 1 + len(self.handles))
        )
        reads = {name: self.epoch(name) for name in phase.reads}
        asked = self.ask(phase.kind, phase.number, others, reads)
        times.append(time.perf_counter())
        done[own] = self.own(phase, own)
        times.append(time.perf_counter())
        answers = self.answers(asked)
        times.append(time.perf_counter())
        for handle, request, answer in answers:
            done[request.share] = self._result(handle, request, answer) if answer else self.own(phase, request.share)
        merged = self.merged(phase.kind, done)
        times.append(time.perf_counter())
        self.spent(times)
        return merged

    def own(self, phase: Phase, share: Share) -> Done:
        """A share done by the driver."""
        return self.here.own(phase.kind, phase.params, phase.number, share, phase.fitness)

    def ask(
        self, kind: str, number: Any, shares: Sequence[Share], reads: dict[str, Epoch]
    ) -> list[tuple[WorkerHandle, Request]]:
        """Asks each worker of the crew for one of the shares."""
        asked = []
        for handle, share in zip(self.handles, shares, strict=True):
            request = Request(next_id(), kind, int(number), share, reads)
            self.bytes_down += handle.ask(request)
            asked.append((handle, request))
        return asked

    def answers(
        self, asked: Sequence[tuple[WorkerHandle, Request]]
    ) -> list[tuple[WorkerHandle, Request, Answer | Refused | None]]:
        """What each has answered; those that have died are no longer of the crew."""
        answers = [(handle, request, handle.answer(request)) for handle, request in asked]
        self.handles = [handle for handle, _, answer in answers if answer]
        return answers

    def merged(self, kind: str, done: dict[Share, Done]) -> tuple[list[Any], list[Any]]:
        """The whole result from its shares: the members' results in the order of the chunks, sums along their tree."""
        found = [] if kind == "estimate" else joined([done[share].found or [] for share in sorted(done)])
        if kind == "evaluate":
            return found, []
        sums = {node: list(map(np.asarray, total)) for part in done.values() for node, total in part.sums.items()}
        return found, tree_total(sums, self.chunks)

    def spent(self, times: Sequence[float]) -> None:
        """Notes where the time of a phase went, from the moments between its parts."""
        for name, start, end in zip(_NAMES, times[:-1], times[1:], strict=True):
            self.here.seconds[name] += end - start

    def _publish(self, phase: Phase) -> None:
        """All that a phase reads and that has not been published in this generation."""
        for name, arrays in phase.reads.items():
            epoch = self.epoch(name)
            if self.handles and self._published.get(name) != epoch:
                self.bytes_down += self.transport.publish(name, epoch, arrays, self.handles)
                self._published[name] = epoch

    def _result(self, handle: WorkerHandle, request: Request, answer: Answer | Refused) -> Done:
        """The result that a worker's answer refers to."""
        if isinstance(answer, Refused):
            raise EpochError(f"{handle.name} was sent the wrong thing: {answer.text}; this is a fault of nograd")
        done, size = self.transport.result(handle, request.share, request.kind, answer.result)
        self.bytes_up += size + answer.size
        return done


_ids = iter(range(1, 2**62))  # of requests: no two of this process have the same one
next_id: Callable[[], int] = _ids.__next__
