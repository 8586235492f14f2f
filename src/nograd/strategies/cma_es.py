"""CMA-ES: a search distribution whose whole covariance matrix is learnt, for up to some hundred parameters.

Hansen 2016, "The CMA Evolution Strategy: A Tutorial" (arXiv 1604.00772), with its negative weights (active CMA-ES).
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Bool, Float, Int

from nograd.core.trees import add_scaled, parameter_count
from nograd.core.types import ConfigError, Params
from nograd.perturbations.covariance import Covariance
from nograd.perturbations.dense import Dense, Distribution, dense
from nograd.strategies.base import Strategy
from nograd.strategies.checks import checked
from nograd.strategies.cumulation import LEAST, path, require_single, share_of_ties, unless_flat
from nograd.strategies.shaping import by_place, recombination_weights

CONDITION = 1e14  # largest condition number of C, the ratio of its largest to its smallest eigenvalue
_NEVER = 1e30  # reported in place of an infinite condition
_LARGEST = 10_000  # parameters; their matrix takes 0.8 GB in float64


class State(NamedTuple):
    """The state of CMA-ES between generations."""

    params: Params  # the mean m
    scale: Covariance  # s √C, and the share of the negative weights
    covariance: Float[Array, "n n"]  # C
    step_size: Float[Array, ""]  # s
    path_step: Float[Array, " n"]  # the evolution path of the step size
    path_matrix: Float[Array, " n"]  # the evolution path of C
    generation: Int[Array, ""]
    condition: Float[Array, ""]  # condition number of C when it was last decomposed


class Constants(NamedTuple):
    """Numbers that follow from the population and the parameter count; letters as in Hansen 2016, table 1."""

    mu_eff: float  # effective number of members in the weighted mean
    c_sigma: float
    d_sigma: float
    c_c: float
    c_1: float
    c_mu: float
    chi: float  # the expected length of a standard normal vector
    active: float  # Σ |w| of the negative weights
    every: int  # generations between two decompositions of C


def constants(population: int, parameters: int) -> Constants:
    """The constants of Hansen 2016, table 1, except for c_σ: n + μ_eff + 3 in place of + 5, as in pycma."""
    n, w = parameters, recombination_weights(population)
    mu_eff = float(1 / np.sum(w**2))
    negative = _negative_weights(population)
    mu_minus = float(np.sum(negative) ** 2 / max(np.sum(negative**2), 1e-300))
    c_sigma = (mu_eff + 2) / (n + mu_eff + 3)
    c_1 = 2 / ((n + 1.3) ** 2 + mu_eff)
    c_mu = min(1 - c_1, 2 * (0.25 + mu_eff + 1 / mu_eff - 2) / ((n + 2) ** 2 + mu_eff))
    bounds = (1 + c_1 / c_mu, 1 + 2 * mu_minus / (mu_eff + 2), (1 - c_1 - c_mu) / (n * c_mu)) if c_mu > 0 else (0.0,)
    return Constants(
        mu_eff=mu_eff,
        c_sigma=c_sigma,
        d_sigma=1 + 2 * max(0.0, math.sqrt((mu_eff - 1) / (n + 1)) - 1) + c_sigma,
        c_c=(4 + mu_eff / n) / (n + 4 + 2 * mu_eff / n),
        c_1=c_1,
        c_mu=c_mu,
        chi=math.sqrt(n) * (1 - 1 / (4 * n) + 1 / (21 * n**2)),
        active=max(0.0, min(bounds)),
        every=max(1, int(1 / (10 * n * (c_1 + c_mu)))),
    )


class CMAES(NamedTuple):
    """The rule: the mean moves to the weighted mean of the better half; C and s adapt to the steps of the mean."""

    sigma: float  # σ of generation 0
    population: int

    def init(self, params: Params) -> State:
        """Returns the state of generation 0. Raises ConfigError if the matrix would be too large."""
        n = parameter_count(params)
        if n > _LARGEST:
            raise ConfigError(
                f"cma-es learns a matrix of {n:,} × {n:,} numbers, too many; use sep-cma-es, which learns its diagonal"
            )
        vector = jnp.zeros_like(ravel_pytree(params)[0])
        vector = vector.astype(jnp.promote_types(vector.dtype, jnp.float32))
        identity = jnp.eye(n, dtype=vector.dtype)
        active = jnp.asarray(constants(self.population, n).active, vector.dtype)
        step_size = jnp.asarray(self.sigma, vector.dtype)
        scale = Covariance(step_size * identity, active)
        return State(params, scale, identity, step_size, vector, vector, jnp.int32(0), jnp.ones_like(step_size))

    def distribution(self, state: State) -> Distribution:
        """N(m, s² C)."""
        return Distribution(state.params, state.scale)

    def step(
        self,
        state: State,
        total: Distribution,
        fitness: Float[Array, "units members"],
        valid: Bool[Array, "units members"],
    ) -> tuple[State, Float[Array, ""]]:
        """The next state and the length of the mean's step. If all fitness is equal, only the generation changes."""
        after, step_norm = self._moved(state, total, fitness, valid)
        return unless_flat(state, after, step_norm, fitness, valid)

    def _moved(self, state: State, total: Distribution, fitness: Array, valid: Array) -> tuple[State, Float[Array, ""]]:
        """m moves by s √C z with z = Σ w ε over the better half. √C is symmetric, so C^(−½) times that move is s z."""
        assert isinstance(total.scale, Covariance)
        n = state.path_step.size
        k = constants(self.population, n)
        more = share_of_ties(fitness, valid, k.mu_eff)
        z, back = ravel_pytree(total.mean)
        z = z.astype(state.path_step.dtype)
        root = state.scale.factor / state.step_size
        move = root @ z
        path_step = path(state.path_step, z, k.c_sigma, k.mu_eff, more)
        length = jnp.linalg.norm(path_step)
        young = 1 - (1 - k.c_sigma) ** (2.0 * (state.generation + 1))
        calm = length**2 / young < (2 + 4 / (n + 1)) * n
        path_matrix = path(state.path_matrix, jnp.where(calm, move, 0.0), k.c_c, k.mu_eff, more)
        c_1 = k.c_1 * (1 - jnp.where(calm, 0.0, k.c_c * (2 - k.c_c)))  # the path has less variance if it did not move
        learnt = root @ total.scale.factor @ root
        covariance = (1 - c_1 - k.c_mu * total.scale.active) * state.covariance
        covariance = covariance + k.c_1 * jnp.outer(path_matrix, path_matrix) + k.c_mu * learnt
        step_size = state.step_size * jnp.exp(jnp.minimum(1.0, k.c_sigma / k.d_sigma * (length / k.chi - 1)))
        step_size = jnp.maximum(step_size, LEAST).astype(state.step_size.dtype)
        due = (state.generation + 1) % k.every == 0
        covariance, root, condition = jax.lax.cond(
            due, _decomposed, lambda *same: same, covariance, root, state.condition
        )
        params = add_scaled(state.params, 1.0, back((state.step_size * move).astype(ravel_pytree(total.mean)[0].dtype)))
        scale = Covariance(step_size * root, state.scale.active)
        after = State(params, scale, covariance, step_size, path_step, path_matrix, state.generation, condition)
        return after, state.step_size * jnp.linalg.norm(move)


