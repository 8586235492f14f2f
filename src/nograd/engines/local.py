"""The engines of one machine by their words: on its devices, on its processes, or whichever of them suits it."""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import jax

from nograd.core.runtime import threads
from nograd.core.types import ConfigError
from nograd.engines.base import Engine, EngineArguments, EngineMaker
from nograd.engines.blocks import alone
from nograd.engines.cores import core_count
from nograd.engines.devices import device_engine
from nograd.engines.processes import process_engine
from nograd.generation.base import Generation


class OnDevices:
    """`inline`: this process alone, on one or several of its devices."""

    def count(self, generation: Generation, workers: str) -> int:
        """The devices that share a generation. Raises ConfigError where JAX finds fewer."""
        found, backend = len(jax.local_devices()), jax.default_backend()
        if workers == "auto":  # several devices of one CPU gain nothing: they are for tests
            return 1 if backend == "cpu" else min(found, generation.plan.chunks)
        if int(workers) > found:
            other = "--engine process" if backend == "cpu" else f"--workers {found}"
            raise ConfigError(f"--workers cannot be {workers} here: JAX finds {found} {backend} device(s); use {other}")
        return int(workers)

    @contextmanager
    def available(self, address: str | None) -> Iterator[int]:
        """The devices that JAX finds."""
        yield len(jax.local_devices())

    def make(self, arguments: EngineArguments) -> Engine:
        """`alone` on one device, else a pool of devices."""
        generation, state, keys, workers, *_, programs = arguments
        count = self.count(generation, workers)
        if count == 1:
            return alone(generation, state, keys, programs)
        devices = jax.local_devices()[:count]
        return device_engine(generation, state, keys, devices, workers == "auto", programs)


class OnProcesses:
    """`process`: this process and others like it, one a core."""

    demanded = True  # whether it is an error where there can be no worker processes, although no number was given

    def count(self, generation: Generation, workers: str) -> int:
        """The processes that share a generation. Raises ConfigError where there can be only this one."""
        wanted = workers != "1" if self.demanded else workers not in ("auto", "1")
        why = _obstacle()
        if why and wanted:
            raise ConfigError(f"--engine process with --workers {workers} cannot run here: {why}")
        if workers != "auto":
            return int(workers)
        return 1 if why else min(core_count(), generation.plan.chunks)

    @contextmanager
    def available(self, address: str | None) -> Iterator[int]:
        """The cores of this machine. Raises ConfigError where there can be no worker processes."""
        if why := _obstacle():
            raise ConfigError(f"--engine process cannot run here: {why}")
        yield core_count()

    def make(self, arguments: EngineArguments) -> Engine:
        """`alone` for one process, else a pool of processes."""
        generation, state, keys, workers, deadline, *_, programs = arguments
        count = self.count(generation, workers)
        if count == 1:
            return alone(generation, state, keys, programs)
        most = core_count() if workers == "auto" else count  # as later rounds of a search may have more chunks
        return process_engine(generation, state, keys, most, deadline, workers == "auto", programs)


class _WherePossible(OnProcesses):
    demanded = False


class Automatic:
    """`auto`: processes on a CPU where there can be some, else the devices."""

    def count(self, generation: Generation, workers: str) -> int:
        """The workers that share a generation. Raises ConfigError where there cannot be so many."""
        return self._chosen().count(generation, workers)

    def available(self, address: str | None) -> AbstractContextManager[int]:
        """The cores, or the devices. Raises ConfigError where there can be no worker processes on a CPU."""
        return self._chosen().available(address)

    def make(self, arguments: EngineArguments) -> Engine:
        """The engine that suits this machine."""
        return self._chosen().make(arguments)

    def _chosen(self) -> EngineMaker:
        return OnDevices() if jax.default_backend() != "cpu" else _WherePossible()


def _obstacle() -> str:
    """Why there can be no worker processes, with the remedy; empty where there can."""
    if (backend := jax.default_backend()) != "cpu":
        return f"JAX computes on {backend}; use --engine inline, or set JAX_PLATFORMS=cpu"
    if threads() != "1":
        return "JAX has started with several threads; call nograd.train before other JAX functions, or set NPROC=1"
    if os.name != "posix":
        return "it needs a POSIX system; use --engine inline"
    return ""
