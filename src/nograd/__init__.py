"""nograd: train neural networks without gradients, by Evolution Strategies."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from nograd.core.forked import refuse_fork, watch_forks

watch_forks()
__version__ = "0.1.0"

if TYPE_CHECKING:
    from nograd.config.settings import TrainConfig as TrainConfig
    from nograd.core.types import NogradError as NogradError
    from nograd.data import Dataset as Dataset
    from nograd.engines.base import Engine as Engine
    from nograd.envs import EnvSpec as EnvSpec
    from nograd.envs import VectorEnv as VectorEnv
    from nograd.envs import environment as environment
    from nograd.envs.vector import EnvSource as EnvSource
    from nograd.models import Builder as Builder
    from nograd.models import Model as Model
    from nograd.models import attention_argmax as attention_argmax
    from nograd.models import from_equinox as from_equinox
    from nograd.models import from_flax as from_flax
    from nograd.models import from_keras as from_keras
    from nograd.models import from_torch as from_torch
    from nograd.models import gru as gru
    from nograd.models import lstm as lstm
    from nograd.models import mlp_int8 as mlp_int8
    from nograd.models import mlp_sign as mlp_sign
    from nograd.models import mlp_spiking as mlp_spiking
    from nograd.models import mlp_staircase as mlp_staircase
    from nograd.models import moe_hard as moe_hard
    from nograd.models.mlp import cnn as cnn
    from nograd.models.mlp import linear2 as linear2
    from nograd.models.mlp import mlp as mlp
    from nograd.models.mlp import mlp_linear as mlp_linear
    from nograd.models.oriented import oriented as oriented
    from nograd.models.straight_through import straight_through as straight_through
    from nograd.perturbations.base import LocalPerturbation as LocalPerturbation
    from nograd.perturbations.base import Perturbation as Perturbation
    from nograd.perturbations.dense import dense as dense
    from nograd.perturbations.lowrank import lowrank as lowrank
    from nograd.perturbations.node import node as node
    from nograd.reports.write import report as report
    from nograd.runs.run import Run as Run
    from nograd.runs.run import load as load
    from nograd.strategies.ars import ars as ars
    from nograd.strategies.base import Rule as Rule
    from nograd.strategies.base import Strategy as Strategy
    from nograd.strategies.cma_es import cma_es as cma_es
    from nograd.strategies.gradient import grad as grad
    from nograd.strategies.gradient import value_and_grad as value_and_grad
    from nograd.strategies.openai_es import openai_es as openai_es
    from nograd.strategies.pgpe import pgpe as pgpe
    from nograd.strategies.sep_cma_es import sep_cma_es as sep_cma_es
    from nograd.strategies.snes import snes as snes
    from nograd.tasks.base import Task as Task
    from nograd.tasks.own_metric import make_metric as make_metric
    from nograd.tasks.search_leaves import choice as choice
    from nograd.tasks.search_leaves import integers as integers
    from nograd.tasks.targets import Targets as Targets
    from nograd.training.from_python import train as train
    from nograd.training.loop import Observer as Observer
    from nograd.training.minimize import maximize as maximize
    from nograd.training.minimize import minimize as minimize
    from nograd.tuning.search import search as search

# Imported on first use: so the command line can print --help without importing JAX.
_HOMES = {
    "Builder": "nograd.models",
    "Dataset": "nograd.data",
    "Engine": "nograd.engines.base",
    "EnvSource": "nograd.envs.vector",
    "VectorEnv": "nograd.envs",
    "LocalPerturbation": "nograd.perturbations.base",
    "Model": "nograd.models",
    "NogradError": "nograd.core.types",
    "Observer": "nograd.training.loop",
    "Perturbation": "nograd.perturbations.base",
    "Rule": "nograd.strategies.base",
    "Run": "nograd.runs.run",
    "Strategy": "nograd.strategies.base",
    "Targets": "nograd.tasks.targets",
    "Task": "nograd.tasks.base",
    "TrainConfig": "nograd.config.settings",
    "EnvSpec": "nograd.envs",
    "ars": "nograd.strategies.ars",
    "attention_argmax": "nograd.models",
    "cnn": "nograd.models",
    "dense": "nograd.perturbations.dense",
    "environment": "nograd.envs",
    "from_equinox": "nograd.models",
    "from_flax": "nograd.models",
    "from_keras": "nograd.models",
    "from_torch": "nograd.models",
    "grad": "nograd.strategies.gradient",
    "gru": "nograd.models",
    "linear2": "nograd.models",
    "lstm": "nograd.models",
    "load": "nograd.runs.run",
    "lowrank": "nograd.perturbations.lowrank",
    "make_metric": "nograd.tasks.own_metric",
    "mlp": "nograd.models",
    "mlp_int8": "nograd.models",
    "mlp_linear": "nograd.models",
    "mlp_sign": "nograd.models",
    "mlp_spiking": "nograd.models",
    "mlp_staircase": "nograd.models",
    "moe_hard": "nograd.models",
    "node": "nograd.perturbations.node",
    "openai_es": "nograd.strategies.openai_es",
    "oriented": "nograd.models",
    "pgpe": "nograd.strategies.pgpe",
    "sep_cma_es": "nograd.strategies.sep_cma_es",
    "snes": "nograd.strategies.snes",
    "report": "nograd.reports.write",
    "search": "nograd.tuning.search",
    "straight_through": "nograd.models.straight_through",
    "cma_es": "nograd.strategies.cma_es",
    "minimize": "nograd.training.minimize",
    "maximize": "nograd.training.minimize",
    "integers": "nograd.tasks.search_leaves",
    "choice": "nograd.tasks.search_leaves",
    "train": "nograd.training.from_python",
    "value_and_grad": "nograd.strategies.gradient",
}
__all__ = sorted(_HOMES)
_NO_CALLS = {"Builder", "Dataset", "EnvSpec", "Model", "NogradError", "TrainConfig"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'nograd' has no attribute {name!r}")
    if name not in _NO_CALLS:
        refuse_fork()
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
