"""A strategy: a population, a shaping of its fitness, and a rule that updates the search distribution.

Members are drawn from a distribution (mean, and a scale if σ is learnt) that is part of the rule's state. The estimate
that the rule receives has the same structure as that distribution. Engines therefore send the one to the workers and
receive the other without knowing which strategy it is.
"""

from typing import Any, NamedTuple, Protocol, TypeVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from nograd.core import chunks as cut
from nograd.core.precision import as_floats
from nograd.core.trees import norm, parameter_count, require_floats
from nograd.core.types import ConfigError, Key, Params
from nograd.perturbations.base import Perturbation
from nograd.perturbations.covariance import Covariance, spread
from nograd.perturbations.dense import Dense, Distribution, as_dense, member_params, weighted_score
from nograd.perturbations.spacing import check_spacing
from nograd.strategies.shaping import Shaping, weights


class State(Protocol):
    """The state of a rule between generations: a NamedTuple whose first fields are the search distribution."""

    @property
    def params(self) -> Params:
        """The mean θ: the parameters that are trained."""

    @property
    def generation(self) -> Int[Array, ""]:
        """The number of generations done so far."""


class Info(NamedTuple):
    """The report of a generation. The statistics are over the members with a finite fitness."""

    fitness_mean: Float[Array, ""]
    fitness_std: Float[Array, ""]
    fitness_max: Float[Array, ""]
    fitness_min: Float[Array, ""]
    dropped: Int[Array, ""]  # members with a NaN or infinite fitness; the other halves of their pairs are not counted
    gradient_norm: Float[Array, ""]  # norm of the estimate g along which the mean moves
    sigma: Float[Array, ""]  # standard deviation of the draws: the root mean square over the parameters


S = TypeVar("S")


class Rule(Protocol[S]):
    """The part in which strategies differ: pure functions of a state, as methods of a NamedTuple of settings."""

    def init(self, params: Params) -> S:
        """Returns the state of generation 0; `params` is a tree of floating-point arrays, the first mean."""

    def distribution(self, state: S) -> Distribution:
        """The distribution from which members are drawn; its arrays are the first ones of the state."""

    def step(
        self,
        state: S,
        total: Distribution,
        fitness: Float[Array, "units members"],
        valid: Bool[Array, "units members"],
    ) -> tuple[S, Float[Array, ""]]:
        """Updates the distribution once, from the weighted sums over a whole population.

        Args:
            state: the state of this generation.
            total: mean: Σ w ε over the valid members; scale: Σ w (ε² − 1) if the distribution has a scale, else None.
            fitness: the fitness of all members, including NaN and infinite values.
            valid: False for the members that were dropped from the update.

        Returns:
            The next state, and the norm of g, the estimate along which the mean moves.
        """


