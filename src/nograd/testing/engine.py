"""Laws of an engine: its generations must be bitwise those of one process."""

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple, TypeAlias

import jax
import numpy as np

from nograd.data import Dataset
from nograd.engines.base import Engine
from nograd.engines.inline import Inline
from nograd.generation.base import Generation, Keys, run_keys
from nograd.models import build_model, mlp
from nograd.strategies.base import State
from nograd.strategies.openai_es import openai_es
from nograd.tasks.fitness import cross_entropy
from nograd.tasks.supervised import supervised
from nograd.testing.laws import Law, bits, laws_of, require

Make: TypeAlias = Callable[[Generation, State, Keys], Engine]  # the state is only an example of shapes and types

# Raw fitness needs one pass over the chunks; ranks need the fitness of all members before the estimate.
_SHAPINGS = ("raw", "centered_rank")


class _Job(NamedTuple):
    generation: Generation
    state: State  # of generation 0
    keys: Keys


def engine_laws(make: Make) -> list[Law]:
    """The laws of an engine, to be called one by one.

    Args:
        make: (generation, shapes of a state, keys) -> a new engine, for a generation of six chunks. It is called once
            or twice by each law, which also closes the engine.
    """
    laws = (it_says_what_it_is, it_has_the_bits_of_one_process, any_state_can_be_stepped_at_any_time)
    return laws_of(laws, make)


def it_says_what_it_is(make: Make) -> None:
    """The engine states its kind, workers, times and bytes, which a training prints and logs."""
    job = _job("raw")
    with _Closed(make, job) as engine:
        require(engine.kind in ("process", "device"), f'kind must be "process" or "device", got {engine.kind!r}')
        require(engine.workers >= 1, f"workers counts this process too, got {engine.workers}")
        require(engine.generation is job.generation, "generation must be the one that the engine was made for")
        require(engine.compile_seconds >= 0, "compile_seconds must not be negative")
        engine.wait_until_ready()
        engine.step(job.state)
        parts = {"evaluate", "communicate", "wait", "update"}
        require(engine.seconds.keys() == parts, f"seconds must hold {sorted(parts)}, got {sorted(engine.seconds)}")
        require(min(engine.seconds.values()) >= 0, "no part of the time can be negative")
        require(min(engine.bytes_down, engine.bytes_up) >= 0, "bytes cannot be negative")


def it_has_the_bits_of_one_process(make: Make) -> None:
    """State and outcome have the same bits as on one process, before all workers have started and after."""
    for shaping in _SHAPINGS:
        job = _job(shaping)
        with _Closed(make, job) as engine:
            state = job.state
            for generation, expected in enumerate(_alone(shaping)):
                if generation == 2:
                    engine.wait_until_ready()
                state, told = engine.step(state)
                same = bits((state, told)) == expected
                require(same, f"generation {generation} with {shaping} fitness has other bits than on one process")


def any_state_can_be_stepped_at_any_time(make: Make) -> None:
    """`step` leaves its argument unchanged, and any state may come next: an update is discarded, or a run resumed."""
    job = _job("centered_rank")
    with _Closed(make, job) as engine:
        engine.wait_until_ready()
        before, first = bits(job.state), engine.step(job.state)
        require(bits(job.state) == before, "step has changed the state that it was given")
        second = engine.step(first[0])
        require(bits(engine.step(job.state)) == bits(first), "the first state, stepped again, has other bits")
        loaded: Any = jax.tree.map(lambda leaf: np.array(leaf), first[0])
        require(bits(engine.step(loaded)) == bits(second), "a state that was loaded has other bits than the same kept")


class _Closed:
    """A context manager with an engine for a job, which it closes at the end."""

    def __init__(self, make: Make, job: _Job) -> None:
        self._engine = make(*_shapes(job))

    def __enter__(self) -> Engine:
        return self._engine

    def __exit__(self, *error: object) -> None:
        self._engine.close()


@cache
def _alone(shaping: str) -> list[list[bytes]]:
    """The bits of four generations on one process."""
    job, found = _job(shaping), []
    engine, state = Inline(*_shapes(job)), job.state
    for _ in range(4):
        state, told = engine.step(state)
        found.append(bits((state, told)))
    return found


@cache
def _job(shaping: str) -> _Job:
    """A small training on made-up examples."""
    draws, keys = np.random.default_rng(0), run_keys(3)
    x = draws.normal(size=(60, 4)).astype(np.float32)
    dataset = Dataset.from_arrays(x, np.where(x.sum(1) > 0, "more", "less"))
    task = supervised(dataset, build_model(mlp(4), (4,), 2), cross_entropy, 8)
    strategy = openai_es(12, 0.1, noise="rademacher", shaping=shaping, chunks=6)
    generation = task.generation(strategy, task.population(strategy.perturbation, strategy.chunks), 60.0)
    return _Job(generation, task.begin(strategy.init(task.model.init(keys.init))), keys)


def _shapes(job: _Job) -> tuple[Generation, State, Keys]:
    return job.generation, jax.eval_shape(lambda: job.state), job.keys
