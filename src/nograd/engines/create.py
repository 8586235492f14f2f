"""From words to an engine."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import jax

from nograd.core.forked import refuse_fork
from nograd.core.runtime import threads
from nograd.core.types import ConfigError
from nograd.engines.base import Engine
from nograd.engines.cores import core_count
from nograd.engines.devices import device_engine
from nograd.engines.inline import Inline
from nograd.engines.processes import process_engine
from nograd.engines.ray import joined, ray_engine
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
) -> Engine:
    """The engine of this name for states of these shapes.

    Raises:
        ConfigError: the engine cannot run here; the message says what can.
    """
    refuse_fork()
    if name == "ray":
        return ray_engine(generation, state, keys, workers, deadline, address, exchange)
    count, alone = check_engine(generation, name, workers), workers == "auto"
    if count == 1:
        return Inline(generation, state, keys)
    if _on_devices(name):
        return device_engine(generation, state, keys, jax.local_devices()[:count], may_work_alone=alone)
    return process_engine(generation, state, keys, count, deadline, may_work_alone=alone)


@contextmanager
def places(name: str, address: str | None = None) -> Iterator[int]:
    """The most workers that have a core or a device of their own; a cluster stays joined meanwhile.

    Raises:
        ConfigError: there is no such engine here.
    """
    if name == "ray":
        with joined(address) as cores:
            yield cores
    elif _on_devices(name):
        yield len(jax.local_devices())
    else:
        if why := _obstacle():
            raise ConfigError(f"--engine process cannot run here: {why}")
        yield core_count()


def check_engine(generation: Generation, name: str, workers: str) -> int:
    """The workers that share a generation, this process included; 0 for a cluster, which alone can tell.

    Raises:
        ConfigError: there cannot be so many here.
    """
    if name == "ray":
        return 0
    return _devices(generation, workers) if _on_devices(name) else _processes(generation, name, workers)


def _on_devices(name: str) -> bool:
    """Whether the workers are devices of this process."""
    return name == "inline" or (name == "auto" and jax.default_backend() != "cpu")


def _devices(generation: Generation, workers: str) -> int:
    found, backend = len(jax.local_devices()), jax.default_backend()
    if workers == "auto":  # several devices of one CPU gain nothing: they are for tests
        return 1 if backend == "cpu" else min(found, generation.plan.chunks)
    if int(workers) > found:
        other = "--engine process" if backend == "cpu" else f"--workers {found}"
        raise ConfigError(f"--workers cannot be {workers} here: JAX finds {found} {backend} device(s); use {other}")
    return int(workers)


def _processes(generation: Generation, name: str, workers: str) -> int:
    wanted = (name == "process" and workers != "1") or workers not in ("auto", "1")
    if (why := _obstacle()) and wanted:
        raise ConfigError(f"--engine process with --workers {workers} cannot run here: {why}")
    if workers != "auto":
        return int(workers)
    return 1 if why else min(core_count(), generation.plan.chunks)


def _obstacle() -> str:
    """Why there can be no worker processes, with the remedy; empty where there can."""
    if (backend := jax.default_backend()) != "cpu":
        return f"JAX computes on {backend}; use --engine inline, or set JAX_PLATFORMS=cpu"
    if threads() != "1":
        return "JAX has started with several threads; call nograd.train before other JAX functions, or set NPROC=1"
    if os.name != "posix":
        return "it needs a POSIX system; use --engine inline"
    return ""
