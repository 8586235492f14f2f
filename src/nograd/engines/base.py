"""The protocols of an engine, which computes generations, and of a transport between a driver and its workers."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol, runtime_checkable

from nograd.engines.programs import Program
from nograd.engines.protocol import Epoch, Share, Update
from nograd.engines.worker import Done
from nograd.engines.worker_handle import WorkerHandle
from nograd.generation.base import Generation, Keys, Outcome
from nograd.strategies.base import State


class Engine(Protocol):
    """What computes the generations of a training. Every engine gives the same bits."""

    bytes_down: int  # sent to other workers in the last generation
    bytes_up: int  # received from them

    @property
    def kind(self) -> str:
        """The kind of its workers: "process" or "device"."""

    @property
    def workers(self) -> int:
        """The number of workers that share a generation, this process included."""

    @property
    def generation(self) -> Generation:
        """The pure functions of the generations that it computes."""

    @property
    def programs(self) -> Mapping[str, Program]:
        """The compiled programs, which `EngineMaker.make` takes again for generations of the same shapes."""

    @property
    def compile_seconds(self) -> float:
        """Seconds that this process took to compile them."""

    @property
    def seconds(self) -> dict[str, float]:
        """Where the time went: evaluate (this process's own share), communicate, wait (for others), update."""

    def step(self, state: State) -> tuple[State, Outcome]:
        """Computes the next generation. The given state stays valid, so that a bad update can be discarded.

        Raises:
            EngineError: it cannot be computed; nothing but `close` may be called afterwards.
        """

    def wait_until_ready(self, seconds: float = 120.0) -> None:
        """Returns when every worker has started. Raises EngineError where one cannot, or takes longer."""

    def close(self) -> None:
        """Ends all workers, and releases all resources outside of this process."""


@runtime_checkable
class Renewable(Protocol):
    """An engine whose workers can go on with other generations, such as those of another population."""

    def again(
        self, generation: Generation, state: State, keys: Keys, programs: Mapping[str, Program] | None
    ) -> Engine | None:
        """An engine of the same kind for other generations, with the same workers; None where they cannot go on.

        Then this one must still be closed; else nothing may be done with it any more.

        Args:
            generation: what is computed.
            state: of the shapes and types of every state.
            keys: of the generations.
            programs: of this generation, where they are compiled already.
        """


class EngineArguments(NamedTuple):
    """The arguments of `EngineMaker.make`."""

    generation: Generation
    state: State  # of the shapes and types of every state
    keys: Keys  # of the run
    workers: str  # "auto", or how many share a generation, this process included
    deadline: float  # seconds of silence after which a worker counts as dead
    address: str | None  # of a cluster
    exchange: str  # what its workers send: "sums" or "scalars"
    programs: Mapping[str, Program] | None = None  # of the generation, where they are compiled already


class EngineMaker(Protocol):
    """What a word of `config.axes.ENGINES` names: counts the workers that are possible here, and makes the engine."""

    def count(self, generation: Generation, workers: str) -> int:
        """The workers that would share a generation, this process included; 0 where only the made engine can tell.

        Raises:
            ConfigError: the engine cannot run here, or not with so many workers.
        """

    def available(self, address: str | None) -> AbstractContextManager[int]:
        """The most workers that would have a core or a device of their own; a cluster stays joined meanwhile.

        Raises:
            ConfigError: the engine cannot run here.
        """

    def make(self, arguments: EngineArguments) -> Engine:
        """The engine. Raises ConfigError where it cannot run here."""


class Transport(Protocol):
    """How a driver reaches its workers: processes by shared memory, devices by threads, or actors of a cluster."""

    @property
    def kind(self) -> str:
        """The kind of its workers: "process" or "device"."""

    @property
    def handles(self) -> Sequence[WorkerHandle]:
        """The handles of the other workers."""

    def publish(self, name: str, epoch: Epoch, arrays: list[Any], crew: Sequence[WorkerHandle]) -> int:
        """Makes arrays readable for the workers of a crew, under a name and an epoch; returns the bytes sent."""

    def result(self, handle: WorkerHandle, share: Share, kind: str, result: Any) -> tuple[Done, int]:
        """The result that an answer refers to, and the bytes of it that did not come with the answer."""

    def close(self) -> None:
        """Ends all workers, and releases all resources."""


class Replicas(Transport, Protocol):
    """A transport to workers that can keep a copy of the whole state."""

    def load(self, handles: Sequence[WorkerHandle], epoch: Epoch, state: list[Any]) -> int:
        """Sends the state to some workers; returns the bytes sent."""

    def update(self, handles: Sequence[WorkerHandle], update: Update) -> int:
        """Makes some workers update their copies of the state; returns the bytes sent."""
