"""What CMA-ES and sep-CMA-ES share: evolution paths, and how they treat ties, equal fitness and mirrored pairs."""

import math
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from nograd.core.types import ConfigError, Params
from nograd.perturbations.base import Perturbation
from nograd.perturbations.dense import Dense
from nograd.strategies.checks import require_scalable
from nograd.strategies.shaping import recombination, weights

LEAST = 1e-30  # smallest step size: one that shrinks for ever would end in 0/0
_ROUNDING = 1e-5  # relative error of a sum of squared weights


def path(path: Params, step: Params, rate: float, mu_eff: float, more: Array) -> Params:
    """p ← (1 − c) p + √(c (2 − c) μ_eff) · step; under random selection p keeps the variance 1."""
    gain = math.sqrt(rate * (2 - rate) * mu_eff) * jnp.sqrt(more)
    return jax.tree.map(lambda p, s: (1 - rate) * p + gain.astype(s.dtype) * s, path, step)


def share_of_ties(fitness: Float[Array, "units members"], valid: Bool[Array, "units members"], mu_eff: float) -> Array:
    """1/Σ w² of the weights used, relative to μ_eff of distinct ranks: exactly 1 if no two fitness values are equal.

    Tied members share their weights, so Σ w² is smaller. Without this factor the evolution paths would become shorter
    at each tie, and the step size would shrink.
    """
    more = 1.0 / (mu_eff * jnp.maximum(jnp.sum(jnp.square(weights(recombination, fitness)[0])), LEAST))
    return jnp.where(jnp.abs(more - 1.0) < _ROUNDING, 1.0, more)


def unless_flat(
    state: Any,
    after: Any,
    step_norm: Float[Array, ""],
    fitness: Float[Array, "units members"],
    valid: Bool[Array, "units members"],
) -> tuple[Any, Float[Array, ""]]:
    """The state after a step and the length of the step; if all fitness is equal, the old state, one generation on."""
    told = jnp.max(fitness, where=valid, initial=-jnp.inf) > jnp.min(fitness, where=valid, initial=jnp.inf)
    kept = jax.tree.map(lambda new, old: jnp.where(told, new, old), after, state)
    return kept._replace(generation=state.generation + 1), jnp.where(told, step_norm, 0.0)


def require_single(perturbation: Perturbation, name: str) -> Dense:
    """The perturbation, if it is not mirrored and allows a learnt sigma. Raises ConfigError otherwise."""
    dense = require_scalable(perturbation, name)
    if dense.mirrored:
        raise ConfigError(
            f"{name} judges the step size by how far the mean moves, and mirrored pairs cancel each other's moves; "
            "turn mirrored off"
        )
    return dense
