"""Dense perturbation: every parameter of a member moves by its own draw (Salimans et al. 2017, Algorithm 1)."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from nograd.config.axes import NOISES
from nograd.core import chunks
from nograd.core.trees import add_scaled, parameter_count, scaled
from nograd.core.types import ConfigError, Key, Params, PyTree
from nograd.perturbations.base import Perturbation, Values, Weights
from nograd.perturbations.batch_limits import at_once
from nograd.perturbations.covariance import Covariance, moved, outer
from nograd.perturbations.jaxpr.interpret import lift
from nograd.perturbations.members import Loss
from nograd.perturbations.noise import Noise


class Dense(NamedTuple):
    """The dense perturbation. A unit is one draw ε: the pair θ ± σε with mirrored sampling, else the member θ + σε."""

    sigma: float
    noise: Noise
    mirrored: bool
    directions: int = 64  # draws of one call of `nograd.grad`; strategies use their population instead

    @property
    def word(self) -> str:
        """What the command line calls it."""
        return "dense"

    @property
    def members(self) -> int:
        """Members that one draw makes: two with mirrored sampling."""
        return 2 if self.mirrored else 1

    @property
    def signs(self) -> int:
        """Members of a draw: two with mirrored sampling."""
        return self.members

    @property
    def settings(self) -> dict[str, Any]:
        """σ, noise and mirroring; the population is a setting of the strategy."""
        word = self.noise.name if self.noise.name in NOISES.entries else f"({self.noise.name}, a Python object)"
        return {"sigma": self.sigma, "noise": word, "mirrored": self.mirrored}

    @property
    def shared_directions(self) -> None:
        """None: the population sets the number of directions."""
        return None

    @property
    def by_example(self) -> bool:
        """All examples see the same members."""
        return False

    def whole_batch(self) -> "Dense":
        """This perturbation itself: all examples see the same members."""
        return self

    def shared(self) -> PyTree:
        """The table of noise; () for noise without a table."""
        return self.noise.prepare()

    def layout(self, loss: Loss, params: Params, *batch: PyTree, count: int | None = None) -> None:
        """None: members are whole networks, whatever the batch."""
        return None

    def sampled(
        self, values: Values, params: Params, inputs: PyTree, key: Key, weights: Weights
    ) -> tuple[Float[Array, "pairs members"], Params]:
        """Fitness and Σ w · ε of `directions` draws, each member on the whole batch."""
        plan = chunks.plan(self.directions)
        keys = jax.vmap(lambda unit: jax.random.fold_in(key, unit))(jnp.arange(plan.chunks * plan.size))
        shared = self.shared()
        evaluate = evaluator(self, lambda *arguments: jnp.mean(values(*arguments)), params, *inputs)
        together = at_once(self.members * parameter_count(params))
        chunked = chunks.evaluate_chunks(plan, lambda unit: evaluate(shared, keys[unit]), at_once=together)
        fitness = chunks.by_units(plan, chunked)
        shaped = chunks.by_chunks(plan, weights(fitness))
        total = chunks.estimate_chunks(
            plan, lambda unit, own: weighted_noise(self, shared, keys[unit], own, params), shaped
        )
        return fitness, total


def dense(sigma: float = 0.1, noise: str | Noise = "gaussian", mirrored: bool = True, directions: int = 64) -> Dense:
    """The dense perturbation θᵢ = θ ± σεᵢ of all parameters (Salimans et al. 2017).

    Args:
        sigma: standard deviation σ of the perturbation, in units of the parameters.
        noise: "gaussian", "rademacher" (random signs, about 10 times cheaper to draw), "table" (slices of a
            shared table, as in the paper), or a `Noise`.
        mirrored: whether each ε is evaluated with both signs (antithetic sampling, Geweke 1988).
        directions: draws of one call of `nograd.grad`; strategies use their population instead.

    Returns:
        A `Perturbation`.

    Raises:
        ConfigError: σ is not a positive number, or the noise has no such name.
    """
    if not isinstance(sigma, int | float) or not 0 < sigma < float("inf"):
        raise ConfigError(f"sigma must be a positive number, got {sigma}; 0.01 to 0.1 suit most networks")
    if isinstance(noise, str):
        made: Noise = NOISES.builder(noise)()
        noise = made
    if not isinstance(directions, int) or directions < 1:
        raise ConfigError(f"directions must be a whole number of at least 1, got {directions}; try 64")
    return Dense(sigma, noise, mirrored, directions)


class Distribution(NamedTuple):
    """The distribution that members are drawn from; as an estimate, the direction in which it should move.

    As a distribution it is N(mean, scale²); if `scale` is None, every parameter has the σ of the perturbation. As an
    estimate it holds Σ w ε for the mean and Σ w (ε² − 1) for the scale; for a covariance matrix see `Covariance`.
    """

    mean: Params
    scale: Params | Covariance | None = None  # σ of each parameter, or all of a covariance matrix


def displacement(dense: Dense, shared: PyTree, key: Key, params: Params, scale: Params | None) -> tuple[float, Params]:
    """(s, e): the members of the unit with this key are θ + s·e, and θ − s·e with mirrored sampling."""
    noise = dense.noise.draw(shared, key, params)
    if scale is None:
        return dense.sigma, noise
    if isinstance(scale, Covariance):
        return 1.0, moved(scale, noise)
    return 1.0, jax.tree.map(lambda s, e: (s * e).astype(e.dtype), scale, noise)


def member_params(
    dense: Dense, shared: PyTree, key: Key, params: Params, member: Array | int, scale: Params | None = None
) -> Params:
    """θ + σε for member 0 of the unit with this key, θ − σε for member 1; σ is `scale` where there is one."""
    sign = 1.0 - 2.0 * member
    size, direction = displacement(dense, shared, key, params, scale)
    return add_scaled(params, sign * size, direction)


def evaluator(
    dense: Dense,
    objective: Callable[..., Array],
    params: Params,
    *inputs: PyTree,
    alone: bool = False,
    scale: Params | None = None,
) -> Callable[[PyTree, Key], Float[Array, " members"]]:
    """evaluate(shared, key) = objective(θ ± σε, *inputs) for the members of the unit with this key.

    Values that are the same for all members are computed in this call; values that are the same for a mirrored pair
    are computed once for each pair (see `interpret.lift`).

    Args:
        dense: the perturbation.
        objective: (params, *inputs) -> the fitness of a member, a scalar.
        params: the mean θ.
        inputs: such as a minibatch.
        alone: whether the inputs belong to this unit only; then there is nothing to share between units.
        scale: σ of each parameter, a tree like the mean; default the σ of the perturbation.
    """
    if alone and not dense.mirrored:
        return lambda shared, key: objective(member_params(dense, shared, key, params, 0, scale), *inputs)[None]
    lifted = lift(objective, params, *inputs)

    def evaluate(shared: PyTree, key: Key) -> Float[Array, " members"]:
        size, direction = displacement(dense, shared, key, params, scale)
        sizes = jnp.array([size, -size][: dense.members])
        if not dense.mirrored:  # no vmap over one size: it would only make every product a batched one
            return lifted(direction, sizes[0])[None]
        return jax.vmap(lambda size: lifted(direction, size))(sizes)

    return evaluate


def weighted_noise(dense: Dense, shared: PyTree, key: Key, weights: Float[Array, " members"], like: Params) -> Params:
    """Σ over the unit's members of w · ε, the unit's share of the estimate: (w₊ − w₋) ε for a mirrored pair."""
    weight = weights[0] - weights[1] if dense.mirrored else weights[0]
    return scaled(weight, dense.noise.draw(shared, key, like))


def weighted_score(
    dense: Dense, shared: PyTree, key: Key, weights: Float[Array, " members"], around: Distribution
) -> Distribution:
    """Σ over the unit's members of w · ε, and of w · (ε² − 1) where there is a scale.

    Up to 1/σ it is the derivative of Σ w log p(member) by the mean and by log σ.
    """
    if around.scale is None:
        return Distribution(weighted_noise(dense, shared, key, weights, around.mean))
    noise = dense.noise.draw(shared, key, around.mean)
    if isinstance(around.scale, Covariance):
        return Distribution(scaled(jnp.maximum(weights[0], 0), noise), outer(around.scale, noise, weights[0]))
    odd, even = (weights[0] - weights[1], jnp.sum(weights)) if dense.mirrored else (weights[0], weights[0])

    def score(e: Array, s: Array) -> Array:
        e = e.astype(s.dtype)
        return jnp.asarray(even, s.dtype) * (e * e - 1)

    return Distribution(scaled(odd, noise), jax.tree.map(score, noise, around.scale))


def as_dense(perturbation: Perturbation) -> Dense | None:
    """The perturbation itself if it is dense, so that its members exist as trees of parameters; else None."""
    return perturbation if isinstance(perturbation, Dense) else None