class Strategy(NamedTuple):
    """A strategy as pure functions of its state: `init`, `ask` and `tell`, and the parts of `tell` for engines."""

    population: int | None  # number of members; None if it follows from the batch
    perturbation: Perturbation
    shaping: Shaping
    rule: Rule[Any]
    chunks: int | None = None  # parts into which a dense population is divided; None: chosen from its size

    @property
    def dense(self) -> Dense:
        """The perturbation, if it is dense: members are whole networks. Raises ConfigError otherwise."""
        dense = as_dense(self.perturbation)
        if dense is None:
            raise ConfigError(
                f"{self.perturbation.word} perturbation needs the network's function, so it has no "
                "ask and tell; use nograd.grad, nograd.train, or a dense perturbation"
            )
        return dense

    @property
    def size(self) -> int:
        """The number of members of a dense population."""
        assert self.population is not None  # `checked` demands it
        return self.population

    @property
    def units(self) -> int:
        """Number of draws of noise in a generation of a dense population: its pairs if mirrored, else its members."""
        return self.size // self.dense.members

    def init(self, params: Params) -> Any:
        """Returns the state of generation 0 with the mean at `params`, a tree of floating-point arrays.

        Raises:
            ConfigError: a parameter is not a float, or sigma is so small that every member rounds to the mean.
        """
        require_floats(params)
        params = jax.tree.map(jnp.asarray, params)
        if (dense := as_dense(self.perturbation)) is not None:
            check_spacing(params, dense.sigma)
        return self.rule.init(params)

    def distribution(self, state: State) -> Distribution:
        """The distribution from which the members of this generation are drawn."""
        return self.rule.distribution(state)

    def leaves(self, state: State) -> list[Any]:
        """The arrays of `distribution` as a list; the state's own leaves begin with the same arrays."""
        return jax.tree.leaves(self.distribution(state))

    def ask(self, state: State, key: Key, members: Array | None = None) -> Params:
        """Draws the members of this generation.

        Args:
            state: the state of this generation.
            key: the key of the run. The number of the generation is folded in here, so use the same key all the time.
            members: which members to draw, [n] of 0 to population − 1; default all, which takes population × parameters
                floats. With mirrored sampling, members 2i and 2i + 1 are θ + σεᵢ and θ − σεᵢ.

        Returns:
            A tree like the parameters; each leaf has a leading axis of the members.

        Raises:
            ConfigError: a number in `members` is not a member, or the perturbation is not dense.
        """
        shared, count = self.dense.noise.prepare(), self.dense.members
        generation_key = jax.random.fold_in(key, state.generation)
        mean, scale = self.distribution(state)

        def one(member: Array) -> Params:
            unit_key = jax.random.fold_in(generation_key, member // count)
            return member_params(self.dense, shared, unit_key, mean, member % count, scale)

        chosen = jnp.arange(self.size) if members is None else jnp.asarray(members)
        if not isinstance(chosen, jax.core.Tracer) and bool(jnp.any((chosen < 0) | (chosen >= self.size))):
            raise ConfigError(f"members must be 0 to {self.size - 1}, got {chosen.tolist()}")
        return jax.vmap(one)(chosen)

    def tell(self, state: State, key: Key, fitness: Float[Array, " population"]) -> tuple[Any, Info]:
        """Updates the distribution with the weights w = shaping(fitness); the noise ε is drawn again from `key`.

        Args:
            state: the state that was given to `ask`.
            key: the key that was given to `ask`.
            fitness: [population], higher is better. Members with a NaN or infinite fitness are left out of the update,
                with the other half of their mirrored pair, and counted in `Info.dropped`.

        Returns:
            The next state, and what to report of this generation.

        Raises:
            ConfigError: `fitness` has another shape, or the perturbation is not dense.
        """
        shared = self.dense.noise.prepare()
        fitness = as_floats(fitness)
        if fitness.shape != (self.size,):
            raise ConfigError(f"fitness must have shape ({self.size},), one value a member, got {fitness.shape}")
        keys, around = self.unit_keys(key, state.generation), self.distribution(state)
        shaped, valid = weights(self.shaping, fitness.reshape(self.units, -1))

        def term(unit: Array, weights: Array) -> Distribution:
            return weighted_score(self.dense, shared, keys[unit], weights, around)

        total = cut.estimate_chunks(self.plan(), term, cut.by_chunks(self.plan(), shaped))
        return self.step(state, total, fitness, valid)

    def unit_keys(self, key: Key, generation: Int[Array, ""]) -> Key:
        """fold_in(fold_in(key, generation), unit) for every unit of the plan, also those that only fill the last chunk.

        All keys are computed at once, outside of the loops over units: XLA needs 0.1 s to compile each fold_in.
        """
        plan, generation_key = self.plan(), jax.random.fold_in(key, generation)
        return jax.vmap(lambda unit: jax.random.fold_in(generation_key, unit))(jnp.arange(plan.chunks * plan.size))

    def step(self, state: State, total: Distribution, fitness: Array, valid: Array) -> tuple[Any, Info]:
        """The next state and its report, from the estimate of the whole population and the fitness of all members."""
        after, gradient_norm = self.rule.step(state, total, fitness.reshape(valid.shape), valid)
        return after, _info(fitness, gradient_norm, self._sigma(state))

    def plan(self) -> cut.Plan:
        """How a dense population is divided into chunks."""
        return cut.plan(self.units, self.chunks)

    def _sigma(self, state: State) -> Float[Array, ""]:
        scale = self.distribution(state).scale
        if scale is None:
            return jnp.float32(self.perturbation.sigma)
        if isinstance(scale, Covariance):
            return spread(scale)
        return norm(scale) / parameter_count(scale) ** 0.5


def _info(fitness: Array, gradient_norm: Array, sigma: Array) -> Info:
    finite = jnp.isfinite(fitness)
    count = jnp.maximum(jnp.sum(finite), 1)
    mean = jnp.sum(jnp.where(finite, fitness, 0.0)) / count
    return Info(
        fitness_mean=jnp.where(jnp.any(finite), mean, jnp.nan),
        fitness_std=jnp.sqrt(jnp.sum(jnp.where(finite, fitness - mean, 0.0) ** 2) / count),
        fitness_max=jnp.max(jnp.where(finite, fitness, -jnp.inf)),
        fitness_min=jnp.min(jnp.where(finite, fitness, jnp.inf)),
        dropped=jnp.sum(~finite),
        gradient_norm=gradient_norm,
        sigma=sigma,
    )
