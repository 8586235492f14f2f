"""PGPE, policy gradients with parameter-based exploration: θ and σ climb the expected fitness (Sehnke et al. 2010)."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int

from nograd.core.trees import filled
from nograd.core.types import Params, PyTree
from nograd.perturbations.dense import Dense, Distribution, dense
from nograd.strategies.ascent import ascend, decayed
from nograd.strategies.base import Strategy
from nograd.strategies.checks import checked, known_shaping, require_positive, require_scalable
from nograd.strategies.shaping import Shaping, centred

_LR_SIGMA = 0.1
_MOST = 0.2  # largest relative change of a σ in one generation, so that no step makes a σ negative


class PGPEState(NamedTuple):
    """The state of PGPE between generations."""

    params: Params  # the mean θ
    scale: Params  # σ of each parameter
    opt_state: PyTree  # the state of the Optax optimizer of the mean
    generation: Int[Array, ""]


class PGPE(NamedTuple):
    """The rule: θ ← θ + optimizer(g) with g = σ/n Σ w ε, and σ ← σ + α_σ σ/n Σ w (ε² − 1), parameter by parameter."""

    optimizer: optax.GradientTransformation
    sigma: float  # σ of generation 0
    lr_sigma: float  # α_σ

    def init(self, params: Params) -> PGPEState:
        """Returns the state of generation 0 with the mean at `params`."""
        return PGPEState(params, filled(params, self.sigma), self.optimizer.init(params), jnp.int32(0))

    def distribution(self, state: PGPEState) -> Distribution:
        """The normal distribution N(θ, σ²)."""
        return Distribution(state.params, state.scale)

    def step(
        self,
        state: PGPEState,
        total: Distribution,
        fitness: Float[Array, "units members"],
        valid: Bool[Array, "units members"],
    ) -> tuple[PGPEState, Float[Array, ""]]:
        """The next state and the norm of g."""
        used = jnp.maximum(jnp.sum(valid), 1).astype(jnp.float32)
        gradient = jax.tree.map(jnp.multiply, state.scale, total.mean)
        after, gradient_norm = ascend(self.optimizer, state, 1.0 / used, gradient)
        change = jax.tree.map(lambda score: jnp.clip(self.lr_sigma / used * score, -_MOST, _MOST), total.scale)
        return after._replace(scale=jax.tree.map(lambda s, c: s * (1 + c), state.scale, change)), gradient_norm


def pgpe(
    population: int,
    sigma: float = 0.1,
    optimizer: optax.GradientTransformation | None = None,
    *,
    lr_sigma: float | None = None,
    noise: str = "gaussian",
    mirrored: bool = True,
    perturbation: Dense | None = None,
    shaping: str | Shaping = "centered_rank",
    weight_decay: float = 0.0,
    chunks: int | None = None,
) -> Strategy:
    """PGPE (Sehnke et al. 2010): θ ← θ + optimizer(σ/n Σ w ε) and σ ← σ + α_σ σ/n Σ w (ε² − 1), for each parameter.

    With mirrored pairs, the difference of a pair's weights moves the mean and their sum changes σ (symmetric sampling).
    The baseline is the mean fitness of the population. A σ changes by at most a fifth in one generation.

    Args:
        population: n, members in a generation; even with mirrored sampling.
        sigma: standard deviation of the perturbation at the start, the same for all parameters.
        optimizer: an Optax optimizer of the mean; default `optax.adam(1e-2)`. It receives −g; the paper uses
            `optax.sgd`.
        lr_sigma: α_σ, default 0.1.
        noise: "gaussian" or "table".
        mirrored: whether members come in pairs θ ± σε, as in the paper's symmetric sampling.
        perturbation: replaces `sigma`, `noise` and `mirrored`.
        shaping: "raw" (f minus its mean), "standardized", "centered_rank", "sign", "utilities", or a function of
            (fitness, valid) whose weights have mean 0.
        weight_decay: λ of the L2 term, added to −g as λθ before the optimizer.
        chunks: number of parts into which the population is divided: at most so many workers can share the work. It
            sets the order in which floats are summed, so another number changes the last bits of a result.

    Returns:
        The strategy, with pure functions `init`, `ask` and `tell`.

    Raises:
        ConfigError: a parameter is out of its range; the message names it and the remedy.
    """
    perturbation = require_scalable(perturbation or dense(sigma, noise, mirrored), "pgpe")
    if lr_sigma is None:
        lr_sigma = _LR_SIGMA
    require_positive("lr_sigma", lr_sigma, _LR_SIGMA)
    rule = PGPE(decayed(optimizer or optax.adam(1e-2), weight_decay), perturbation.sigma, lr_sigma)
    shaped = centred if shaping == "raw" else known_shaping(shaping)
    return checked(Strategy(population, perturbation, shaped, rule, chunks))
