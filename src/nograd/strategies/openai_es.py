"""OpenAI-ES: an isotropic search distribution whose mean is moved by an Optax optimizer (Salimans et al. 2017)."""

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
        """Returns the state of generation 0 with the mean at `params`."""
        return start(self.optimizer, params)

    def distribution(self, state: State) -> Distribution:
        """N(θ, σ²), with the fixed σ of the perturbation."""
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
    """OpenAI-ES (Salimans et al. 2017): θ ← θ + optimizer(g) with g = 1/(nσ) Σᵢ wᵢ εᵢ and w = shaping(fitness).

    Args:
        population: n, members in a generation; even with mirrored sampling. Leave it out with a low-rank or
            node perturbation: it then follows from the batch and the number of directions.
        sigma: standard deviation of the perturbation.
        optimizer: an Optax optimizer; default `optax.adam(1e-2)`. It receives −g.
        noise: "gaussian", "rademacher" or "table".
        mirrored: whether members come in pairs θ ± σε.
        perturbation: replaces `sigma`, `noise` and `mirrored`.
        shaping: "raw", "standardized", "centered_rank", "sign", "utilities", or a function of (fitness, valid).
        weight_decay: λ of the L2 term, added to −g as λθ before the optimizer, as in the paper's code.
        chunks: number of parts into which a dense population is divided: at most so many workers can share the work. It
            sets the order in which floats are summed, so another number changes the last bits of a result.

    Returns:
        The strategy, with pure functions `init`, `ask` and `tell`.

    Raises:
        ConfigError: a parameter is out of its range; the message names it and the remedy.
    """
    perturbation = perturbation or dense(sigma, noise, mirrored)
    rule = OpenAIES(decayed(optimizer or optax.adam(1e-2), weight_decay), perturbation.sigma)
    return checked(Strategy(population, perturbation, known_shaping(shaping), rule, chunks))
