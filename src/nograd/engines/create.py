"""From a word of `config.axes.ENGINES` to an engine."""

from collections.abc import Mapping
from contextlib import AbstractContextManager

from nograd.config.axes import ENGINES
from nograd.core.forked import refuse_fork
from nograd.engines.base import Engine, EngineArguments, EngineMaker
from nograd.engines.programs import Program
from nograd.generation.base import Generation, Keys
from nograd.strategies.base import State


def make_engine(
    generation: Generation,
    state: State,
    keys: Keys,
    name: str = "auto",
    workers: str = "auto",
    deadline: float = 60.0,
    address: str | None = None,
    exchange: str = "sums",
    programs: Mapping[str, Program] | None = None,
) -> Engine:
    """The engine of this name for states of these shapes.

    Raises:
        ConfigError: the engine cannot run here; the message says what can.
    """
    refuse_fork()
    return _maker(name).make(EngineArguments(generation, state, keys, workers, deadline, address, exchange, programs))


def available_workers(name: str, address: str | None = None) -> AbstractContextManager[int]:
    """The most workers that have a core or a device of their own; a cluster stays joined meanwhile.

    Raises:
        ConfigError: there is no such engine here.
    """
    return _maker(name).available(address)


def check_engine(generation: Generation, name: str, workers: str) -> int:
    """The workers that share a generation, this process included; 0 for a cluster, which alone can tell.

    Raises:
        ConfigError: there cannot be so many here.
    """
    return _maker(name).count(generation, workers)


def _maker(name: str) -> EngineMaker:
    maker: EngineMaker = ENGINES.builder(name)()
    return maker
