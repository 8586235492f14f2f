"""Weights of the classes in the fitness: balanced, or one given for each."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from nograd.config.name_lists import pairs_of
from nograd.core.precision import as_floats
from nograd.core.text import did_you_mean
from nograd.core.types import ConfigError
from nograd.data import Dataset
from nograd.tasks.targets import Fitness, Targets

_SMALLEST, _LARGEST = 1e-6, 1e6


@dataclass(frozen=True)
class Weighted:
    """w[label] · f(output, label) for each example."""

    inner: Fitness
    weights: tuple[float, ...]  # of the classes

    def __call__(self, outputs: Array, labels: Array) -> Float[Array, " batch"]:
        values = as_floats(self.inner(outputs, labels))
        if values.shape != labels.shape:
            raise ConfigError(
                "--class-weight weighs examples, and the fitness is one number for the whole batch; leave it out, or "
                "return one value an example"
            )
        return values * jnp.asarray(self.weights, values.dtype)[labels]


def weighted(fitness: Fitness, word: str | None, targets: Targets, dataset: Dataset) -> Fitness:
    """The fitness with class weights; the fitness itself where `word` is None.

    Args:
        word: "balanced" for n/(k·n_c) of the training split, with k classes in it and n_c examples of class c, as in
            scikit-learn; or "a=1,b=3", where a class that is not named has weight 1.

    Raises:
        ConfigError: the targets have no classes, a named class is unknown, or a weight is no valid number.
    """
    if word is None:
        return fitness
    if targets.word != "classes":
        raise ConfigError(f"--class-weight {word} is for classes, and the targets are {targets.word}; leave it out")
    return Weighted(fitness, class_weights(word, dataset.y_train, dataset.class_names))


def class_weights(word: str, labels: np.ndarray, names: tuple[str, ...]) -> tuple[float, ...]:
    """The weight of each class; see `weighted`."""
    if word != "balanced":
        return _named(pairs_of(word, "--class-weight", "balanced, or NAME=WEIGHT such as a=1,b=3"), names)
    counts = np.bincount(labels, minlength=len(names))
    there = counts > 0
    balanced = len(labels) / (there.sum() * np.maximum(counts, 1))
    return tuple(np.where(there, balanced, 1.0).tolist())


def _named(given: Mapping[str, str], names: tuple[str, ...]) -> tuple[float, ...]:
    weights = dict.fromkeys(names, 1.0)
    for name, text in given.items():
        if name not in weights:
            raise ConfigError(f"--class-weight names no class {name!r}{did_you_mean(name, names)}")
        weights[name] = _weight(name, text)
    return tuple(weights.values())


def _weight(name: str, text: Any) -> float:
    try:
        weight = float(text)
    except ValueError:
        weight = -1.0
    if weight != 0 and not _SMALLEST <= weight <= _LARGEST:
        raise ConfigError(
            f"--class-weight {name}={text} is no weight; use 0 or a number of {_SMALLEST:g} to {_LARGEST:g}: {name}=3"
        )
    return weight
