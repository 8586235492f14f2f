"""What an engine is, and what the driver of other workers asks of whatever carries its words to them."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol

from nograd.engines.programs import Program
from nograd.engines.protocol import Epoch, Share, Update
from nograd.engines.worker import Done
from nograd.engines.worker_handle import WorkerHandle
from nograd.generation.base import Generation, Keys, Outcome
from nograd.strategies.base import State


class Engine(Protocol):
    """What computes the generations of a training. Every engine gives the same bits."""

    bytes_down: int  # to other workers in the last generation
    bytes_up: int  # from them

    @property
    def kind(self) -> str:
        """The kind of its workers: "process" or "device"."""

    @property
    def workers(self) -> int:
        """The number of workers that share a generation, this process included."""

    @property
    def generation(self) -> Generation:
        """The functions of its generations."""

    @property
    def compile_seconds(self) -> float:
        """Seconds that this process took to compile them."""

    @property
    def seconds(self) -> dict[str, float]:
        """Where the time went: evaluate (this process's own share), communicate, wait (for others), update."""

    def step(self, state: State) -> tuple[State, Outcome]:
        """The next generation. The state handed in stays valid: a bad update can be thrown away.

        Raises:
            EngineError: it cannot be done; the engine can only be closed then.
        """

    def wait_until_ready(self, seconds: float = 120.0) -> None:
        """Returns when every worker has started. Raises EngineError where one cannot, or takes longer."""

    def close(self) -> None:
        """Ends all workers, and gives back all that is held beyond this process's own memory."""


class EngineArguments(NamedTuple):
    """What an engine is made from."""

    generation: Generation
    state: State  # of the shapes and types of every state
    keys: Keys  # of the run
    workers: str  # "auto", or how many share a generation, this process included
    deadline: float  # seconds of silence after which a worker counts as dead
    address: str | None  # of a cluster
    exchange: str  # what travels there: "sums" or "scalars"
    programs: Mapping[str, Program] | None = None  # of the generation, where they are compiled already


class EngineMaker(Protocol):
    """A word of `config.axes.ENGINES`: says how many workers an engine can have here, and makes it."""

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
    """Shared memory and processes, threads and devices, or a cluster and its actors."""

    @property
    def kind(self) -> str:
        """The kind of its workers: "process" or "device"."""

    @property
    def handles(self) -> Sequence[WorkerHandle]:
        """The handles of the other workers."""

    def publish(self, name: str, epoch: Epoch, arrays: list[Any], crew: Sequence[WorkerHandle]) -> int:
        """Lays down what all of a crew read in a phase, under its epoch; returns the bytes."""

    def result(self, handle: WorkerHandle, share: Share, kind: str, result: Any) -> tuple[Done, int]:
        """What a worker's answer stands for, and the bytes that it left elsewhere."""

    def close(self) -> None:
        """Ends all workers, and gives back all that is held."""


class Replicas(Transport, Protocol):
    """A transport to workers that can hold a whole state."""

    def load(self, handles: Sequence[WorkerHandle], epoch: Epoch, state: list[Any]) -> int:
        """Sends the state to some workers; returns the bytes."""

    def update(self, handles: Sequence[WorkerHandle], update: Update) -> int:
        """Has some workers update the state that they hold; returns the bytes."""
