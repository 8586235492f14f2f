"""The table of primitive rules: in which operands a primitive is linear, and how it transforms a slope.

A value that is affine in the parameters is v + s·u for a member θ + sε: v is the mean's, u the slope. Both walkers
(`interpret`, `walk`) read the first column by `is_affine`. `interpret` reads the others too: the slope of the
results for slopes that are arrays, and for slopes that are `Factors`, where they stay factors.

A new rule is a line of `RULES`.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import jax.numpy as jnp
from jaxtyping import Array

from nograd.perturbations.jaxpr import factors as low_rank
from nograd.perturbations.jaxpr.factors import Factors
from nograd.perturbations.jaxpr.flatten import bind, is_straight_through

Slope: TypeAlias = Array | Factors
# (equation, the slopes of its operands, its operands at the mean); a slope is None where the operand is a constant.
SlopeRule: TypeAlias = Callable[[Any, "Linear", Sequence[Any], Sequence[Array]], list[Array]]
FactorRule: TypeAlias = Callable[[Any, Sequence[Slope | None], Sequence[Array]], Slope | list[Factors] | None]


class Linear(NamedTuple):
    """The operands that a primitive is linear in: from `start` to before `stop` (None: to the last)."""

    start: int = 0
    stop: int | None = 1
    each: bool = False  # in each of them while the others are constants (a product); else in all of them together
    floating: bool = False  # only where the results are floating-point numbers

    def holds(self, equation: Any, affine: Sequence[bool]) -> bool:
        """Whether the results are affine, given which operands are (at least one)."""
        if any(affine[: self.start]) or (self.stop is not None and any(affine[self.stop :])):
            return False
        if self.floating and not jnp.issubdtype(equation.outvars[0].aval.dtype, jnp.floating):
            return False
        return not self.each or sum(affine) == 1


def _applied(equation: Any, linear: Linear, slopes: Sequence[Array | None], means: Sequence[Array]) -> list[Array]:
    """The equation itself on the slopes: what it is linear in, but does not depend on the parameters, is 0."""
    summands = range(len(means))[linear.start : linear.stop] if not linear.each else ()
    given = zip(slopes, means, strict=True)
    zeroed = [(jnp.zeros_like(mean) if at in summands else mean, slope) for at, (slope, mean) in enumerate(given)]
    return bind(equation, [constant if slope is None else slope for constant, slope in zeroed])


def _summed(equation: Any, linear: Linear, slopes: Sequence[Array | None], means: Sequence[Array]) -> list[Array]:
    """u ± u′; a constant operand has no slope, so that the other's is only given the shape and sign."""
    own = [slope for slope in slopes if slope is not None]
    if len(own) == 2:
        return _applied(equation, linear, slopes, means)
    # A scalar may meet a whole array here: jnp leaves that broadcast to the primitive.
    slope = jnp.broadcast_to(own[0], equation.outvars[0].aval.shape)
    return [-slope if equation.primitive.name == "sub" and slopes[0] is None else slope]


def _passed(equation: Any, linear: Linear, slopes: Sequence[Array | None], means: Sequence[Array]) -> list[Array]:
    """The slopes unchanged: noise is added to what a rounding gives."""
    return [slope for slope in slopes if slope is not None]


def _alone(rule: Callable[[Any, Factors], Slope | list[Factors] | None]) -> FactorRule:
    """For a primitive of one operand."""
    return lambda equation, slopes, means: rule(equation, slopes[0])  # type: ignore[arg-type]


def _product(rule: Callable[[Any, Slope, Slope], Slope | None]) -> FactorRule:
    """For a product: of a slope and a constant, or of two slopes."""
    return lambda equation, slopes, means: rule(
        equation, *(mean if slope is None else slope for slope, mean in zip(slopes, means, strict=True))
    )


class PrimitiveRule(NamedTuple):
    """What the walkers know of a primitive."""

    linear: Linear
    factors: FactorRule | None = None  # the slope where one of the operands' is `Factors`; None: needs E multiplied out
    slopes: SlopeRule = _applied  # the slopes where all of the operands' are arrays


