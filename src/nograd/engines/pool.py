"""The driver: an engine that shares its generations with other workers, which it reaches by a transport.

Chunks are handed out, computed and collected in order; those of a lost worker are computed again here. See
docs/explanations/workers.md.
"""

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from nograd.core.types import EngineError
from nograd.engines.autotune import Trial
from nograd.engines.base import Transport
from nograd.engines.crew import Crew
from nograd.engines.exchange import Exchange, Sums
from nograd.engines.inline import Inline
from nograd.engines.programs import Program
from nograd.engines.worker_handle import WorkerHandle
from nograd.generation.base import Generation, Keys, Outcome
from nograd.strategies.base import State

# (generation, state, keys, programs of that generation) -> the engine
Again: TypeAlias = Callable[[Generation, State, Keys, Mapping[str, Program] | None], "Pool"]

_LOOK = 1.0  # seconds between two looks at workers that start


class Pool:
    """An `Engine`: generations on this process, the first worker, and on those of a transport.

    It begins alone. A worker that has started takes part from the next generation on. One that dies or is silent for
    too long is replaced while the others go on, and its chunks are computed again here. No bit of a result depends on
    which worker computed it.

    Args:
        here: the engine that computes this process's own share.
        transport: to the other workers.
        may_work_alone: generations are not shared where that is slower, as small ones are on a busy machine.
        exchange: what the workers send each other; default parameters and sums.
        again: makes another engine that takes the workers over; default: none can.
    """

    def __init__(
        self,
        here: Inline,
        transport: Transport,
        may_work_alone: bool = False,
        exchange: Exchange | None = None,
        again: Again | None = None,
    ) -> None:
        self.here, self.transport, self.exchange = here, transport, exchange or Sums()
        self.workers, self.kind = 1 + len(transport.handles), transport.kind
        self.bytes_down = self.bytes_up = 0
        self._run, self._begun = secrets.randbits(62), 0
        self._trial = Trial() if may_work_alone else None
        self._again, self._alone = again, False
        self._last: State | None = None  # what the last generation has given

    @property
    def generation(self) -> Generation:
        """The functions of the generations."""
        return self.here.generation

    @property
    def programs(self) -> Mapping[str, Program]:
        """The compiled programs of the generations."""
        return self.here.programs

    @property
    def compile_seconds(self) -> float:
        """Seconds of compilation in this process."""
        return self.here.compile_seconds

    @property
    def seconds(self) -> dict[str, float]:
        """Seconds by activity; see `Engine.seconds`."""
        return self.here.seconds

    @property
    def handles(self) -> Sequence[WorkerHandle]:
        """The other workers."""
        return self.transport.handles

    def wait_until_ready(self, seconds: float = 120.0) -> None:
        """Returns when every worker has started. Raises EngineError where one cannot, or takes longer."""
        end = time.monotonic() + seconds
        for handle in self.handles:
            while not handle.wait_until_ready(min(max(end - time.monotonic(), 0.0), _LOOK)):
                if time.monotonic() > end:
                    raise EngineError(f"{handle.name} has not started within {seconds:.0f} s; try fewer --workers")

    def step(self, state: State) -> tuple[State, Outcome]:
        """The next generation."""
        if self._trial is None or not all(handle.is_ready() for handle in self.handles):
            return self._stepped(state)
        self._alone = not self._trial.shared()
        start = time.perf_counter()
        result = self._stepped(state)
        self._trial.note(time.perf_counter() - start)
        return result

    def again(
        self, generation: Generation, state: State, keys: Keys, programs: Mapping[str, Program] | None
    ) -> "Pool | None":
        """Another engine that takes the workers over; None where they cannot be. See `Renewable`."""
        return self._again(generation, state, keys, programs) if self._again else None

    def close(self) -> None:
        """Ends the other workers."""
        self.transport.close()

    def _stepped(self, state: State) -> tuple[State, Outcome]:
        self._begun += 1
        crew = Crew(self.here, self.transport, self._free, self._run, self._begun, follows=state is self._last)
        found, total = self.exchange.generation(crew, state)
        self.bytes_down, self.bytes_up = crew.bytes_down, crew.bytes_up
        self._last, outcome = self.here.updated(state, total, found)
        return self._last, outcome

    def _free(self, most: int) -> list[WorkerHandle]:
        """Up to so many workers that can be asked now."""
        return [] if self._alone else [handle for handle in self.handles if handle.is_free()][: max(most, 0)]
