"""Generations of a small job by any engine, and all bits of what comes out."""

from dataclasses import replace

import jax
import numpy as np
from blobs import make_blobs

from nograd.config.settings import TrainConfig
from nograd.engines.inline import Inline
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
