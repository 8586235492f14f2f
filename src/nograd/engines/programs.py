"""The functions of a generation as compiled programs over flat lists of arrays.

Flat, because a program travels: a worker gets it as StableHLO, so that it needs neither the user's model nor the
task, and finds it compiled in JAX's cache. The same program compiled for the same processor has the same bits.
"""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
from jax import export

from nograd.engines.generation import Fixed, Generation, shapes_of
from nograd.strategies.strategy import State

# What a share of a generation is done by: (fixed, params, generation, start, count[, weights]) -> arrays.
Programs: TypeAlias = Mapping[str, Callable[..., Any]]
# Functions by name, with the shapes that they are called with.
Named: TypeAlias = dict[str, tuple[Callable[..., Any], list[Any]]]

_FUSION = "xla_cpu_experimental_ynn_fusion_type"


def functions(generation: Generation, state: State, fixed: Fixed) -> Named:
    """The functions that a generation takes."""
    around = generation.strategy.distribution(state)
    params_tree, state_tree, fixed_tree = map(jax.tree.structure, (around, state, fixed))
    params = jax.tree.leaves(shapes_of(around))
    number, fitness = jax.ShapeDtypeStruct((), jnp.int32), jax.ShapeDtypeStruct(generation.fitness_shape, jnp.float32)
    common = [jax.tree.leaves(shapes_of(fixed)), params, number, number, number]

    def trees(fixed: Sequence[Any], params: Sequence[Any]) -> tuple[Fixed, Any]:
        return jax.tree.unflatten(fixed_tree, fixed), jax.tree.unflatten(params_tree, params)

    def evaluate(fixed: Any, params: Any, number: Any, start: Any, count: Any) -> Any:
        return generation.evaluate(*trees(fixed, params), number, (start, count))

    def both(fixed: Any, params: Any, number: Any, start: Any, count: Any) -> Any:
        values, total = generation.both(*trees(fixed, params), number, (start, count))
        return values, jax.tree.leaves(total)

    def estimate(fixed: Any, params: Any, number: Any, start: Any, count: Any, weights: Any) -> Any:
        return jax.tree.leaves(generation.estimate(*trees(fixed, params), number, (start, count), weights))

    def update(state: Any, total: Any, values: Any) -> Any:
        new, outcome = generation.update(
            jax.tree.unflatten(state_tree, state), jax.tree.unflatten(params_tree, total), values
        )
        return jax.tree.leaves(new), [*outcome.info, outcome.finite]

    last: Named = {"update": (update, [jax.tree.leaves(shapes_of(state)), params, fitness])}
    if generation.halves:
        return {"both": (both, common), **last}
    return {
        "evaluate": (evaluate, common),
        "shape": (generation.shape, [fitness]),
        "estimate": (estimate, [*common, fitness]),
        **last,
    }


class Program(NamedTuple):
    """A function of a generation, compiled here, and what another process needs to compile the same."""

    call: Callable[..., Any]
    portable: bytes  # StableHLO, as `jax.export` writes it


def compile_all(generation: Generation, state: State, fixed: Fixed) -> dict[str, Program]:
    """The compiled programs by name."""
    named, local = functions(generation, state, fixed), generation.local is not None
    # Traced one after the other (two threads at once have met JAX's caches half filled), compiled on two cores.
    portable = [bytes(export.export(jax.jit(function))(*shapes).serialize()) for function, shapes in named.values()]
    with ThreadPoolExecutor(2) as pool:
        calls = pool.map(lambda name, content: loaded(content, local and name != "update"), named, portable)
        programs = map(Program, calls, portable)
        return dict(zip(named, programs, strict=True))


def loaded(portable: bytes, local: bool) -> Callable[..., Any]:
    """The executable of a portable program; local: with elementwise code kept out of products.

    XLA's CPU library takes the noise that is broadcast over directions and signs into its own loops, where it is up
    to twice as slow as in XLA's code. The inner products of an update are faster in the library.
    """
    exported = export.deserialize(bytearray(portable))
    arguments, _ = jax.tree.unflatten(exported.in_tree, shapes_of(exported.in_avals))
    lowered = jax.jit(exported.call).lower(*arguments)
    if local and jax.default_backend() == "cpu":
        with contextlib.suppress(jax.errors.JaxRuntimeError):  # an option of this XLA, maybe not of another
            return lowered.compile(compiler_options={_FUSION: "LIBRARY_FUSION_TYPE_INDIVIDUAL_DOT"})
    return lowered.compile()
