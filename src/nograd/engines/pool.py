"""An engine with other workers: chunks are dealt, done, collected in order, and done again here where one is lost."""

import time
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from nograd.core.trees import tree_total
from nograd.core.types import EngineError
from nograd.engines.autotune import Trial
from nograd.engines.inline import Inline
from nograd.engines.worker import Done, Share, joined, split
from nograd.generation.base import Generation, Keys, Outcome
from nograd.strategies.base import State


class Member(Protocol):
    """Another worker, as this process sees it."""

    number: int

    def is_ready(self) -> bool:
        """Whether it can be asked. Raises EngineError, with its own traceback on stderr, where it cannot start."""

    def wait_until_ready(self, seconds: float) -> bool:
        """The same, after up to so many seconds."""

    def ask(self, kind: str, generation: int, share: Share) -> int:
        """Asks for a share; returns the bytes sent."""

    def answer(self, deadline: float) -> tuple[Done, int] | None:
        """Its result and the bytes received; None where it is dead, or as good as."""

    def replace(self) -> None:
        """A new one in place of a dead one. Raises EngineError where one after the other dies."""

    def stop(self) -> None:
        """Ends it for good."""


class Crewed(Inline):
    """Generations on this process, the first worker, and on `members`.

    It begins alone: a member joins when it has started, and one that dies, or is silent for longer than `deadline`
    seconds, is replaced while the others go on; its chunks are done again here. Who does a chunk changes no bit of it.
    With `may_work_alone` the generations are not shared where that is slower, as small ones are on a busy machine.
    """

    def __init__(
        self,
        generation: Generation,
        state: State,
        keys: Keys,
        members: Sequence[Member],
        deadline: float,
        may_work_alone: bool,
    ) -> None:
        super().__init__(generation, state, keys)
        self.members, self.workers = members, 1 + len(members)
        self._deadline = deadline
        self._trial = Trial() if may_work_alone else None
        self._alone = False
        self._takes_long = generation.host() is not None  # episodes on the host

    def publish(self, kind: str, arrays: list[Any]) -> int:
        """Lays down what all members read in a phase, parameters or fitness; returns the bytes."""
        raise NotImplementedError

    def wait_until_ready(self, seconds: float = 120.0) -> None:
        """Returns when every worker has started. Raises EngineError where one cannot, or takes longer."""
        end = time.monotonic() + seconds
        for member in self.members:
            while not member.wait_until_ready(max(end - time.monotonic(), 0.0)):
                if time.monotonic() > end:
                    raise EngineError(
                        f"worker {member.number} has not started within {seconds:.0f} s; try fewer --workers"
                    )

    def step(self, state: State) -> tuple[State, Outcome]:
        """The next generation."""
        if self._trial is None or not all(member.is_ready() for member in self.members):
            return super().step(state)
        self._alone = not self._trial.shared()
        start = time.perf_counter()
        result = super().step(state)
        self._trial.note(time.perf_counter() - start)
        return result

    def share(self, kind: str, params: list[Any], number: Any, fitness: Any = None) -> tuple[list[Any], list[Any]]:
        """All chunks of one phase, dealt to the workers that are ready."""
        done = self._begun(kind, params, number)
        first, chunks = len(done), self.generation.plan.chunks
        most = chunks - first - 1  # no more hands than chunks
        crew = [] if self._alone else [member for member in self.members if member.is_ready()][:most]
        if not crew and not done:
            return super().share(kind, params, number, fitness)
        times = [time.perf_counter()]
        # Once for all: the parameters in the first phase, the fitness in the second.
        self.bytes_down += self.publish(*(("fitness", [fitness]) if kind == "estimate" else ("params", params)))
        own, *others = ((first + start, first + stop) for start, stop in split(chunks - first, 1 + len(crew)))
        for member, share in zip(crew, others, strict=True):
            self.bytes_down += member.ask(kind, int(number), share)
        times.append(time.perf_counter())
        done[own] = self.own(kind, params, number, own, fitness)
        times.append(time.perf_counter())
        answers = [member.answer(self._deadline) for member in crew]
        times.append(time.perf_counter())
        for member, share, answer in zip(crew, others, answers, strict=True):
            if answer:
                done[share], size = answer
                self.bytes_up += size
            else:
                member.replace()
                done[share] = self.own(kind, params, number, share, fitness)
        merged = self._merged(kind, done)
        times.append(time.perf_counter())
        names = ("communicate", "evaluate", "wait", "communicate")
        for name, start, end in zip(names, times[:-1], times[1:], strict=True):
            self.seconds[name] += end - start
        return merged

    def close(self) -> None:
        """Ends the other workers."""
        for member in self.members:
            member.stop()
        self.members = []

    def _begun(self, kind: str, params: list[Any], number: Any) -> dict[Share, Done]:
        """Chunks done before anyone else is ready: one by one, where they take long, so that the rest can be shared."""
        done: dict[Share, Done] = {}
        last, start = self.generation.plan.chunks - 1, time.perf_counter()
        if kind == "evaluate" and self._takes_long:
            while len(done) < last and not any(member.is_ready() for member in self.members):
                share = len(done), len(done) + 1
                done[share] = self.own(kind, params, number, share)
        self.seconds["evaluate"] += time.perf_counter() - start
        return done

    def _merged(self, kind: str, done: dict[Share, Done]) -> tuple[list[Any], list[Any]]:
        """The shares put together: what was found in the order of the chunks, sums along their tree."""
        found = [] if kind == "estimate" else joined([done[share].found or [] for share in sorted(done)])
        if kind == "evaluate":
            return found, []
        sums = {node: list(map(np.asarray, total)) for part in done.values() for node, total in part.sums.items()}
        return found, tree_total(sums, self.generation.plan.chunks)