_FIRST = Linear()  # any others are indices or divisors, which must not depend on the parameters
_ALL = Linear(0, None)
_EACH = Linear(0, 2, each=True)

RULES: dict[str, PrimitiveRule] = {
    "add": PrimitiveRule(_ALL, low_rank.summed, _summed),
    "add_any": PrimitiveRule(_ALL, low_rank.summed, _summed),
    "broadcast_in_dim": PrimitiveRule(_FIRST, _alone(low_rank.broadcast)),
    "concatenate": PrimitiveRule(_ALL, low_rank.concatenation),
    "conv_general_dilated": PrimitiveRule(_EACH, _product(low_rank.conv)),
    "convert_element_type": PrimitiveRule(Linear(floating=True), _alone(low_rank.convert)),
    "copy": PrimitiveRule(_FIRST, _alone(low_rank.unchanged)),
    "copy_p": PrimitiveRule(_FIRST),
    "cumsum": PrimitiveRule(_FIRST),
    "div": PrimitiveRule(_FIRST, low_rank.quotient),
    "dot_general": PrimitiveRule(_EACH, _product(low_rank.dot_general)),
    "dynamic_slice": PrimitiveRule(_FIRST),
    "dynamic_update_slice": PrimitiveRule(Linear(0, 2)),
    "expand_dims": PrimitiveRule(_FIRST, _alone(low_rank.same_shape)),
    "gather": PrimitiveRule(_FIRST, low_rank.gathered),
    "mul": PrimitiveRule(_EACH, _product(low_rank.mul)),
    "neg": PrimitiveRule(_FIRST, _alone(low_rank.negative)),
    "pad": PrimitiveRule(Linear(0, 2)),
    "real": PrimitiveRule(_FIRST),
    "reduce_precision": PrimitiveRule(_FIRST),
    "reduce_sum": PrimitiveRule(_FIRST),
    "reduce_window_sum": PrimitiveRule(_FIRST),
    "reshape": PrimitiveRule(_FIRST, _alone(low_rank.reshape)),
    "rev": PrimitiveRule(_FIRST),
    "select_n": PrimitiveRule(Linear(1, None)),
    "slice": PrimitiveRule(_FIRST, _alone(low_rank.sliced)),
    "split": PrimitiveRule(_FIRST, _alone(low_rank.split)),
    "squeeze": PrimitiveRule(_FIRST, _alone(low_rank.same_shape)),
    "sub": PrimitiveRule(_ALL, low_rank.summed, _summed),
    "transpose": PrimitiveRule(_FIRST, _alone(low_rank.transpose)),
}
_STRAIGHT_THROUGH = PrimitiveRule(_FIRST, _alone(low_rank.unchanged), _passed)  # a call that a model has marked


def rule_of(equation: Any) -> PrimitiveRule | None:
    """The rule of an equation's primitive; None where it is not linear in any operand."""
    return _STRAIGHT_THROUGH if is_straight_through(equation) else RULES.get(equation.primitive.name)


def is_affine(equation: Any, affine: Sequence[bool]) -> bool:
    """Whether the equation's results are affine, given which of its operands are (at least one)."""
    rule = rule_of(equation)
    return rule is not None and rule.linear.holds(equation, affine)


def slopes_of(equation: Any, slopes: Sequence[Slope | None], means: Sequence[Array]) -> Sequence[Slope] | None:
    """The slopes of an affine equation's results; None where `Factors` would have to be multiplied out.

    Args:
        equation: affine in the operands that have a slope.
        slopes: of each operand; None where it does not depend on the parameters.
        means: the operands of the mean.
    """
    rule = rule_of(equation)
    assert rule is not None
    if not any(isinstance(slope, Factors) for slope in slopes):
        return rule.slopes(equation, rule.linear, slopes, means)
    found = rule.factors(equation, slopes, means) if rule.factors else None
    return found if found is None or isinstance(found, list) else [found]
