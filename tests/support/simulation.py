"""A whole training with simulated workers, drawn from a seed and compared with the inline engine bit by bit."""

import json
import random
from functools import cache, lru_cache
from typing import Any, NamedTuple
from unittest.mock import patch

import combinations
import jax
import numpy as np
from fate import Fate, Interrupted, Watch, bits
from generations import KINDS, job_of, job_of_search
from simulated import Copies, Memory, Replicated

from nograd.config.registry import load
from nograd.config.settings import TrainConfig
from nograd.config.validate import validate
from nograd.core.runtime import in_64_bits
from nograd.engines.devices import Devices
from nograd.engines.exchange import Points, Scalars, Sums
from nograd.engines.inline import Inline
from nograd.engines.points import Drawing, is_quick
from nograd.engines.pool import Pool
from nograd.engines.processes import Processes
from nograd.engines.programs import Program, functions
from nograd.engines.ray import Cluster
from nograd.tasks.kinds import load_source
from nograd.training.job import build_job

ENGINES = ("process", "devices", "ray-sums", "ray-scalars")
GENERATIONS, DEADLINE = 4, 60.0
WALK = {"task": "worlds:walk", "population": 24, "model": "mlp:8", "chunks": 6, "noise": "gaussian"}
EPISODES = {
    "episodes": WALK | {"env_options": '{"steps": 4}'},
    "episodes, lowrank, moments": WALK
    | {"env_options": '{"steps": 4}', "perturbation": "lowrank", "population": 32, "observations": "normalized"}
    | {"noise": "rademacher", "chunks": 4},
}
# One of each kind of task and of perturbation, with one phase a generation and with two.
SEARCHES = {
    "search, cma-es": {"population": 14},
    "search, noisy, openai-es": {"population": 20, "strategy": "openai-es", "noisy": True},
    "search, sep-cma-es, half-filled chunks": {"population": 17, "strategy": "sep-cma-es"},
}
FEW = ("dense", "lowrank, ranks", "node", "node, ranks", "episodes", "control in JAX, dense, openai-es, centered_rank")
# The bits are compared between workers that have the same programs, so it does not matter how well these are optimized.
QUICKLY = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}


def quickly_compiled(generation, state, fixed):
    """The programs of a generation, not by way of portable ones and without most optimizations: in half of the time."""
    named = functions(generation, state, fixed)
    calls = {name: jax.jit(call).lower(*shapes).compile(QUICKLY) for name, (call, shapes) in named.items()}
    if (host := generation.host()) is not None:
        calls["evaluate"] = load(host["make"])(host, calls)
    return {name: Program(call, json.dumps(host).encode()) for name, call in calls.items()}


def remembered(call, fixed):
    """The program, that computes once what it is asked for again and again: it is a function of its arguments alone.

    Args:
        call: the program.
        fixed: whether its first argument is what all programs read, which never changes.
    """
    known = {}

    def again(*arguments):
        key = tuple(bits(jax.tree.leaves(arguments[fixed:])))
        if key not in known:
            known[key] = jax.tree.map(read_only, call(*arguments))
        return known[key]

    return again


def read_only(array):
    """A copy that nobody can write to, as JAX's arrays are."""
    copy = np.array(array)
    copy.flags.writeable = False
    return copy


class Line(NamedTuple):
    """A training from one state on: by generation, the state before it and all that is right about it."""

    states: list[Any]
    outcomes: list[Any]
    params: list[Any]
    fitness: list[Any]


class Case:
    """A small training, compiled once for all seeds, and all that is right about it: two lines of it.

    Their generations have the same numbers, and other parameters: what is taken for another by its number is found.
    """

    def __init__(self, job):
        self.job, self.shapes = job, job.state_shapes()
        self.quick = is_quick(job.generation, self.shapes)
        with patch("nograd.engines.inline.compile_all", quickly_compiled):
            self.here = (Drawing if self.quick else Inline)(job.generation, self.shapes, job.keys)
        self.here.calls |= {name: remembered(call, name != "update") for name, call in self.here.calls.items()}
        self.here.compile_seconds = 1.0  # decides how long a start may take, so it must be the same every time
        self.chunks, first = job.generation.plan.chunks, job.init_state()
        self.width = len(job.generation.leaves(first))
        leaves, tree = jax.tree.flatten(first)
        other = [leaf + np.asarray(0.25, leaf.dtype) for leaf in leaves[: self.width]] + leaves[self.width :]
        self.lines = [self._line(state) for state in (first, jax.tree.unflatten(tree, other))]

    def _line(self, state):
        line = Line([], [], [], [])
        for _ in range(GENERATIONS):
            line.states.append(state)
            state, outcome = self._step(state, line)
            line.outcomes.append((bits(jax.tree.leaves(state)), bits(jax.tree.leaves(outcome))))
        return line

    def _step(self, state, line):
        params, number, here = self.here.published(state), np.int32(state.generation), self.here
        line.params.append(bits(params))
        if self.job.generation.halves:
            found, total = here.share("both", params, number)
        else:
            found, _ = here.share("evaluate", params, number)
            total = [] if self.quick else here.share("estimate", params, number, found[0])[1]
        line.fitness.append(bits(found[:1]))
        return here.updated(state, total, found)


