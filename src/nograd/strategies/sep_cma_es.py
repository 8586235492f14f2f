"""sep-CMA-ES: CMA-ES with a diagonal covariance matrix, linear in time and memory (Ros & Hansen 2008)."""

import math
from functools import reduce
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from nograd.core.trees import add_scaled, filled, norm, parameter_count
from nograd.core.types import Params
from nograd.perturbations.dense import Dense, Distribution, dense
from nograd.strategies.base import Strategy
from nograd.strategies.checks import checked
from nograd.strategies.cumulation import LEAST, path, require_single, share_of_ties, unless_flat
from nograd.strategies.shaping import recombination, recombination_weights


class SepCMAESState(NamedTuple):
    """The state of sep-CMA-ES between generations."""

    params: Params  # the mean m
    scale: Params  # s√c, the standard deviation of each parameter
    step_size: Float[Array, ""]  # s
    path_step: Params  # the evolution path of the step size
    path_variance: Params  # the evolution path of c
    generation: Int[Array, ""]

    @property
    def condition(self) -> Float[Array, ""]:
        """The largest variance divided by the smallest."""
        leaves = jax.tree.leaves(self.scale)
        highest, lowest = (reduce(f, map(g, leaves)) for f, g in ((jnp.maximum, jnp.max), (jnp.minimum, jnp.min)))
        return jnp.square(highest / lowest)


class Constants(NamedTuple):
    """Numbers that follow from the population and the parameter count; letters as in Hansen 2016, table 1."""

    mu_eff: float  # effective number of members in the weighted mean
    c_sigma: float
    d_sigma: float
    c_c: float
    c_1: float
    c_mu: float
    chi: float  # the expected length of a standard normal vector


def constants(population: int, parameters: int) -> Constants:
    """The constants of Hansen 2016 (arXiv 1604.00772), table 1; c₁ and c_μ times (n + 2)/3 (Ros & Hansen 2008)."""
    n, mu_eff = parameters, float(1 / np.sum(recombination_weights(population) ** 2))
    c_sigma = (mu_eff + 2) / (n + mu_eff + 3)
    c_1 = min(1, population / 6) * 2 / ((n + 1.3) ** 2 + mu_eff)
    c_mu = 2 * (0.25 + mu_eff + 1 / mu_eff - 2) / ((n + 2) ** 2 + mu_eff)
    separable = (n + 2) / 3
    c_1 = min(1.0, separable * c_1)
    return Constants(
        mu_eff=mu_eff,
        c_sigma=c_sigma,
        d_sigma=1 + 2 * max(0.0, math.sqrt((mu_eff - 1) / (n + 1)) - 1) + c_sigma,
        c_c=(4 + mu_eff / n) / (n + 4 + 2 * mu_eff / n),
        c_1=c_1,
        c_mu=min(1 - c_1, separable * c_mu),
        chi=math.sqrt(n) * (1 - 1 / (4 * n) + 1 / (21 * n**2)),
    )


