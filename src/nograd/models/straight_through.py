"""Marks that a model sets on its own functions of the parameters, for the walkers in `perturbations` to read."""

from collections.abc import Callable

import jax
from jaxtyping import Array

STRAIGHT_THROUGH = "straight_through"  # the name under which the walkers find the call in a jaxpr


def straight_through(function: Callable[[Array], Array]) -> Callable[[Array], Array]:
    """Marks a rounding q of parameters so that noise is added after it: x q(W) is perturbed as x (q(W) + σE).

    A rounding has no slope, so noise on W that stays within a step changes nothing, and a layer x q(W) is not
    linear in W. With the mark, the network computes with q(W) alone, members differ from it by noise that is
    not rounded, and the estimate is taken as that for W (the straight-through convention of Bengio et al. 2013,
    arXiv 1308.3432, here for the parameters only; activations need no mark).

    Args:
        function: maps one array of parameters to an array of the same shape and type.
    """

    @jax.custom_vjp
    def rounded(weights: Array) -> Array:
        return function(weights)

    rounded.defvjp(lambda weights: (function(weights), None), lambda _, cotangent: (cotangent,))

    def straight_through(weights: Array) -> Array:
        return rounded(weights)

    return jax.jit(straight_through)