@lru_cache(maxsize=16)
def case_of(name):
    """The training of a name, compiled."""
    return Case(job_named(name))


def job_named(name):
    """None where the product refuses it."""
    if name in SEARCHES:
        return job_of_search(**SEARCHES[name])
    if name in EPISODES:
        config = validate(TrainConfig(**EPISODES[name]))
        return build_job(config, load_source(config))
    return job_of(**KINDS[name]) if name in KINDS else combinations.job_of(name)


def drawn(seed, engine, wide=False):
    """The name of the training that a seed draws: of a few, or of all that there are."""
    draw = random.Random(f"{seed} {engine}")
    options = (*KINDS, *EPISODES, *combinations.combinations()) if wide else FEW
    options = (*options, *SEARCHES) if engine == "process" else options
    while True:
        name = draw.choice(options)
        if possible(name, engine == "ray-scalars"):
            return name


@cache
def possible(name, scalars):
    """Whether the product takes it; scalars need a shaping that goes over the whole population."""
    job = job_named(name)
    return job is not None and not (scalars and job.generation.halves)


def failures(seeds, engine, wide=False):
    """(seed, engine, what was wrong) of those seeds where something was. Each training is compiled once."""
    found = []
    for seed in sorted(seeds, key=lambda seed: drawn(seed, engine, wide)):
        if wrong := simulate(seed, engine, wide)[0]:
            found.append((seed, engine, wrong))
    return found


def pool_of(engine, case, fate, watch, workers):
    """The real driver over simulated workers."""
    numbers = range(1, workers)
    if engine == "process":
        transport = Processes(fate.clock)
        for number in numbers:
            transport.children.append(Memory(number, case, fate, watch))
        return process_pool(case, fate, transport)
    if engine == "devices":
        return Pool(case.here, Devices(case.here, [Copies(number, case, fate, watch) for number in numbers]))
    actors = [Replicated(number, case, fate, watch) for number in numbers]
    transport = Cluster(case.here, actors, DEADLINE, lambda arrays: arrays, fate.clock)
    return Pool(case.here, transport, exchange=Scalars(transport) if engine == "ray-scalars" else None)


def process_pool(case, fate, transport):
    """The driver over processes, which may have worked for another one before."""
    transport.setup(case.here, case.shapes, DEADLINE)
    exchange = Points() if case.quick else Sums()
    return Pool(case.here, transport, may_work_alone=fate.draw([False, False, True]), exchange=exchange)


def simulate(seed, engine, wide=False):
    """(what was wrong, the history) of one training; nothing is wrong with a correct driver."""
    fate = Fate(seed)
    name, workers = drawn(seed, engine, wide), fate.draw([2, 3, 4])
    with in_64_bits(name in SEARCHES):
        return _simulated(fate, name, workers, engine)


def _simulated(fate, name, workers, engine):
    case = case_of(name)
    fate.note(f"{name!r} on {workers} workers, {case.chunks} chunks")
    watch = Watch()
    pool = pool_of(engine, case, fate, watch, workers)
    try:
        wrong = _trained(pool, case, fate, watch)
    except Exception as error:
        wrong = f"{type(error).__name__}: {error}"
    finally:
        pool.close()
    if isinstance(pool.exchange, Scalars) and pool.exchange.resynchronised > fate.disturbed:
        wrong = wrong or f"{pool.exchange.resynchronised} states sent again for {fate.disturbed} disturbed ones"
    return wrong or "; ".join(watch.wrong), fate.history


def _trained(pool, case, fate, watch):
    """Some generations, now and then from the first one again, or from the other line's; what is wrong, or nothing."""
    which, number = 0, 0
    state = case.lines[0].states[0]
    for _ in range(2 * GENERATIONS):
        if number == GENERATIONS or fate.happens(0.3):
            state, number = case.lines[which].states[0], 0
        if fate.happens(0.3):
            which = fate.below(len(case.lines))
            state = case.lines[which].states[number]
        if isinstance(pool.transport, Processes) and fate.happens(0.1):
            fate.note("another driver takes the workers over")
            pool = process_pool(case, fate, pool.transport)
        line = watch.line = case.lines[which]
        fate.note(f"generation {number} of line {which} begins")
        try:
            new, outcome = pool.step(state)
        except Interrupted:
            fate.note("the driver is interrupted, and begins this generation again")
            continue
        if (bits(jax.tree.leaves(new)), bits(jax.tree.leaves(outcome))) != line.outcomes[number]:
            return f"generation {number} has other bits"
        state, number = new, number + 1
    return ""
