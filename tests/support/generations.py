"""Generations of a small job by any engine, and all bits of what comes out."""

from dataclasses import replace

import jax
import numpy as np
from blobs import make_blobs
from objectives import bowl, noisy_bowl

from nograd.config.merge import merge
from nograd.config.settings import TrainConfig
from nograd.config.validate import validate
from nograd.engines.inline import Inline
from nograd.tasks.bounds import space_of
from nograd.tasks.objective import Objective
from nograd.training.job import build_job

DENSE = {"population": 26, "batch": 32}
LOCAL = {"batch": 24, "directions": 8, "shaping": "raw", "chunks": 6}
KINDS = {
    "dense": DENSE,
    "dense, single members": DENSE | {"mirrored": False, "noise": "gaussian", "shaping": "standardized"},
    "dense, own minibatches": DENSE | {"batch_sharing": "private"},
    "dense, table": DENSE | {"noise": "table", "shaping": "sign"},
    "ars": DENSE | {"strategy": "ars", "top": 5, "optimizer": "sgd"},
    "snes": DENSE | {"strategy": "snes", "noise": "gaussian", "lr": 1.0},
    "pgpe": DENSE | {"strategy": "pgpe", "noise": "table"},
    "sep-cma-es": DENSE | {"strategy": "sep-cma-es", "noise": "gaussian", "mirrored": False},
    "lowrank": LOCAL | {"perturbation": "lowrank", "group": 2},
    "lowrank, ranks": LOCAL | {"perturbation": "lowrank", "group": 2, "shaping": "centered_rank"},
    "lowrank, whole batch": LOCAL | {"perturbation": "lowrank", "group": 0, "population": 384},
    "node": LOCAL | {"perturbation": "node", "optimizer": "momentum"},
    "node, z-scores": LOCAL | {"perturbation": "node", "shaping": "standardized"},
    "node, ranks": LOCAL | {"perturbation": "node", "shaping": "centered_rank"},
    "node, ars": LOCAL | {"perturbation": "node", "strategy": "ars"},
}


def job_of(**settings):
    return build_job(replace(TrainConfig(), **{"model": "mlp:8", "lr": 0.05, **settings}), make_blobs())


def job_of_search(noisy=False, **settings):
    """The search of a Python function, one generation of which is as quick as can be."""
    space, sigma = space_of(np.array([1.0, 0.5, -0.5]), (-3, 2), None)
    task = Objective(noisy_bowl if noisy else bowl, space, "bowl", noisy=noisy)
    word = settings.setdefault("strategy", "cma-es")
    given = {"task": task.word, "strategy": word, "noise": "gaussian", "sigma": sigma, **settings}
    return build_job(validate(merge(given, None)), task)


def bits(state):
    return [np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(state)]


def after(engine, job, generations, each=lambda generation: None):
    """State and what was reported after some generations."""
    state, told = job.init_state(), []
    for generation in range(generations):
        each(generation)
        state, outcome = engine.step(state)
        told.append(bits(outcome))
    return bits(state), told


def inline(job, generations=4):
    return after(Inline(job.generation, job.state_shapes(), job.keys), job, generations)
