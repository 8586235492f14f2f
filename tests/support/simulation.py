"""A whole training with simulated workers, drawn from a seed and compared with the inline engine bit by bit."""

from functools import cache

import jax
import numpy as np
from generations import KINDS, job_of
from simulated import Copies, Fate, Interrupted, Memory, Replicated, Watch, bits

from nograd.config.settings import TrainConfig
from nograd.config.validate import validate
from nograd.engines.devices import Devices
from nograd.engines.exchange import Scalars
from nograd.engines.inline import Inline
from nograd.engines.pool import Pool
from nograd.engines.processes import Processes
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
# Most are compiled by other tests, too, so that their programs lie in the cache.
FEW = ("dense", "pgpe", "lowrank, ranks", "node", "node, ranks", "episodes")


class Case:
    """A small training, compiled once for all seeds, and all that is right about it."""

    def __init__(self, job):
        self.job, self.shapes = job, job.state_shapes()
        self.here = Inline(job.generation, self.shapes, job.keys)
        self.here.compile_seconds = 1.0  # decides how long a start may take, so it must be the same every time
        self.chunks, self.states, self.outcomes, self.params, self.fitness = job.generation.plan.chunks, [], [], [], []
        state = job.init_state()
        self.width = len(job.generation.leaves(state))
        for _ in range(GENERATIONS):
            self.states.append(state)
            state, outcome = self._step(state)
            self.outcomes.append((bits(jax.tree.leaves(state)), bits(jax.tree.leaves(outcome))))

    def _step(self, state):
        params, number, here = self.job.generation.leaves(state), np.int32(state.generation), self.here
        self.params.append(bits(params))
        if self.job.generation.halves:
            found, total = here.share("both", params, number)
        else:
            found, _ = here.share("evaluate", params, number)
            _, total = here.share("estimate", params, number, found[0])
        self.fitness.append(bits(found[:1]))
        return here.updated(state, total, found)


@cache
def case_of(name):
    if name in EPISODES:
        config = validate(TrainConfig(**EPISODES[name]))
        return Case(build_job(config, load_source(config)))
    return Case(job_of(**KINDS[name]))


def names(wide):
    """The trainings that a seed draws from."""
    return (*KINDS, *EPISODES) if wide else FEW


def pool_of(engine, case, fate, watch, workers):
    """The real driver over simulated workers."""
    numbers = range(1, workers)
    if engine == "process":
        transport = Processes(fate.clock)
        for number in numbers:
            child = Memory(number, case, fate, watch)
            child.file = transport.file
            transport.children.append(child)
        transport.setup(case.here, case.shapes, DEADLINE)
        return Pool(case.here, transport, may_work_alone=fate.draw([False, False, True]))
    if engine == "devices":
        return Pool(case.here, Devices(case.here, [Copies(number, case, fate, watch) for number in numbers]))
    actors = [Replicated(number, case, fate, watch) for number in numbers]
    transport = Cluster(case.here, actors, DEADLINE, lambda arrays: arrays, fate.clock)
    return Pool(case.here, transport, exchange=Scalars(transport) if engine == "ray-scalars" else None)


def simulate(seed, engine, wide=False):
    """(what was wrong, the history) of one training; nothing is wrong with a correct driver."""
    fate = Fate(seed)
    options = names(wide)
    if engine == "ray-scalars":  # it needs a shaping that goes over the whole population
        options = [name for name in options if not case_of(name).job.generation.halves]
    name, workers = fate.draw(options), fate.draw([2, 3, 4])
    case = case_of(name)
    fate.note(f"{name!r} on {workers} workers, {case.chunks} chunks")
    watch = Watch(case)
    pool = pool_of(engine, case, fate, watch, workers)
    try:
        wrong = _trained(pool, case, fate)
    except Exception as error:
        wrong = f"{type(error).__name__}: {error}"
    finally:
        pool.close()
    if isinstance(pool.exchange, Scalars) and pool.exchange.resynchronised > fate.disturbed:
        wrong = wrong or f"{pool.exchange.resynchronised} states sent again for {fate.disturbed} disturbed ones"
    return wrong or "; ".join(watch.wrong), fate.history


def _trained(pool, case, fate):
    """Some generations, now and then from the first one again; what is wrong, or nothing."""
    state, number = case.states[0], 0
    for _ in range(2 * GENERATIONS):
        if number == GENERATIONS or fate.happens(0.3):
            state, number = case.states[0], 0
        fate.note(f"generation {number} begins")
        try:
            new, outcome = pool.step(state)
        except Interrupted:
            fate.note("the driver is interrupted, and begins this generation again")
            continue
        if (bits(jax.tree.leaves(new)), bits(jax.tree.leaves(outcome))) != case.outcomes[number]:
            return f"generation {number} has other bits"
        state, number = new, number + 1
    return ""
