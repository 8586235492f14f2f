"""Every small training there is: perturbation × strategy × shaping × kind of task, less what the product refuses."""

from functools import cache
from itertools import product

import numpy as np
from blobs import make_blobs

from nograd.config.axes import PERTURBATIONS, SHAPINGS, STRATEGIES
from nograd.config.settings import TrainConfig
from nograd.config.validate import validate
from nograd.core.types import NogradError
from nograd.data import Dataset
from nograd.tasks.kinds import load_source
from nograd.training.job import build_job

BATCH = {"batch": 24, "model": "mlp:4"}
POPULATION = {"dense": {"population": 24}, "lowrank": {"directions": 4, "group": 2}, "node": {"directions": 4}}
EPISODES = {"model": "mlp:4", "population": 24, "chunks": 6}
SETTINGS = {
    "classification": BATCH,
    "regression": BATCH,
    "multilabel": BATCH,
    "control on the host": EPISODES | {"task": "worlds:walk", "env_options": '{"steps": 4}'},
    "control in JAX": EPISODES | {"task": "jaxworlds:walk", "episode_limit": "4"},
}


@cache
def data_of(kind):
    """The data set of a kind of task."""
    if kind == "classification":
        return make_blobs(classes=3, features=4)
    draw = np.random.default_rng(0)
    x = draw.normal(size=(160, 4)).astype("f4")
    y = x @ draw.normal(size=(4, 3)).astype("f4")
    if kind == "regression":
        return Dataset.from_arrays(x, y[:, :2], problem="regression", name="numbers")
    return Dataset.from_arrays(x, y > 0, problem="multilabel", name="labels")


@cache
def combinations():
    """All of them, by name, also those that the product refuses."""
    names = product(SETTINGS, PERTURBATIONS.entries, STRATEGIES.entries, SHAPINGS.entries)
    return {", ".join(words): words for words in names}


@cache
def job_of(name):
    """The job of a combination; None where the product refuses it."""
    kind, perturbation, strategy, shaping = combinations()[name]
    own = {} if "control" in kind else POPULATION[perturbation]
    words = {"perturbation": perturbation, "strategy": strategy, "shaping": shaping, "noise": "gaussian"}
    words |= {"mirrored": False} if strategy in ("cma-es", "sep-cma-es") else {"lr": 0.05}  # which it does not read
    try:
        config = validate(TrainConfig(**SETTINGS[kind], **own, **words))
        return build_job(config, load_source(config) if "control" in kind else data_of(kind))
    except NogradError:
        return None
