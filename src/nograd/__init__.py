"""nograd: train neural networks without gradients, by Evolution Strategies."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from nograd.config import TrainConfig as TrainConfig
    from nograd.data import Dataset as Dataset
    from nograd.envs import World as World
    from nograd.envs import environment as environment
    from nograd.gradient import grad as grad
    from nograd.gradient import value_and_grad as value_and_grad
    from nograd.marks import straight_through as straight_through
    from nograd.models import Builder as Builder
    from nograd.models import Model as Model
    from nograd.models import cnn as cnn
    from nograd.models import from_equinox as from_equinox
    from nograd.models import from_flax as from_flax
    from nograd.models import from_keras as from_keras
    from nograd.models import linear2 as linear2
    from nograd.models import mlp as mlp
    from nograd.models import mlp_int8 as mlp_int8
    from nograd.models import mlp_sign as mlp_sign
    from nograd.models import mlp_spiking as mlp_spiking
    from nograd.models import oriented as oriented
    from nograd.perturb.dense import dense as dense
    from nograd.perturb.lowrank import lowrank as lowrank
    from nograd.perturb.node import node as node
    from nograd.report.command import report as report
    from nograd.results import Run as Run
    from nograd.results import load as load
    from nograd.search.command import search as search
    from nograd.session import train as train
    from nograd.strategies.ars import ars as ars
    from nograd.strategies.openai_es import openai_es as openai_es
    from nograd.strategies.pgpe import pgpe as pgpe
    from nograd.strategies.sep_cma_es import sep_cma_es as sep_cma_es
    from nograd.strategies.snes import snes as snes
    from nograd.types import NogradError as NogradError

# Loaded on first use: the command line answers --help without importing JAX.
_HOMES = {
    "Builder": "nograd.models",
    "Dataset": "nograd.data",
    "Model": "nograd.models",
    "NogradError": "nograd.types",
    "Run": "nograd.results",
    "TrainConfig": "nograd.config",
    "World": "nograd.envs",
    "ars": "nograd.strategies.ars",
    "cnn": "nograd.models",
    "dense": "nograd.perturb.dense",
    "environment": "nograd.envs",
    "from_equinox": "nograd.models",
    "from_flax": "nograd.models",
    "from_keras": "nograd.models",
    "grad": "nograd.gradient",
    "linear2": "nograd.models",
    "load": "nograd.results",
    "lowrank": "nograd.perturb.lowrank",
    "mlp": "nograd.models",
    "mlp_int8": "nograd.models",
    "mlp_sign": "nograd.models",
    "mlp_spiking": "nograd.models",
    "node": "nograd.perturb.node",
    "openai_es": "nograd.strategies.openai_es",
    "oriented": "nograd.models",
    "pgpe": "nograd.strategies.pgpe",
    "sep_cma_es": "nograd.strategies.sep_cma_es",
    "snes": "nograd.strategies.snes",
    "report": "nograd.report.command",
    "search": "nograd.search.command",
    "straight_through": "nograd.marks",
    "train": "nograd.session",
    "value_and_grad": "nograd.gradient",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'nograd' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
