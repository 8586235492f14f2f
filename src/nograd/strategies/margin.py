"""CMA-ES with margin: no whole number and no choice of a search freezes while the step size shrinks.

Hamano, Saito, Nomura & Shirakawa 2022, "CMA-ES with Margin: Lower-Bounding Marginal Probability for Mixed-Integer
Black-Box Optimization" (arXiv 2205.13482). Where a coordinate is rounded, all members have the same value as soon as
its standard deviation is small, and the search cannot leave it any more. The margin keeps up the probability with which
a member has another value: after each step of a rule the mean, and a factor A on the standard deviation, are corrected.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jax.scipy.special import ndtr, ndtri
from jaxtyping import Array, Bool, Float, Int

from nograd.core.trees import filled, norm
from nograd.core.types import Params
from nograd.perturbations.covariance import Covariance
from nograd.perturbations.dense import Distribution
from nograd.strategies.base import Rule, Strategy

Block = Callable[[], Float[Array, "size size"]]  # the covariance matrix of one leaf's coordinates
# (mean, blocks, α) -> (mean, factors on the standard deviations), leaf by leaf
Corrected = Callable[[Sequence[Array], Sequence[Block], float], tuple[list[Array], list[Array]]]


class MarginState(NamedTuple):
    """What is carried from one generation to the next.

    It has no `condition`: where A keeps up a deviation, that of the rule's own matrix may shrink for ever.
    """

    params: Params  # the mean m, corrected
    scale: Any  # A times that of the rule; None where the rule learns none
    factor: Params  # A, of each coordinate
    inner: Any  # the state of the rule
    generation: Int[Array, ""]


class Margin(NamedTuple):
    """A rule whose distribution is corrected after each of its steps."""

    rule: Rule[Any]
    sigma: float  # where the rule learns none
    alpha: float  # the least probability that a member leaves the value of the mean, of one coordinate
    corrected: Corrected

    def init(self, params: Params) -> MarginState:
        """The state of generation 0."""
        inner = self.rule.init(params)
        return self._corrected(inner, filled(params, 1.0), inner.generation)

    def distribution(self, state: MarginState) -> Distribution:
        """The distribution of the rule, of mean m and with A times the standard deviations."""
        return Distribution(state.params, state.scale)

    def step(
        self,
        state: MarginState,
        total: Distribution,
        fitness: Float[Array, "units members"],
        valid: Bool[Array, "units members"],
    ) -> tuple[MarginState, Float[Array, ""]]:
        """The rule's own step, whose move of the mean counts A times, and the correction."""
        inner, _ = self.rule.step(state.inner, total, fitness, valid)
        move = jax.tree.map(lambda a, new, old: a * (new - old), state.factor, inner.params, state.params)
        moved = jax.tree.map(jnp.add, state.params, move)
        return self._corrected(inner._replace(params=moved), state.factor, inner.generation), norm(move)

    def _corrected(self, inner: Any, factor: Params, generation: Array) -> MarginState:
        scale = self.rule.distribution(inner).scale
        leaves, structure = jax.tree.flatten(inner.params)
        found = self.corrected(leaves, _blocks(leaves, _scaled(scale, factor), self.sigma), self.alpha)
        mean, more = (jax.tree.unflatten(structure, part) for part in found)
        factor = jax.tree.map(jnp.multiply, factor, more) if scale is not None else factor
        return MarginState(mean, _scaled(scale, factor), factor, inner._replace(params=mean), generation)


def with_margin(strategy: Strategy, size: int, corrected: Corrected) -> Strategy:
    """A strategy that keeps a margin of α = 1/(λ n), as the paper's does.

    Args:
        strategy: of a population λ.
        size: n, coordinates of a point.
        corrected: the correction of the mean and of the standard deviations, leaf by leaf.
    """
    alpha = 1.0 / (strategy.size * max(size, 2))
    return strategy._replace(rule=Margin(strategy.rule, strategy.perturbation.sigma, alpha, corrected))


def interval_margin(
    mean: Float[Array, ""], deviation: Float[Array, ""], low: Array, high: Array, alpha: float
) -> tuple[Array, Array]:
    """Mean and deviation of N(m, s²) such that it is below low, within, and above high with α/2 each at least.

    p' = max(α/2, p) of the two outer ones, p″ = p' + (1 − Σ p')(p' − α/2)/(Σ p' − 3α/2), and m, s are those with
    P(x < low) = p″₁ and P(x > high) = p″₃ (eq. 20 to 27 of the paper). They stay bit for bit where none is less.
    """
    least = alpha / 2
    below, above = ndtr((low - mean) / deviation), ndtr((mean - high) / deviation)
    within = jnp.maximum(1 - below - above, least)
    kept = jnp.maximum(below, least), within, jnp.maximum(above, least)
    whole = sum(kept)
    q_low, q_high = (-ndtri(p + (1 - whole) * (p - least) / (whole - 3 * least)) for p in (kept[0], kept[2]))
    wanted = (high - low) / (q_low + q_high)
    enough = (below >= least) & (above >= least)
    return jnp.where(enough, mean, low + wanted * q_low), jnp.where(enough, deviation, wanted)


def ahead_margin(
    score: Float[Array, " options"], covariance: Float[Array, "options options"], alpha: float
) -> Float[Array, " options"]:
    """Scores of which each overtakes the highest with a probability of α at least.

    The others are raised to a distance of −Φ⁻¹(α) standard deviations of the difference of the two, as the paper does
    for values on both sides of one threshold (eq. 18).
    """
    first = jnp.argmax(score)
    variance = jnp.diag(covariance)
    apart = jnp.sqrt(jnp.maximum(variance + variance[first] - 2 * covariance[first], 0.0))
    return jnp.maximum(score, jnp.where(jnp.arange(len(score)) == first, score, score[first] + ndtri(alpha) * apart))


def _scaled(scale: Any, factor: Params) -> Any:
    """A times the standard deviations."""
    if scale is None:
        return None
    if isinstance(scale, Covariance):
        rows = ravel_pytree(factor)[0].astype(scale.factor.dtype)
        return scale._replace(factor=rows[:, None] * scale.factor)
    return jax.tree.map(jnp.multiply, scale, factor)


def _blocks(leaves: Sequence[Array], scale: Any, sigma: float) -> list[Block]:
    """The covariance matrix of each leaf, made where it is asked for: that of many real numbers would be large."""
    if isinstance(scale, Covariance):
        ends = np.cumsum([leaf.size for leaf in leaves])
        rows = [scale.factor[end - leaf.size : end] for leaf, end in zip(leaves, ends, strict=True)]
        return [partial(lambda own: own @ own.T, own) for own in rows]
    deviations = [jnp.full_like(leaf, sigma) for leaf in leaves] if scale is None else jax.tree.leaves(scale)
    return [partial(lambda own: jnp.diag(jnp.square(own.reshape(-1))), own) for own in deviations]
