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
    """The rule: θ ← θ + optimizer(g) with g = 1/(b s) Σ (f₊ − f₋) ε over b pairs.

    s is the standard deviation of the fitness of these pairs' members.
    """

    optimizer: optax.GradientTransformation
    top: int | None  # b; None: all directions

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
        """The next state and the norm of g. `total` is divided by s already: the shaping did that."""
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
    """Augmented random search (Mania, Guy & Recht 2018): g = 1/(b s) Σ (f₊ − f₋) ε over the b best directions.

    The best directions are those with the largest max(f₊, f₋); s is the standard deviation of their 2b fitness values.

    This is Algorithm 2 of the paper without its normalisation of observations: V1 with all directions, V1-t with fewer
    (`top`). g is not divided by σ, so the learning rate is the length of a step in the units of the parameters, for any
    σ and any scale of the fitness.

    Args:
        population: members in a generation, 2N for the paper's N directions. Leave it out with a low-rank or
            node perturbation: it then follows from the batch and the number of directions.
        sigma: standard deviation of the perturbation, the paper's ν.
        optimizer: an Optax optimizer; default `optax.sgd(0.05)`, the plain step of the paper. It receives −g.
        top: b, the number of directions that are used; default all.
        noise: "gaussian" (the paper's), "rademacher" or "table".
        perturbation: replaces `sigma` and `noise`; it must be mirrored.
        weight_decay: λ of the L2 term, added to −g as λθ before the optimizer.
        chunks: number of parts into which a dense population is divided: at most so many workers can share the work. It
            sets the order in which floats are summed, so another number changes the last bits of a result.

    Returns:
        The strategy, with pure functions `init`, `ask` and `tell`.

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
    """Raises ConfigError if there are fewer than `top` directions, or if different examples evaluate them."""
    perturbation = strategy.perturbation
    directions = strategy.units if strategy.population else perturbation.shared_directions
    if directions is None:
        raise ConfigError(
            f"top cannot be {top} with {perturbation.word} perturbation on parts of a batch: the "
            "best directions would be those of the easiest examples; leave top out, or use a dense or whole-batch one"
        )
    if not isinstance(top, int) or not 1 <= top <= directions:
        raise ConfigError(f"top must be a whole number of 1 to {directions}, the directions, got {top}")
