"""ARS, augmented random search: OpenAI-ES with plain steps along the best directions (Mania, Guy & Recht 2018)."""

from typing import NamedTuple

import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float

from nograd.core.types import ConfigError, Params
from nograd.perturbations.base import Perturbation
from nograd.perturbations.dense import Distribution, dense
from nograd.strategies.ascent import State, ascend, decayed, start
from nograd.strategies.base import Strategy
from nograd.strategies.checks import checked
from nograd.strategies.shaping import TopK, standardized


class ARS(NamedTuple):
    """The rule: θ ← θ + optimizer(g) with g = 1/(b s) Σ (f₊ − f₋) ε over b pairs, s the deviation of their f."""

    optimizer: optax.GradientTransformation
    top: int | None  # b; None: all directions

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
        """The next state and the norm of g; the shaping has divided by s."""
        used = jnp.sum(valid) // 2
        if self.top is not None:
            used = jnp.minimum(used, self.top)
        return ascend(self.optimizer, state, 1.0 / jnp.maximum(used, 1).astype(jnp.float32), total.mean)


def ars(
    population: int | None = None,
    sigma: float = 0.1,
    optimizer: optax.GradientTransformation | None = None,
    *,
    top: int | None = None,
    noise: str = "gaussian",
    perturbation: Perturbation | None = None,
    weight_decay: float = 0.0,
    chunks: int | None = None,
) -> Strategy:
    """g = 1/(b s) Σ (f₊ − f₋) ε over the b directions with the largest max(f₊, f₋), s the deviation of these 2b f.

    Algorithm 2 of the paper without its observation filter: V1 with all directions, V1-t with `top` fewer. σ is not
    divided by, so that the step is the learning rate in units of the parameters, whatever σ and the fitness's scale.

    Args:
        population: members a generation, 2N for the paper's N directions. Not for a perturbation that is local to
            examples, whose population follows from the batch.
        sigma: standard deviation of the perturbation, the paper's ν.
        optimizer: an Optax optimizer, default `optax.sgd(0.05)`, the paper's plain step. It is handed −g.
        top: b, the directions that count; default all.
        noise: "gaussian" (the paper's), "rademacher" or "table".
        perturbation: in place of sigma and noise; mirrored.
        weight_decay: λ of the L2 term, added to −g as λθ before the optimizer.
        chunks: that a dense population is cut into, the most workers that can share it. It sets the order of sums.

    Raises:
        ConfigError: a parameter is out of its range; the message names it and the remedy.
    """
    perturbation = perturbation or dense(sigma, noise)
    if not perturbation.mirrored:
        raise ConfigError("ars compares the two members of a pair, so they must be mirrored; leave mirrored on")
    rule = ARS(decayed(optimizer or optax.sgd(0.05), weight_decay), top)
    shaping = standardized if top is None else TopK(top)
    strategy = checked(Strategy(population, perturbation, shaping, rule, chunks))
    if top is not None:
        _check_top(top, strategy)
    return strategy


def _check_top(top: int, strategy: Strategy) -> None:
    """Raises ConfigError where there are fewer directions, or not all of them are judged by the same examples."""
    perturbation = strategy.perturbation
    directions = strategy.units if strategy.population else perturbation.shared_directions
    if directions is None:
        raise ConfigError(
            f"top cannot be {top} with {perturbation.word} perturbation on parts of a batch: the "
            "best directions would be those of the easiest examples; leave top out, or use a dense or whole-batch one"
        )
    if not isinstance(top, int) or not 1 <= top <= directions:
        raise ConfigError(f"top must be a whole number of 1 to {directions}, the directions, got {top}")
