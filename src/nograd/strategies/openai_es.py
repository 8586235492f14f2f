"""OpenAI-ES: an isotropic search distribution whose mean climbs by an Optax optimizer (Salimans et al. 2017)."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int

from nograd.perturb import chunks as cut
from nograd.perturb.dense import Dense, dense, member_params, weighted_noise
from nograd.perturb.local import Perturbation
from nograd.shaping import SHAPINGS, Shaping, weights
from nograd.trees import norm, require_floats, scaled
from nograd.types import ConfigError, Key, Params, PyTree


class State(NamedTuple):
    """What is carried from one generation to the next."""

    params: Params  # the mean θ
    opt_state: PyTree  # of the Optax optimizer
    generation: Int[Array, ""]


class Info(NamedTuple):
    """What is watched. Statistics are over the members with a finite fitness."""

    fitness_mean: Float[Array, ""]
    fitness_std: Float[Array, ""]
    fitness_max: Float[Array, ""]
    fitness_min: Float[Array, ""]
    dropped: Int[Array, ""]  # members with a NaN or infinite fitness; their mirrored halves are not counted
    gradient_norm: Float[Array, ""]  # of the estimate g


class OpenAIES(NamedTuple):
    """The strategy: pure functions over `State`. See `openai_es` for its parameters."""

    population: int | None  # None where it follows from the batch
    perturbation: Dense | Perturbation
    shaping: Shaping
    optimizer: optax.GradientTransformation
    chunks: int | None = None  # that a dense population is cut into; None: as many as suit it

    @property
    def dense(self) -> Dense:
        """The perturbation, where members are whole networks that can be asked for. Raises ConfigError otherwise."""
        if not isinstance(self.perturbation, Dense):
            raise ConfigError(
                f"{type(self.perturbation).__name__.lower()} perturbation needs the network's function, so it has no "
                "ask and tell; use nograd.grad, nograd.train, or a dense perturbation"
            )
        return self.perturbation

    @property
    def size(self) -> int:
        """Members of a dense population."""
        assert self.population is not None  # openai_es demands it
        return self.population

    @property
    def units(self) -> int:
        """Draws a generation of a dense population: pairs with mirrored sampling, members without."""
        return self.size // self.dense.members

    def init(self, params: Params) -> State:
        """The state of generation 0 around `params`, a tree of floating-point arrays."""
        require_floats(params)
        params = jax.tree.map(jnp.asarray, params)
        return State(params, self.optimizer.init(params), jnp.int32(0))

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

        def one(member: Array) -> Params:
            unit_key = jax.random.fold_in(generation_key, member // count)
            return member_params(self.dense, shared, unit_key, state.params, member % count)

        chosen = jnp.arange(self.size) if members is None else jnp.asarray(members)
        if not isinstance(chosen, jax.core.Tracer) and bool(jnp.any((chosen < 0) | (chosen >= self.size))):
            raise ConfigError(f"members must be 0 to {self.size - 1}, got {chosen.tolist()}")
        return jax.vmap(one)(chosen)

    def tell(self, state: State, key: Key, fitness: Float[Array, " population"]) -> tuple[State, Info]:
        """One step up the estimate g = 1/(nσ) Σᵢ wᵢ εᵢ with w = shaping(fitness), the ε redrawn from `key`.

        Args:
            state: the one that was asked.
            key: the one that was asked with.
            fitness: of each member, higher is better. NaN and infinite ones drop out of the update, with
                their mirrored half, and are counted in `Info.dropped`.
        """
        shared = self.dense.noise.prepare()
        fitness = jnp.asarray(fitness, jnp.float32)
        if fitness.shape != (self.size,):
            raise ConfigError(f"fitness must have shape ({self.size},), one value a member, got {fitness.shape}")
        keys = self.unit_keys(key, state.generation)
        shaped, valid = weights(self.shaping, fitness.reshape(self.units, -1))

        def term(unit: Array, weights: Array) -> Params:
            return weighted_noise(self.dense, shared, keys[unit], weights, state.params)

        total = cut.estimate_chunks(self.plan(), term, cut.by_chunks(self.plan(), shaped))
        return self.step(state, total, fitness, valid)

    def unit_keys(self, key: Key, generation: Int[Array, ""]) -> Key:
        """fold_in(fold_in(key, generation), unit) for every unit of the plan, the padding included.

        All at once, outside of the loops over units: a folding takes XLA a tenth of a second to compile.
        """
        plan, generation_key = self.plan(), jax.random.fold_in(key, generation)
        return jax.vmap(lambda unit: jax.random.fold_in(generation_key, unit))(jnp.arange(plan.chunks * plan.size))

    def step(self, state: State, total: Params, fitness: Array, valid: Array) -> tuple[State, Info]:
        """θ ← θ + optimizer(g), g = total/(nσ) over the n valid members."""
        used = jnp.maximum(jnp.sum(valid), 1)
        # Optax descends, ES climbs.
        scale = 1.0 / (used * self.perturbation.sigma)
        descent = scaled(-scale, total)
        updates, opt_state = self.optimizer.update(descent, state.opt_state, state.params)
        params = optax.apply_updates(state.params, updates)
        return State(params, opt_state, state.generation + 1), _info(fitness, scale * norm(total))

    def plan(self) -> cut.Plan:
        """How this population is cut into chunks."""
        return cut.plan(self.units, self.chunks)


def openai_es(
    population: int | None = None,
    sigma: float = 0.1,
    optimizer: optax.GradientTransformation | None = None,
    *,
    noise: str = "gaussian",
    mirrored: bool = True,
    perturbation: Dense | Perturbation | None = None,
    shaping: str | Shaping = "centered_rank",
    weight_decay: float = 0.0,
    chunks: int | None = None,
) -> OpenAIES:
    """g = 1/(nσ) Σᵢ wᵢ εᵢ with w = shaping(fitness), up by any Optax optimizer.

    Args:
        population: members a generation, n; even with mirrored sampling. Not for a perturbation that is local to
            examples, whose population follows from the batch.
        sigma: standard deviation of the perturbation.
        optimizer: an Optax optimizer, default `optax.adam(1e-2)`. It is handed −g.
        noise: "gaussian", "rademacher" or "table".
        mirrored: whether members come in pairs θ ± σε.
        perturbation: in place of sigma, noise and mirrored.
        shaping: "raw", "standardized", "centered_rank", "sign", or a function of (fitness, valid).
        weight_decay: λ of the L2 term, added to −g as λθ before the optimizer, as in the paper's code.
        chunks: that a dense population is cut into, the most workers that can share it. It sets the order of sums.

    Raises:
        ConfigError: a parameter is out of its range; the message names it and the remedy.
    """
    perturbation = perturbation or dense(sigma, noise, mirrored)
    if not isinstance(perturbation, Dense):
        if population is not None:
            raise ConfigError(f"population cannot be {population} here; it follows from batch, group and directions")
    elif not isinstance(population, int) or population < 2:
        raise ConfigError(f"population must be a whole number of at least 2, got {population}")
    elif perturbation.mirrored and population % 2:
        raise ConfigError(
            f"population must be even with mirrored sampling, got {population}; use {population + 1} or mirrored=False"
        )
    if not 0 <= weight_decay < float("inf"):
        raise ConfigError(f"weight_decay must be 0 or a positive number, got {weight_decay}; try 1e-4")
    optimizer = optimizer or optax.adam(1e-2)
    if weight_decay:
        optimizer = optax.chain(optax.add_decayed_weights(weight_decay), optimizer)
    return OpenAIES(population, perturbation, _shaping(shaping), optimizer, chunks)


def _shaping(shaping: str | Shaping) -> Shaping:
    if callable(shaping):
        return shaping
    if shaping not in SHAPINGS:
        raise ConfigError(f"unknown shaping {shaping!r}; choose one of {', '.join(SHAPINGS)}")
    return SHAPINGS[shaping]


def _info(fitness: Array, gradient_norm: Array) -> Info:
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
    )
