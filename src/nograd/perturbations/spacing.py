"""Checks that members differ: a σ below the spacing of floating-point numbers near a parameter is rounded away."""

import warnings
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from nograd.core.trees import shown_names
from nograd.core.types import ConfigError, Params

_FEW = 0.5  # the share of a parameter's elements that may be lost to rounding without a warning


class _Lost(NamedTuple):
    name: str
    kind: str
    spacing: float  # the median one
    size: float  # the median |θ|
    share: float  # of the elements, whose members nearly all are the mean


def check_spacing(params: Params, sigma: float) -> None:
    """Warns if for most elements of a parameter θ + σε is rounded to θ. Traced values are not checked.

    Raises:
        ConfigError: this holds for every element of all parameters, so that all members are the same.
    """
    leaves = jax.tree.leaves(params)
    if any(isinstance(leaf, jax.core.Tracer) for leaf in leaves):
        return
    found = [_lost(name, leaf, sigma) for name, leaf in zip(shown_names(params), leaves, strict=True) if leaf.size]
    worst = max((lost for lost in found if lost), key=lambda lost: (lost.share, lost.spacing), default=None)
    if worst is None or worst.share <= _FEW:
        return
    told = (
        f"sigma {sigma:g} is below the spacing of {worst.kind} numbers in parameter {worst.name!r}: {worst.spacing:g} "
        f"near {worst.size:g}"
    )
    remedy = f"use sigma {2 * worst.spacing:.1g} or more, smaller parameters, or parameters of a wider type"
    if all(lost and lost.share == 1 for lost in found):
        raise ConfigError(f"{told}, so that all members are equal; {remedy}")
    warnings.warn(f"{told}, so that most of its members are equal; {remedy}", stacklevel=4)


def _lost(name: str, leaf: jax.Array, sigma: float) -> _Lost | None:
    """The part of a leaf that is rounded away; None if nothing can be."""
    eps = float(jnp.finfo(leaf.dtype).eps)
    # By NumPy: under jit JAX would trace it, though the values are known.
    size = np.abs(np.asarray(leaf).astype(np.float64))
    if 2 * sigma >= eps * float(size.max()):
        return None
    # θ = m 2ᵉ with m in [½, 1): its neighbours are eps · 2ᵉ⁻¹ away, and half of that is rounded back to it.
    spacing = eps * np.ldexp(1.0, np.frexp(size)[1] - 1)
    lost = 3 * sigma < spacing / 2
    if not lost.any():
        return None
    return _Lost(
        name, str(leaf.dtype), float(np.median(spacing[lost])), float(np.median(size[lost])), float(lost.mean())
    )
