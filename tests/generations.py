"""Generations of a small job by any engine, and all bits of what comes out."""

from dataclasses import replace

import jax
import numpy as np

from blobs import make_blobs
from nograd.build import build_job
from nograd.config import TrainConfig
from nograd.engines.inline import Inline

DENSE = {"population": 26, "batch": 32}
LOCAL = {"batch": 24, "directions": 8, "shaping": "raw", "chunks": 6}


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
