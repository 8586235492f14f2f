"""From words to an engine."""

import os

import jax

from nograd.engines.generation import Generation, Keys
from nograd.engines.inline import Inline
from nograd.engines.process import Process, available_cores
from nograd.strategies.strategy import State
from nograd.types import ConfigError


def make_engine(
    generation: Generation,
    state: State,
    keys: Keys,
    name: str = "auto",
    workers: str = "auto",
    deadline: float = 60.0,
    address: str | None = None,
    exchange: str = "sums",
) -> Inline:
    """The engine of this name for states of these shapes.

    Raises:
        ConfigError: the engine cannot run here; the message says what can.
    """
    if name == "ray":
        from nograd.engines.cluster import Ray

        return Ray(generation, state, keys, workers, deadline, address, exchange)
    count = _process_workers(generation, name, workers)
    if count > 1:
        return Process(generation, state, keys, count, deadline, may_work_alone=workers == "auto")
    return Inline(generation, state, keys)


def _process_workers(generation: Generation, name: str, workers: str) -> int:
    """Processes to share the work, this one included."""
    if name == "inline":
        return 1
    wanted = (name == "process" and workers != "1") or workers not in ("auto", "1")
    if (why := _obstacle()) and wanted:
        raise ConfigError(f"--engine process with --workers {workers} cannot run here: {why}")
    if workers != "auto":
        return int(workers)
    return 1 if why else min(len(available_cores()), generation.plan.chunks)


def _obstacle() -> str:
    """Why there can be no worker processes, with the remedy; empty where there can."""
    if (backend := jax.default_backend()) != "cpu":
        return f"JAX computes on {backend}; use --engine inline, or set JAX_PLATFORMS=cpu"
    if os.environ.get("NPROC") != "1":
        return "JAX was started with several threads; set NPROC=1 before, or import nograd.session first"
    if os.name != "posix":
        return "it needs a POSIX system; use --engine inline"
    return ""
