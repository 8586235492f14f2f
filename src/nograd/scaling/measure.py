"""Times the same generations on several numbers of workers, in turns, and checks that their results are equal."""

import hashlib
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any, NamedTuple, TypeAlias

import jax
import numpy as np

from nograd.core.trees import leaf_names
from nograd.core.types import EngineError, Params
from nograd.engines.base import Engine
from nograd.engines.create import make_engine
from nograd.strategies.base import State
from nograd.training.job import Job

AIM = 1.0  # seconds that one timing on one worker should take
_MOST, _LEAST = 10_000, 3  # generations in one timing
_CALM = 0.02  # seconds before a timing: workers of the engine before still poll for messages for some milliseconds

Tell: TypeAlias = Callable[[str], None]


class Timing(NamedTuple):
    """The result of one timing of some generations."""

    seconds: float  # per generation
    where: dict[str, float]  # seconds per generation spent in evaluate, communicate, wait, update and other
    bytes_up: int  # per generation
    bytes_down: int
    digest: str  # SHA-256 of the parameters at the end


class Measurement(NamedTuple):
    """The timings of several worker counts."""

    workers: tuple[int, ...]
    generations: int  # in each timing
    timings: tuple[tuple[Timing, ...], ...]  # [rounds][workers]

    @property
    def times(self) -> np.ndarray:
        """Seconds per generation, [rounds, workers]."""
        return np.array([[timing.seconds for timing in turn] for turn in self.timings])


class Setup(NamedTuple):
    """A number of workers, and the job whose generations they compute."""

    workers: int
    job: Job


def measure(setups: Sequence[Setup], rounds: int, generations: int | None, tell: Tell) -> Measurement:
    """Times every setup once per round, in alternating order; the engines are started once for all rounds.

    Args:
        setups: the first one has one worker.
        rounds: how often each setup is timed.
        generations: in one timing; None: as many as take about `AIM` seconds on one worker.
        tell: called with a line of text on the progress, never during a timing.

    Raises:
        EngineError: setups of the same job gave parameters that are not bitwise equal, or workers keep failing.
    """
    with ExitStack() as stack:
        engines = []
        for workers, job in setups:
            made = make_engine(job.generation, job.state_shapes(), job.keys, *_words_for(workers, job))
            stack.callback(made.close)
            engines.append(made)
        states = _states(setups)
        count = generations or suitable(engines[0], states[0])
        tell(f"{rounds} rounds of {count:,} generations on {_words([setup.workers for setup in setups])} workers")
        turns = []
        for turn in range(rounds):
            order = range(len(setups)) if turn % 2 == 0 else reversed(range(len(setups)))
            timings = {place: timed(engines[place], states[place], count) for place in order}
            turns.append(tuple(timings[place] for place in range(len(setups))))
            spent = _words([f"{timing.seconds * count:.2f}" for timing in turns[-1]])
            tell(f"round {turn + 1} of {rounds}: {spent} s")
    measurement = Measurement(tuple(setup.workers for setup in setups), count, tuple(turns))
    check_results(setups, measurement)
    return measurement


def timed(engine: Engine, state: State, generations: int) -> Timing:
    """Times some generations from `state` on. One generation before that is not timed: it wakes the workers."""
    engine.wait_until_ready()
    time.sleep(_CALM)
    engine.step(state)
    before, start = dict(engine.seconds), time.perf_counter()
    for _ in range(generations):
        state, _ = engine.step(state)
    spent = time.perf_counter() - start
    where = {name: (seconds - before[name]) / generations for name, seconds in engine.seconds.items()}
    where["other"] = spent / generations - sum(where.values())
    return Timing(spent / generations, where, engine.bytes_up, engine.bytes_down, digest(state.params))


def suitable(engine: Engine, state: State) -> int:
    """The number of generations that take about `AIM` seconds on this engine."""
    count = 1
    while (seconds := timed(engine, state, count).seconds) * count < AIM / 4 and count < _MOST:
        count *= 4
    return int(np.clip(round(AIM / seconds), _LEAST, _MOST))


def check_results(setups: Sequence[Setup], measurement: Measurement) -> None:
    """Raises EngineError if timings of the same job ended with parameters that differ in any bit."""
    found: dict[int, tuple[int, str]] = {}  # by job: the first worker count and its digest
    for turn in measurement.timings:
        for (workers, job), timing in zip(setups, turn, strict=True):
            first, wanted = found.setdefault(id(job), (workers, timing.digest))
            if timing.digest != wanted:
                raise EngineError(
                    f"the same {measurement.generations:,} generations gave parameters {wanted[:12]} on {first} "
                    f"workers and {timing.digest[:12]} on {workers}: this was not equal work, so there is no speedup; "
                    "check the memory of the machine, and report it with the settings"
                )


def digest(params: Params) -> str:
    """SHA-256 of all bits of the parameters, with their names and types."""
    seen = hashlib.sha256()
    for name, leaf in zip(leaf_names(params), jax.tree.leaves(params), strict=True):
        array = np.asarray(leaf, order="C")
        seen.update(f"{name} {array.dtype} {array.shape}\n".encode())
        seen.update(array.tobytes())
    return seen.hexdigest()


def _words_for(workers: int, job: Job) -> tuple[Any, ...]:
    """The arguments that make the engine of a setup; one worker is this process, without communication."""
    config = job.config
    name = "inline" if workers == 1 else config.engine
    return name, str(workers), config.deadline, config.address, config.exchange


def _states(setups: Sequence[Setup]) -> list[State]:
    """The first state of each setup; setups with the same job share it."""
    made = {id(setup.job): setup.job for setup in setups}
    states = {mark: job.init_state() for mark, job in made.items()}
    return [states[id(setup.job)] for setup in setups]


def _words(values: Sequence[object]) -> str:
    return ", ".join(map(str, values))
