"""A worker's side of the protocol: it computes from exactly the arrays that a request names, or refuses it."""

import time
import zlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import jax
import numpy as np

from nograd.engines.programs import Programs
from nograd.engines.protocol import Answer, Epoch, EpochError, Failed, Refused, Request, Update, require
from nograd.engines.worker import Done, Worker

# What the answer to a share is made of: (request, what came of it, the checksum of the state's parameters or 0).
Packed = Callable[[Request, Done, int], Any]


class PublishedData(Protocol):
    """What was published to a worker."""

    def epochs(self) -> dict[str, Epoch]:
        """The epochs of all that it holds, by name."""

    def arrays(self, name: str) -> list[Any]:
        """The arrays that it holds under a name."""


class Held(PublishedData):
    """What was sent to a worker: parameters, fitness, or with scalars a whole state."""

    def __init__(self) -> None:
        self._all: dict[str, tuple[Epoch, list[Any]]] = {}

    def put(self, name: str, epoch: Epoch, arrays: list[Any]) -> None:
        """Stores arrays under a name and an epoch, in place of earlier ones."""
        self._all[name] = epoch, arrays

    def epochs(self) -> dict[str, Epoch]:
        """The epochs of all that it holds, by name."""
        return {name: epoch for name, (epoch, _) in self._all.items()}

    def arrays(self, name: str) -> list[Any]:
        """The arrays that it holds under a name."""
        return self._all[name][1]


class Server:
    """Computes the shares that requests ask for.

    Args:
        programs: by name.
        fixed: what all of them read.
        chunks: of a generation.
        held: what was published to it.
        packed: turns a result into what is sent, such as its place in shared memory.
        width: how many leaves of a state, the first ones, evaluation reads.
    """

    def __init__(
        self, programs: Programs, fixed: list[Any], chunks: int, held: PublishedData, packed: Packed, width: int = 0
    ) -> None:
        self._worker, self._programs, self._chunks = Worker(programs, fixed, chunks), programs, chunks
        self._held, self._packed, self._width = held, packed, width
        self.stops = 0  # how often this process has gone on after it was stopped

    def serve(self, request: Request) -> Answer | Refused | Failed:
        """Does a share, with exactly what the request names."""
        start, stops = time.perf_counter(), self.stops
        try:
            result = self._done(request)
        except EpochError as error:
            return Refused(request.id, str(error))
        except Exception as error:  # out of memory, mostly
            return Failed(request.id, f"{type(error).__name__}: {error}")
        return Answer(request.id, result, time.perf_counter() - start if self.stops == stops else 0.0)

    def update(self, held: "Held", update: Update) -> None:
        """Updates the state that is held here, if it is the one that the update is for."""
        if held.epochs().get("state") != update.before:
            return
        state, number = held.arrays("state"), np.int32(update.generation)
        params, whole = state[: self._width], (0, self._chunks)
        sums = self._worker.run("estimate", params, number, whole, update.found[0]).sums
        new = self._programs["update"](state, next(iter(sums.values())), update.found)[0]
        held.put("state", update.after, [np.asarray(leaf) for leaf in new])

    def _done(self, request: Request) -> Any:
        require(request.reads, self._held.epochs())
        own = "state" in request.reads
        params = self._held.arrays("state")[: self._width] if own else self._held.arrays("params")
        fitness = self._held.arrays("fitness")[0] if "fitness" in request.reads else None
        done = self._worker.run(request.kind, params, np.int32(request.generation), request.share, fitness)
        done = jax.block_until_ready(done)
        result = self._packed(request, done, checksum(params) if own else 0)
        require(request.reads, self._held.epochs())  # what is shared may have been written meanwhile
        return result


class Copied(NamedTuple):
    """A result that is sent as a whole."""

    done: Done
    checksum: int  # of the parameters that it was computed with; 0: they were published


def copied(request: Request, done: Done, checksum: int) -> Copied:
    """A result in this process's memory."""
    found = None if done.found is None else list(map(np.asarray, done.found))
    return Copied(Done(found, {node: list(map(np.asarray, total)) for node, total in done.sums.items()}), checksum)


def checksum(leaves: Sequence[Any]) -> int:
    """CRC-32 over the bytes of some arrays: what replicas of a state compare."""
    total = 0
    for leaf in leaves:
        total = zlib.crc32(np.ascontiguousarray(leaf).reshape(-1).view(np.uint8).data, total)
    return total
