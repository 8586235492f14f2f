"""Checks of a strategy's settings. Each error is one line with the remedy."""

from typing import Any

from nograd.config.axes import SHAPINGS
from nograd.core.types import ConfigError
from nograd.perturbations.base import Perturbation
from nograd.perturbations.dense import Dense, as_dense
from nograd.strategies.base import Strategy
from nograd.strategies.shaping import Shaping


def checked(strategy: Strategy) -> Strategy:
    """The strategy itself. Raises ConfigError if its population is not possible with its perturbation."""
    population, perturbation = strategy.population, strategy.perturbation
    if as_dense(perturbation) is None:
        if population is not None:
            raise ConfigError(f"population cannot be {population} here; it follows from batch, group and directions")
    elif not isinstance(population, int) or population < 2:
        raise ConfigError(f"population must be a whole number of at least 2, got {population}")
    elif perturbation.mirrored and population % 2:
        raise ConfigError(
            f"population must be even with mirrored sampling, got {population}; use {population + 1} or mirrored=False"
        )
    return strategy


def require_scalable(perturbation: Perturbation, name: str) -> Dense:
    """The perturbation, if it allows a learnt sigma for each parameter. Raises ConfigError otherwise."""
    dense = as_dense(perturbation)
    if dense is None:
        raise ConfigError(
            f"{name} learns a sigma for each parameter, so it needs a dense perturbation, got "
            f"{perturbation.word}; use a dense one, or the strategy openai-es or ars"
        )
    if dense.noise.name == "rademacher":
        raise ConfigError(
            f"{name} learns sigma from the size of the draws, and those of rademacher noise are all equal; "
            "use noise gaussian or table"
        )
    return dense


def require_positive(name: str, value: Any, example: float) -> None:
    """Raises ConfigError unless the value is a positive, finite number."""
    if not isinstance(value, int | float) or not 0 < value < float("inf"):
        raise ConfigError(f"{name} must be a positive number, got {value}; try {example}")


def known_shaping(shaping: str | Shaping) -> Shaping:
    """The shaping with this name, or the given function. Raises ConfigError for an unknown name."""
    if callable(shaping):
        return shaping
    found: Shaping = SHAPINGS.builder(shaping)
    return found
