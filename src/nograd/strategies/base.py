"""A strategy: a population, a shaping of its fitness, and a rule by which the shaped fitness moves the distribution.

Members are drawn around a distribution that the rule reads from its state. The population's estimate, along which the
rule takes its step, is laid out like the distribution, so that engines send the one out and the other back without
knowing what is in them.
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
    """What is carried from one generation to the next; a NamedTuple that begins with the rule's distribution."""

    @property
    def params(self) -> Params:
        """The mean θ: the parameters that are trained."""

    @property
    def generation(self) -> Int[Array, ""]:
        """The number of generations done so far."""


class Info(NamedTuple):
    """What is watched. Statistics are over the members with a finite fitness."""

    fitness_mean: Float[Array, ""]
    fitness_std: Float[Array, ""]
    fitness_max: Float[Array, ""]
    fitness_min: Float[Array, ""]
    dropped: Int[Array, ""]  # members with a NaN or infinite fitness; their mirrored halves are not counted
    gradient_norm: Float[Array, ""]  # of the estimate g along which the mean moves
    sigma: Float[Array, ""]  # that members were drawn with: the root mean square over the parameters


S = TypeVar("S")


class Rule(Protocol[S]):
    """The part in which strategies differ: pure functions over a state, as methods of a NamedTuple of settings."""

    def init(self, params: Params) -> S:
        """The state of generation 0 around a tree of floating-point arrays."""

    def distribution(self, state: S) -> Distribution:
        """The distribution that members are drawn from."""

    def step(
        self,
        state: S,
        total: Distribution,
        fitness: Float[Array, "units members"],
        valid: Bool[Array, "units members"],
    ) -> tuple[S, Float[Array, ""]]:
        """The next state and the norm of g.

        Args:
            state: of this generation.
            total: Σ w ε, and Σ w (ε² − 1) where the distribution has a scale, over the valid members.
            fitness: of all members, NaN and infinite ones among them.
            valid: which members were not dropped.
        """


class Strategy(NamedTuple):
    """Pure functions over the rule's state: `init`, `ask` and `tell`, and the parts of `tell` for an engine."""

    population: int | None  # None where it follows from the batch
    perturbation: Perturbation
    shaping: Shaping
    rule: Rule[Any]
    chunks: int | None = None  # that a dense population is cut into; None: as many as suit it

    @property
    def dense(self) -> Dense:
        """The perturbation, where members are whole networks that can be asked for. Raises ConfigError otherwise."""
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
        """Draws a generation of a dense population: pairs with mirrored sampling, members without."""
        return self.size // self.dense.members

    def init(self, params: Params) -> Any:
        """The state of generation 0 around `params`, a tree of floating-point arrays.

        Raises:
            ConfigError: a parameter is no float, or sigma is so small that all members are rounded to the mean.
        """
        require_floats(params)
        params = jax.tree.map(jnp.asarray, params)
        if (dense := as_dense(self.perturbation)) is not None:
            check_spacing(params, dense.sigma)
        return self.rule.init(params)

    def distribution(self, state: State) -> Distribution:
        """The distribution that the members of this generation are drawn from."""
        return self.rule.distribution(state)

    def leaves(self, state: State) -> list[Any]:
        """The arrays of `distribution`, flattened; they are the first ones of the state."""
        return jax.tree.leaves(self.distribution(state))

    def ask(self, state: State, key: Key, members: Array | None = None) -> Params:
        """The members of this generation: a tree like the parameters with a leading axis.

        Args:
            state: of this generation.
            key: the run's key; the generation is folded in here, so one key serves the whole run.
            members: which ones, [n] of 0..population−1; default all, which takes population × parameters
                floats. With mirrored sampling members 2i and 2i + 1 are θ + σεᵢ and θ − σεᵢ.
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
        """One step of the rule, with weights w = shaping(fitness) and the ε redrawn from `key`.

        Args:
            state: the one that was asked.
            key: the one that was asked with.
            fitness: of each member, higher is better. NaN and infinite ones drop out of the update, with
                their mirrored half, and are counted in `Info.dropped`.
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
        """fold_in(fold_in(key, generation), unit) for every unit of the plan, the padding included.

        All at once, outside of the loops over units: a folding takes XLA a tenth of a second to compile.
        """
        plan, generation_key = self.plan(), jax.random.fold_in(key, generation)
        return jax.vmap(lambda unit: jax.random.fold_in(generation_key, unit))(jnp.arange(plan.chunks * plan.size))

    def step(self, state: State, total: Distribution, fitness: Array, valid: Array) -> tuple[Any, Info]:
        """The next state, from the whole population's estimate and the fitness of all."""
        after, gradient_norm = self.rule.step(state, total, fitness.reshape(valid.shape), valid)
        return after, _info(fitness, gradient_norm, self._sigma(state))

    def plan(self) -> cut.Plan:
        """The chunks of a dense population."""
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
