"""SNES, separable natural evolution strategies: a σ for each parameter, by natural gradients (Schaul et al. 2011)."""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from nograd.core.trees import add_scaled, filled, norm, parameter_count
from nograd.core.types import Params
from nograd.perturbations.dense import Dense, Distribution, dense
from nograd.strategies.base import Strategy
from nograd.strategies.checks import checked, require_positive, require_scalable
from nograd.strategies.shaping import utilities


class SNESState(NamedTuple):
    """The state of SNES between generations."""

    params: Params  # the mean θ
    scale: Params  # σ of each parameter
    generation: Int[Array, ""]


class SNES(NamedTuple):
    """The rule: θ ← θ + η σ Σ u ε and σ ← σ exp(η_σ/2 Σ u (ε² − 1)), for each parameter."""

    sigma: float  # σ of generation 0
    lr: float  # η
    lr_sigma: float | None  # η_σ; None: the default of the paper

    def init(self, params: Params) -> SNESState:
        """Returns the state of generation 0 with the mean at `params`."""
        return SNESState(params, filled(params, self.sigma), jnp.int32(0))

    def distribution(self, state: SNESState) -> Distribution:
        """The normal distribution N(θ, σ²)."""
        return Distribution(state.params, state.scale)

    def step(
        self,
        state: SNESState,
        total: Distribution,
        fitness: Float[Array, "units members"],
        valid: Bool[Array, "units members"],
    ) -> tuple[SNESState, Float[Array, ""]]:
        """The next state and the norm of g = σ Σ u ε."""
        rate = self.lr_sigma or default_lr_sigma(parameter_count(state.params))
        gradient = jax.tree.map(jnp.multiply, state.scale, total.mean)
        scale = jax.tree.map(lambda s, score: s * jnp.exp(0.5 * rate * score), state.scale, total.scale)
        return SNESState(add_scaled(state.params, self.lr, gradient), scale, state.generation + 1), norm(gradient)


def default_lr_sigma(parameters: int) -> float:
    """η_σ = (3 + ln d)/(5√d) for d parameters (Wierstra et al. 2014, table 1)."""
    return (3 + math.log(parameters)) / (5 * math.sqrt(parameters))


def snes(
    population: int,
    sigma: float = 0.1,
    *,
    lr: float = 1.0,
    lr_sigma: float | None = None,
    noise: str = "gaussian",
    mirrored: bool = True,
    perturbation: Dense | None = None,
    chunks: int | None = None,
) -> Strategy:
    """SNES (Schaul et al. 2011): θ ← θ + η σ Σ u ε and σ ← σ exp(η_σ/2 Σ u (ε² − 1)), for each parameter.

    u are the weights of the shaping `utilities`, which depend on the ranks of the fitness only.

    Args:
        population: members in a generation. The paper's is 4 + ⌊3 ln d⌋ for d parameters; noisy fitness needs more.
        sigma: standard deviation of the perturbation at the start, the same for all parameters.
        lr: η, the learning rate of the mean; the paper's is 1.
        lr_sigma: η_σ, the learning rate of σ; default (3 + ln d)/(5√d), the paper's.
        noise: "gaussian" or "table".
        mirrored: whether members come in pairs θ ± σε. The paper has no pairs; they need half the draws and were as
            good in our measurements.
        perturbation: replaces `sigma`, `noise` and `mirrored`.
        chunks: number of parts into which the population is divided: at most so many workers can share the work. It
            sets the order in which floats are summed, so another number changes the last bits of a result.

    Returns:
        The strategy, with pure functions `init`, `ask` and `tell`.

    Raises:
        ConfigError: a parameter is out of its range; the message names it and the remedy.
    """
    perturbation = require_scalable(perturbation or dense(sigma, noise, mirrored), "snes")
    require_positive("lr", lr, 1.0)
    if lr_sigma is not None:
        require_positive("lr_sigma", lr_sigma, 0.1)
    return checked(Strategy(population, perturbation, utilities, SNES(perturbation.sigma, lr, lr_sigma), chunks))