class SepCMAES(NamedTuple):
    """The rule: the mean moves to the weighted mean of the better half; c and s adapt to the steps of the mean."""

    sigma: float  # σ of generation 0
    population: int

    def init(self, params: Params) -> SepCMAESState:
        """Returns the state of generation 0 with the mean at `params`."""
        zero, scale = filled(params, 0.0), filled(params, self.sigma)
        step_size = jnp.asarray(self.sigma, jnp.result_type(*jax.tree.leaves(scale)))
        return SepCMAESState(params, scale, step_size, zero, zero, jnp.int32(0))

    def distribution(self, state: SepCMAESState) -> Distribution:
        """The normal distribution N(m, s² c)."""
        return Distribution(state.params, state.scale)

    def step(
        self,
        state: SepCMAESState,
        total: Distribution,
        fitness: Float[Array, "units members"],
        valid: Bool[Array, "units members"],
    ) -> tuple[SepCMAESState, Float[Array, ""]]:
        """The next state and the length of the mean's step. If all fitness is equal, only the generation changes."""
        after, step_norm = self._moved(state, total, fitness, valid)
        return unless_flat(state, after, step_norm, fitness, valid)

    def _moved(
        self, state: SepCMAESState, total: Distribution, fitness: Array, valid: Array
    ) -> tuple[SepCMAESState, Float[Array, ""]]:
        """m moves by s√c z with z = Σ w ε and Σ w = 1."""
        n = parameter_count(state.params)
        k = constants(self.population, n)
        more = share_of_ties(fitness, valid, k.mu_eff)
        step = jax.tree.map(jnp.multiply, state.scale, total.mean)
        path_step = path(state.path_step, total.mean, k.c_sigma, k.mu_eff, more)
        length = norm(path_step)
        # While the path is long, s is about to grow; the path of c does not follow these moves (h_σ in Hansen 2016).
        young = 1 - (1 - k.c_sigma) ** (2.0 * (state.generation + 1))
        calm = length**2 / young < (2 + 4 / (n + 1)) * n
        moved = jax.tree.map(lambda leaf: jnp.where(calm, leaf / state.step_size.astype(leaf.dtype), 0), step)
        path_variance = path(state.path_variance, moved, k.c_c, k.mu_eff, more)
        c_1 = k.c_1 * (1 - jnp.where(calm, 0.0, k.c_c * (2 - k.c_c)))  # the path has less variance if it did not move
        step_size = state.step_size * jnp.exp(jnp.minimum(1.0, k.c_sigma / k.d_sigma * (length / k.chi - 1)))
        step_size = jnp.maximum(step_size, LEAST)

        def adapted(scale: Array, path: Array, score: Array) -> Array:
            c = jnp.square(scale / state.step_size)
            c = (1 - c_1 + k.c_mu * score) * c + k.c_1 * jnp.square(path)
            return (step_size * jnp.sqrt(c)).astype(scale.dtype)

        scale = jax.tree.map(adapted, state.scale, path_variance, total.scale)
        params = add_scaled(state.params, 1.0, step)
        return SepCMAESState(params, scale, step_size, path_step, path_variance, state.generation), norm(step)


def sep_cma_es(
    population: int,
    sigma: float = 0.1,
    *,
    noise: str = "gaussian",
    perturbation: Dense | None = None,
    chunks: int | None = None,
) -> Strategy:
    """sep-CMA-ES (Ros & Hansen 2008): m ← Σ w x over the better half, with a variance c per parameter and step size s.

    p_s ← (1 − c_σ) p_s + √(c_σ (2 − c_σ) μ_eff) z with z = Σ w ε, s ← s exp(c_σ/d_σ (|p_s|/χ − 1)),
    p_c ← (1 − c_c) p_c + √(c_c (2 − c_c) μ_eff) √c z, c ← (1 − c₁ − c_μ) c + c₁ p_c² + c_μ c Σ w ε².

    Args:
        population: λ, members in a generation. The paper's is 4 + ⌊3 ln n⌋ for n parameters; noisy fitness needs more.
        sigma: standard deviation of the perturbation at the start: about a third of the distance to the optimum.
        noise: "gaussian" or "table".
        perturbation: replaces `sigma` and `noise`; it must not be mirrored.
        chunks: number of parts into which the population is divided: at most so many workers can share the work. It
            sets the order in which floats are summed, so another number changes the last bits of a result.

    Returns:
        The strategy, with pure functions `init`, `ask` and `tell`.

    Raises:
        ConfigError: a parameter is out of its range; the message names it and the remedy.
    """
    perturbation = require_single(perturbation or dense(sigma, noise, mirrored=False), "sep-cma-es")
    rule = SepCMAES(perturbation.sigma, population)
    return checked(Strategy(population, perturbation, recombination, rule, chunks))
