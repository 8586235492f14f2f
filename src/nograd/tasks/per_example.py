"""Checks for perturbations that evaluate each example alone: fitness and network must not mix examples."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nograd.core.trees import add
from nograd.core.types import ConfigError
from nograd.data import Dataset
from nograd.models import Model
from nograd.perturbations.batch_dependence import EXAMPLES, depends_on_others, trial
from nograd.tasks.examples import target_shapes
from nograd.tasks.fitness import checked_fitness
from nograd.tasks.targets import Fitness

_REMEDY = (
    "low-rank and node perturbations evaluate each example alone, so that this would be another function; "
    "use perturbation dense, or"
)


def require_alone(fitness: Fitness, model: Model, dataset: Dataset, batch: int, width: int) -> None:
    """Raises ConfigError where the fitness or the network's outputs for an example depend on the rest of the batch.

    Checked by the shape of the fitness, then by a trial on a few examples. The library's own parts are not tried.
    """
    if batch > 1 and checked_fitness(fitness, batch, width, target_shapes(dataset, batch)) == ():
        raise ConfigError(f"the fitness is one number for the whole batch, and {_REMEDY} return one value an example")
    count = min(EXAMPLES, len(dataset.x_train))
    labels = np.asarray(dataset.y_train[:count])
    labels = np.resize(labels, (EXAMPLES, *labels.shape[1:]))
    if not _is_own(getattr(fitness, "inner", fitness)):  # the function that weights of classes are laid over
        outputs = trial(jax.ShapeDtypeStruct((EXAMPLES, width), jnp.float32))
        if depends_on_others(fitness, outputs, labels):
            raise ConfigError(f"the fitness of an example depends on the rest of its batch, and {_REMEDY} change that")
    if not _is_own(model.apply):
        _require_own_outputs(model, dataset, count)


def _require_own_outputs(model: Model, dataset: Dataset, count: int) -> None:
    x = (np.asarray(dataset.x_train[:count], np.float32) - dataset.offset) * dataset.scale
    x = np.resize(x, (EXAMPLES, *x.shape[1:])).astype(np.float32)
    params = jax.jit(model.init)(jax.random.key(0))
    # Beside the first parameters, which may well be zeros.
    params = add(params, jax.tree.map(lambda leaf: (0.1 * leaf).astype(leaf.dtype), trial(params)))
    if depends_on_others(lambda x: model.apply(params, x), x):
        raise ConfigError(
            f"the network's outputs for an example depend on the rest of its batch (a batch norm?), and {_REMEDY} "
            "a norm over one example, such as LayerNorm"
        )


def _is_own(function: Callable[..., Any]) -> bool:
    module = getattr(function, "__module__", None) or ""
    return module.startswith(("nograd.models.", "nograd.tasks.")) and ".adapters." not in module
