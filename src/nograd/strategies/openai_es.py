"""OpenAI-ES: an isotropic search distribution whose mean climbs by an Optax optimizer (Salimans et al. 2017)."""

from typing import NamedTuple

import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float

from nograd.core.types import Params
from nograd.perturbations.base import Perturbation
from nograd.perturbations.dense import Distribution, dense
from nograd.strategies.ascent import State, ascend, decayed, start
from nograd.strategies.base import Strategy
from nograd.strategies.checks import checked, known_shaping
from nograd.strategies.shaping import Shaping


class OpenAIES(NamedTuple):
    """The rule: θ ← θ + optimizer(g) with g = 1/(nσ) Σᵢ wᵢ εᵢ over the n members that were not dropped."""

    optimizer: optax.GradientTransformation
    sigma: float

    def init(self, params: Params) -> State:
        """The state of generation 0."""
        return start(self.optimizer, params)

    def distribution(self, state: State) -> Distribution:
        """N(θ, σ²), σ the perturbation's own."""
        return Distribution(state.params)

    def step(
        self,
        state: State,
        total: Distribution,
        fitness: Float[Array, "units members"],
        valid: Bool[Array, "units members"],
    ) -> tuple[State, Float[Array, ""]]:
        """The next state and the norm of g."""
        used = jnp.maximum(jnp.sum(valid), 1).astype(jnp.float32)
        return ascend(self.optimizer, state, 1.0 / (used * self.sigma), total.mean)


def openai_es(
    population: int | None = None,
    sigma: float = 0.1,
    optimizer: optax.GradientTransformation | None = None,
    *,
    noise: str = "gaussian",
    mirrored: bool = True,
    perturbation: Perturbation | None = None,
    shaping: str | Shaping = "centered_rank",
    weight_decay: float = 0.0,
    chunks: int | None = None,
) -> Strategy:
    """g = 1/(nσ) Σᵢ wᵢ εᵢ with w = shaping(fitness), up by any Optax optimizer.

    Args:
        population: members a generation, n; even with mirrored sampling. Not for a perturbation that is local to
            examples, whose population follows from the batch.
        sigma: standard deviation of the perturbation.
        optimizer: an Optax optimizer, default `optax.adam(1e-2)`. It is handed −g.
        noise: "gaussian", "rademacher" or "table".
        mirrored: whether members come in pairs θ ± σε.
        perturbation: in place of sigma, noise and mirrored.
        shaping: "raw", "standardized", "centered_rank", "sign", "utilities", or a function of (fitness, valid).
        weight_decay: λ of the L2 term, added to −g as λθ before the optimizer, as in the paper's code.
        chunks: that a dense population is cut into, the most workers that can share it. It sets the order of sums.

    Raises:
        ConfigError: a parameter is out of its range; the message names it and the remedy.
    """
    perturbation = perturbation or dense(sigma, noise, mirrored)
    rule = OpenAIES(decayed(optimizer or optax.adam(1e-2), weight_decay), perturbation.sigma)
    return checked(Strategy(population, perturbation, known_shaping(shaping), rule, chunks))