def _decomposed(covariance: Array, before: Array, condition: Array) -> tuple[Array, Array, Array]:
    """Returns C (symmetric, small eigenvalues raised so that its condition is ≤ 1e14), √C, and its old condition.

    If the root is not finite, the last C, root and condition are kept.
    """
    values, vectors = jnp.linalg.eigh((covariance + covariance.T) / 2)
    highest, lowest = jnp.max(values), jnp.min(values)
    had = jnp.where(lowest > highest / _NEVER, highest / lowest, _NEVER)
    values = jnp.maximum(values, highest / CONDITION)
    root = (vectors * jnp.sqrt(values)) @ vectors.T
    sound = jnp.all(jnp.isfinite(root))
    whole = jnp.where(sound, (vectors * values) @ vectors.T, before @ before)
    return whole, jnp.where(sound, root, before), jnp.where(sound, had, condition).astype(condition.dtype)


def recombination_with_negative(
    fitness: Float[Array, "units members"], valid: Bool[Array, "units members"]
) -> Float[Array, "units members"]:
    """w ∝ ln((n + 1)/2) − ln k for the k-th best of n; the better half sums to 1, the worse half to −1.

    If members are dropped, the weights of the remaining places are scaled to the same two sums.
    """
    better = by_place(jnp.asarray(recombination_weights(fitness.size), fitness.dtype), fitness, valid)
    worse = by_place(jnp.asarray(_negative_weights(fitness.size)[::-1].copy(), fitness.dtype), -fitness, valid)
    return better - worse


def _negative_weights(count: int) -> np.ndarray:
    """max(0, ln k − ln((n + 1)/2)) / Σ for the k-th best of n; shape [count]."""
    table = np.maximum(np.log(np.arange(1, count + 1)) - np.log((count + 1) / 2), 0.0)
    return table / table.sum()


def cma_es(
    population: int,
    sigma: float = 0.1,
    *,
    noise: str = "gaussian",
    perturbation: Dense | None = None,
    chunks: int | None = None,
) -> Strategy:
    """CMA-ES (Hansen 2016): m ← Σ w x over the better half, with the covariance matrix C and the step size s adapted.

    p_s ← (1 − c_σ) p_s + √(c_σ (2 − c_σ) μ_eff) z with z = Σ w ε, s ← s exp(c_σ/d_σ (|p_s|/χ − 1)),
    p_c ← (1 − c_c) p_c + √(c_c (2 − c_c) μ_eff) √C z,
    C ← (1 − c₁ − c_μ Σv) C + c₁ p_c p_cᵀ + c_μ √C (Σ v ε εᵀ) √C. Here v = w in the better half; in the worse half v is
    negative and scaled by n/|ε|² (active CMA-ES).

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
    perturbation = require_single(perturbation or dense(sigma, noise, mirrored=False), "cma-es")
    rule = CMAES(perturbation.sigma, population)
    return checked(Strategy(population, perturbation, recombination_with_negative, rule, chunks))
