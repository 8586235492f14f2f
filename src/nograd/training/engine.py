"""The engine of a job. With restarts, each round gets its own engine."""

import time
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from nograd.engines.base import Engine, Renewable
from nograd.engines.create import make_engine
from nograd.engines.programs import Program
from nograd.generation.base import Generation, Keys, Outcome
from nograd.generation.calls import Searched
from nograd.strategies.base import State
from nograd.strategies.restarts import Round, next_round
from nograd.training.job import Job
from nograd.training.restarts import Restarts


def engine_of(job: Job, state: Any = None) -> Engine:
    """Starts the engine that computes the generations of a job.

    Args:
        job: the training.
        state: the state that it goes on from; None: it begins with generation 0.

    Raises:
        ConfigError: the engine in the settings cannot run here.
    """
    return RestartingEngine(job, job.restarts, state) if job.restarts else _made(job)


class RestartingEngine:
    """An `Engine` for a search with restarts. Rounds differ in their population, so each has an engine of its own."""

    def __init__(self, job: Job, restarts: Restarts, state: Searched | None) -> None:
        self._job, self._restarts = job, restarts
        self.compile_seconds, self.bytes_down, self.bytes_up = 0.0, 0, 0
        self._programs: dict[int, Mapping[str, Program]] = {}  # by population, for later rounds of the same size
        self._inner = self._entered(state.round if state else restarts.round, None)

    @property
    def kind(self) -> str:
        """What kind of workers the engine has."""
        return self._inner.kind

    @property
    def workers(self) -> int:
        """How many workers share a generation."""
        return self._inner.workers

    @property
    def generation(self) -> Generation:
        """The functions of the generations in this round."""
        return self._inner.generation

    @property
    def programs(self) -> Mapping[str, Program]:
        """The compiled programs of this round."""
        return self._inner.programs

    @property
    def seconds(self) -> dict[str, float]:
        """How long each part of the work took in this round."""
        return self._inner.seconds

    def step(self, state: State) -> tuple[State, Outcome]:
        """Computes the next generation; if a restart is due, it is the first generation of the next round."""
        if self._restarts.due:
            assert isinstance(state, Searched)
            state = self._begun(state)
            self._inner = self._entered(state.round, self._inner)
            self._restarts.due = False
        after, outcome = self._inner.step(state)
        self.bytes_down, self.bytes_up = self._inner.bytes_down, self._inner.bytes_up
        return after, outcome

    def wait_until_ready(self, seconds: float = 120.0) -> None:
        """Waits until every worker of this round has started, at most this number of seconds."""
        self._inner.wait_until_ready(seconds)

    def close(self) -> None:
        """Ends all workers."""
        self._inner.close()

    def _begun(self, state: Searched) -> Searched:
        """The first state of the next round, from the last state of this round."""
        assert isinstance(state.round, Round)
        schedule, start = jax.random.split(_at(self._job.keys.init, int(state.round.number) + 1))
        after, factor = next_round(state.round, self._restarts.word, schedule)
        job = self._job.sized(int(after.population), factor)
        return Searched(job.strategy.init(self._restarts.drawn(start)), state.best, after)

    def _entered(self, now: Round | tuple[()], before: Engine | None) -> Engine:
        """The engine of a round, with the workers of the round before; its keys follow from the round's number."""
        assert isinstance(now, Round)
        self._restarts.round = Round(*map(np.asarray, now))
        job, number = self._job.sized(int(now.population)), int(now.number)
        keys = self._job.keys
        if number:
            keys = Keys(keys.init, _at(keys.noise, number), _at(keys.batch, number))
        population, start = job.strategy.size, time.perf_counter()
        engine = _next(before, job._replace(keys=keys), self._programs.get(population))
        self.compile_seconds += time.perf_counter() - start
        self._programs[population] = engine.programs
        return engine


def _next(before: Engine | None, job: Job, programs: Mapping[str, Program] | None) -> Engine:
    """The engine of a job, with the workers of the one before where they can go on."""
    renewable: Any = before if isinstance(before, Renewable) else None
    if renewable and (engine := renewable.again(job.generation, job.state_shapes(), job.keys, programs)):
        made: Engine = engine
        return made
    if before is not None:
        before.close()
    return _made(job, programs)


def _made(job: Job, programs: Mapping[str, Program] | None = None) -> Engine:
    config = job.config
    words = (config.engine, config.workers, config.deadline, config.address, config.exchange)
    return make_engine(job.generation, job.state_shapes(), job.keys, *words, programs)


def _at(key: jax.Array, number: int) -> jax.Array:
    return jax.random.fold_in(key, number)
