"""The inline engine: a whole generation, draw to update, as one compiled call in this process."""

import contextlib
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
from jaxtyping import Array, Bool, Float

from nograd.perturb import chunks
from nograd.perturb.dense import Dense, evaluator
from nograd.perturb.local import Local
from nograd.strategies.openai_es import Info, OpenAIES, State
from nograd.tasks.supervised import Arrays, Supervised
from nograd.trees import all_finite
from nograd.types import Key, PyTree

_FUSION = "xla_cpu_experimental_ynn_fusion_type"


class Keys(NamedTuple):
    """The run's three unrelated sources of draws, each an address space of its own."""

    init: Key
    noise: Key
    batch: Key


def run_keys(seed: int) -> Keys:
    """The keys of a run, from its seed alone."""
    return Keys(*jax.random.split(jax.random.key(seed), 3))


class Outcome(NamedTuple):
    """What one generation reports beside its new state."""

    info: Info
    finite: Bool[Array, ""]  # whether every parameter of the new state is finite


def generation(
    task: Supervised,
    strategy: OpenAIES,
    local: Local | None,
    state: State,
    arrays: Arrays,
    shared: PyTree,
    keys: Keys,
) -> tuple[State, Outcome]:
    """key → members → fitness → update → info: a pure function of the state and its address."""
    if local:
        batch = task.draw(arrays, jax.random.fold_in(keys.batch, state.generation))
        state, info = strategy.local_update(state, local, batch, jax.random.fold_in(keys.noise, state.generation))
        return state, Outcome(info, all_finite(state.params))
    unit_keys = strategy.unit_keys(keys.noise, state.generation)
    batch_key = jax.random.fold_in(keys.batch, state.generation)
    fitness = population_fitness(task, strategy, state, arrays, shared, unit_keys, batch_key)
    state, info = strategy.update(state, shared, unit_keys, fitness)
    return state, Outcome(info, all_finite(state.params))


def population_fitness(
    task: Supervised,
    strategy: OpenAIES,
    state: State,
    arrays: Arrays,
    shared: PyTree,
    unit_keys: Key,
    batch_key: Key,
) -> Float[Array, "units members"]:
    """The fitness of the generation's population, on one minibatch for all or on one a unit."""

    def on(key: Key) -> Callable[[PyTree, Key], Array]:
        batch = task.draw(arrays, key)
        return evaluator(strategy.dense, task.objective, state.params, *batch, alone=task.private)

    # Made outside of the loop over units, so that what the population shares is computed once.
    common = None if task.private else on(batch_key)

    def evaluate(unit: Array) -> Array:
        evaluate_unit = common or on(jax.random.fold_in(batch_key, unit))
        return evaluate_unit(shared, unit_keys[unit])

    return chunks.evaluate_all(strategy.plan(), evaluate)


class Inline:
    """Runs generations in this process. Compiled once, ahead of the first one."""

    def __init__(self, task: Supervised, strategy: OpenAIES, local: Local | None, state: State, keys: Keys) -> None:
        perturbation = strategy.perturbation
        shared = perturbation.noise.prepare() if isinstance(perturbation, Dense) else ()
        self._arguments = (task.arrays(), shared, keys)
        self.members = local.members if local else strategy.size
        self.evaluations = local.evaluations if local else strategy.size * task.batch  # of one example, a generation

        def step(state: State, *arguments: Any) -> tuple[State, Outcome]:
            return generation(task, strategy, local, state, *arguments)

        start = time.perf_counter()
        self._step = _compiled(jax.jit(step).lower(state, *self._arguments), local is not None)
        self.compile_seconds = time.perf_counter() - start

    def step(self, state: State) -> tuple[State, Outcome]:
        """The next generation. The state handed in stays valid: a bad update can be thrown away."""
        return jax.block_until_ready(self._step(state, *self._arguments))


def _compiled(lowered: Any, local: bool) -> Any:
    """The executable; for a local perturbation on a CPU with elementwise code kept out of the matrix products.

    XLA's CPU library takes the noise that is broadcast over directions and signs into its own loops, where it is up
    to twice as slow as in XLA's code.
    """
    if local and jax.default_backend() == "cpu":
        with contextlib.suppress(jax.errors.JaxRuntimeError):  # an option of this XLA, maybe not of another
            return lowered.compile(compiler_options={_FUSION: "LIBRARY_FUSION_TYPE_INDIVIDUAL_DOT"})
    return lowered.compile()
