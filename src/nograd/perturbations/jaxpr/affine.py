"""Which equations are affine in the operands that depend on the parameters, and what they do to a slope.

A value that is affine in the parameters is v + s·u for a member θ + sε: v is the mean's, u the slope. An equation
keeps that form if it is linear in one operand, in all of them together, or in one of two while the other does not
depend on the parameters.
"""

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array

from nograd.perturbations.jaxpr.flatten import bind, is_straight_through

# Linear in their first operand; any others are indices, which must not depend on the parameters.
_LINEAR = {
    "broadcast_in_dim", "copy", "copy_p", "cumsum", "dynamic_slice", "expand_dims", "gather", "neg", "real",
    "reduce_precision", "reduce_sum", "reduce_window_sum", "reshape", "rev", "slice", "split", "squeeze", "transpose",
}  # fmt: skip
# Linear in each of their two operands.
BILINEAR = {"conv_general_dilated", "dot_general", "mul"}
SUMS = {"add", "add_any", "sub"}
# Linear in several operands together: the positions of those, from the first to before the second number.
_JOINT = {"concatenate": (0, None), "dynamic_update_slice": (0, 2), "pad": (0, 2), "select_n": (1, None)}


def is_affine(equation: Any, affine: Sequence[bool]) -> bool:
    """Whether the equation's results are affine, given which of its operands are (the others are constants)."""
    name = equation.primitive.name
    if name in SUMS:
        return True
    if name in BILINEAR:
        return sum(affine) == 1
    if name in _JOINT:
        start, stop = _JOINT[name]
        return not any(affine[:start]) and not (stop and any(affine[stop:]))
    if name == "convert_element_type":
        return bool(jnp.issubdtype(equation.params["new_dtype"], jnp.floating))
    return (name in _LINEAR or name == "div" or is_straight_through(equation)) and affine[0] and not any(affine[1:])


def slopes_of(equation: Any, slopes: Sequence[Array | None], means: Sequence[Array]) -> list[Array]:
    """The u of an affine equation's results: the equation applied to the u of its affine operands.

    Args:
        equation: affine in the operands that have a slope.
        slopes: of each operand; None where it does not depend on the parameters.
        means: the operands of the mean.
    """
    name, has = equation.primitive.name, [slope is not None for slope in slopes]
    if is_straight_through(equation):  # passed by: noise is added to what comes out
        return [slope for slope in slopes if slope is not None]
    if name in SUMS and not all(has):  # a constant operand has no u
        # A scalar may meet a whole array here: jnp leaves that broadcast to the primitive.
        (own,) = (slope for slope in slopes if slope is not None)
        slope = jnp.broadcast_to(own, equation.outvars[0].aval.shape)
        return [-slope if name == "sub" and has[1] else slope]
    start, stop = _JOINT.get(name, (0, 0))
    positions = range(len(means))[start:stop]
    zeros = [jnp.zeros_like(mean) if at in positions else mean for at, mean in enumerate(means)]
    return bind(equation, [zero if slope is None else slope for slope, zero in zip(slopes, zeros, strict=True)])
