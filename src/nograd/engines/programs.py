"""The functions of a generation as compiled programs over flat lists of arrays.

Flat, because programs are sent to workers: a worker gets StableHLO, so that it needs neither the user's model nor the
task, and finds it compiled in JAX's cache. The same program compiled for the same processor gives the same bits. What
the host does for an environment is sent as JSON, and takes the place of the program `evaluate`.
"""

import contextlib
import json
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
from jax import export

from nograd.config.registry import load
from nograd.core.runtime import threads_like_this, without_source_lines
from nograd.core.types import ConfigError
from nograd.generation.base import Fixed, Generation, Named, flattened, shapes_of

# What a share of a generation is done by: (fixed, published, generation, start, count[, fitness]) -> arrays.
Programs: TypeAlias = Mapping[str, Callable[..., Any]]

SHARED = ("evaluate", "both", "estimate", "members", "act")  # the programs that do shares
EVALUATE = "evaluate"  # that is JSON where evaluation is left to the host
_REMEMBERED = 64  # programs, three a training as a rule, and three for each of ten populations of a search
_FUSION = "xla_cpu_experimental_ynn_fusion_type"


def functions(generation: Generation, state: Any, fixed: Fixed) -> Named:
    """The functions of a generation over flat lists of arrays, by name."""
    published = generation.published(state)
    back, state_tree = flattened(fixed, published), jax.tree.structure(state)
    total = generation.around(published)
    number = jax.ShapeDtypeStruct((), jnp.int32)
    flat = [jax.tree.leaves(shapes_of(fixed)), jax.tree.leaves(shapes_of(published)), number]
    found = generation.found

    def estimate(fixed: Any, published: Any, number: Any, start: Any, count: Any, fitness: Any) -> Any:
        return jax.tree.leaves(generation.estimate(*back(fixed, published), number, (start, count), fitness))

    def update(state: Any, summed: Any, found: Sequence[Any]) -> Any:
        whole = jax.tree.unflatten(jax.tree.structure(total), summed)
        new, outcome = generation.update(jax.tree.unflatten(state_tree, state), whole, found)
        return jax.tree.leaves(new), [*outcome.info, outcome.finite, outcome.evaluations, *outcome.watched]

    evaluating = generation.evaluating(fixed, published, flat)
    last: Named = {"update": (update, [jax.tree.leaves(shapes_of(state)), jax.tree.leaves(shapes_of(total)), found])}
    if generation.halves:
        return {**evaluating, **last}
    return {**evaluating, "estimate": (estimate, [*flat, number, number, found[0]]), **last}


class Program(NamedTuple):
    """A function of a generation, compiled here, and what another process needs to compile the same."""

    call: Callable[..., Any]
    portable: bytes  # StableHLO, as `jax.export` writes it, or JSON


def compile_all(generation: Generation, state: Any, fixed: Fixed) -> dict[str, Program]:
    """The compiled programs by name."""
    return compiled(generation, functions(generation, state, fixed))


def compiled(generation: Generation, named: Named) -> dict[str, Program]:
    """Functions of a generation as compiled programs."""
    local = generation.local is not None
    # Traced one after the other (two threads at once have met JAX's caches half filled), compiled on two cores.
    with without_source_lines():
        portable = {
            name: bytes(export.export(jax.jit(function))(*shapes).serialize())
            for name, (function, shapes) in named.items()
        }
    if (host := generation.host()) is not None:
        portable[EVALUATE] = json.dumps(host).encode()
    with threads_like_this(2) as pool:
        calls = assembled(portable, local, pool.map)
    if host is not None and generation.given is not None:
        calls[EVALUATE].given = generation.given
    return {name: Program(calls[name], content) for name, content in portable.items()}


def on_host(programs: Mapping[str, Any]) -> bool:
    """Whether evaluation is left to the host: it calls the program of the members, or is given them."""
    return "members" in programs or set(programs) == {EVALUATE}


def require_portable(programs: Mapping[str, Program]) -> None:
    """Raises ConfigError where the host's part of evaluation cannot be sent to other workers."""
    if on_host(programs) and (refused := json.loads(programs[EVALUATE].portable).get("refused")):
        raise ConfigError(refused)


def assembled(
    portable: Mapping[str, bytes],
    local: bool,
    each: Callable[..., Any] = map,
) -> dict[str, Any]:
    """The functions to call, by name, from the programs that were sent; `each` is `map`, or a parallel map."""
    compiled = {name: content for name, content in portable.items() if name != EVALUATE or not on_host(portable)}
    done = each(lambda name: _loaded_once(compiled[name], local and name != "update"), compiled)
    calls = dict(zip(compiled, done, strict=True))
    if len(compiled) < len(portable):
        order = json.loads(portable[EVALUATE])
        calls[EVALUATE] = load(order["make"])(order, calls)
    return calls


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


def _loaded_once(portable: bytes, local: bool) -> Callable[..., Any]:
    """What `loaded` made of the same program before, in this process: the next training of the same shapes starts
    without compiling, such as the next fold of a cross-validation, or the next call of `nograd.minimize`.
    """
    here = (jax.config.jax_default_device, jax.config.read("jax_disable_most_optimizations"))  # type: ignore[attr-defined]
    return _remembered(portable, local, here)


@lru_cache(maxsize=_REMEMBERED)
def _remembered(portable: bytes, local: bool, here: tuple[Any, ...]) -> Callable[..., Any]:
    return loaded(portable, local)
