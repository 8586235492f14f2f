"""From a network's outputs to actions, and how many outputs they take."""

import math

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from nograd.envs import Action


def output_count(action: Action, bins: int | None) -> int:
    """Outputs that a policy needs: one a choice, or one a component of a box (one a bin where it is cut into bins)."""
    if action.kind == "box":
        return math.prod(action.shape) * (bins or 1)
    return sum(action.choices)


def decoded(action: Action, bins: int | None, outputs: Float[Array, "*batch outputs"]) -> Array:
    """Actions [*batch, *shape]: the largest output's choice; of a box the outputs, −1..1 scaled to its bounds.

    With bins, each component of a box is one of so many evenly spaced values between its bounds.
    """
    batch = outputs.shape[:-1]
    if action.kind == "box":
        low, high = (jnp.asarray(np.array(bound, np.float32)) for bound in (action.low, action.high))
        if bins:
            best = jnp.argmax(outputs.reshape(*batch, -1, bins), axis=-1)
            return (low + (high - low) * best / (bins - 1)).reshape(*batch, *action.shape)
        bounded = is_bounded(action)
        middle, half = (jnp.where(bounded, value, 0.0) for value in ((low + high) / 2, (high - low) / 2))
        scaled = middle + half * jnp.clip(outputs, -1.0, 1.0)
        return jnp.where(bounded, scaled, outputs).reshape(*batch, *action.shape)
    ends = np.cumsum(action.choices)[:-1]
    parts = jnp.split(outputs, ends, axis=-1)
    chosen = [jnp.argmax(part, axis=-1) + start for part, start in zip(parts, action.starts, strict=True)]
    return (chosen[0] if action.kind == "discrete" else jnp.stack(chosen, axis=-1)).astype(jnp.int32)


def is_bounded(action: Action) -> np.ndarray:
    """Which components of a box have both bounds, [components]."""
    return np.array([low is not None and high is not None for low, high in zip(action.low, action.high, strict=True)])
