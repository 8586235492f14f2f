"""The engine of quick generations: this process alone computes several of them in one call of one program.

Where a generation takes less than a millisecond, most of it is the calls of its three programs and the copies to and
from them. The bits are those of `Inline`: the same functions, kept apart within the program.
"""

import time
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nograd.core.trees import row_of, with_row
from nograd.engines import memory_advice
from nograd.engines.inline import Inline, outcome_of
from nograd.engines.points import Drawing, is_quick
from nograd.engines.programs import Program, compile_all, compiled
from nograd.generation.base import Fixed, Generation, Keys, Named, Outcome, flattened, shapes_of
from nograd.strategies.base import State

_AT_MOST = 16  # generations of a block
_BYTES = 4_000_000  # of the states of a block
_SECONDS = 0.01  # that a block should take: what comes after the end of a search is computed for nothing
_NAME = "block"


def alone(
    generation: Generation, state: State, keys: Keys, programs: Mapping[str, Program] | None = None
) -> "Blocks | Inline":
    """The engine of one process: `Blocks` where several generations may be computed ahead, else `Inline`."""
    start = time.perf_counter()
    programs = programs or compile_alone(generation, state, generation.fixed(keys))
    kind = Blocks if _NAME in programs else Drawing if is_quick(generation, state) else Inline
    engine = kind(generation, state, keys, programs=programs)
    engine.compile_seconds = time.perf_counter() - start
    return engine


def compile_alone(generation: Generation, state: State, fixed: Fixed) -> dict[str, Program]:
    """The programs of the engine that `alone` chooses."""
    size = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(shapes_of(state)))
    if not generation.ahead or _AT_MOST * size > _BYTES:
        return compile_all(generation, state, fixed)
    return compiled(generation, _block(generation, state, fixed))


def _block(generation: Any, state: Any, fixed: Fixed) -> Named:
    """Some generations in a row: (fixed, state, first chunk, chunks, how many) -> all states, all outcomes.

    The chunks are arguments, although they never change: a loop of a known length would be compiled otherwise.
    """
    tree, kept = jax.tree.structure(state), jax.lax.optimization_barrier
    back = flattened(fixed, generation.published(state))

    def one(fixed: Any, units: Any, leaves: Any, first: Any, chunks: Any) -> tuple[list[Any], list[Any]]:
        state, span = jax.tree.unflatten(tree, leaves), (first, chunks)
        read, published = back(fixed, generation.leaves(state))
        read = read._replace(units=units)
        found = kept(generation.evaluate(read, published, state.generation, span))
        total = kept(generation.estimate(read, published, state.generation, span, found[0], at_once=True))
        after, outcome = kept(generation.update(state, total, found))
        return jax.tree.leaves(after), jax.tree.leaves(outcome)

    def block(fixed: Any, leaves: Any, first: Any, chunks: Any, count: Any) -> Any:
        state = jax.tree.unflatten(tree, leaves)
        read, _ = back(fixed, generation.leaves(state))
        # The keys of all generations at once: the time of so little work is that of its steps, not of its numbers.
        keys = jax.vmap(lambda number: generation.unit_keys(read, number))(state.generation + jnp.arange(_AT_MOST))
        shapes = jax.eval_shape(one, fixed, row_of(keys, 0), leaves, first, chunks)
        rows = jax.tree.map(lambda leaf: jnp.zeros((_AT_MOST, *leaf.shape), leaf.dtype), shapes)

        def step(place: Any, carry: Any) -> Any:
            new = one(fixed, row_of(keys, place), carry[0], first, chunks)
            return new[0], with_row(carry[1], place, new)

        return jax.lax.fori_loop(0, count, step, (leaves, rows))[1]

    number = jax.ShapeDtypeStruct((), jnp.int32)
    lists = [jax.tree.leaves(shapes_of(tree)) for tree in (fixed, state)]
    return {_NAME: (block, [*lists, number, number, number])}


class Blocks:
    """Computes generations in this process, some ahead of those that were asked for; an `Engine`.

    Args:
        generation: what is computed.
        state: of these shapes and types.
        keys: of the run.
        programs: those of `compile_alone`.
    """

    kind, workers = "process", 1

    def __init__(self, generation: Generation, state: State, keys: Keys, programs: Mapping[str, Program]) -> None:
        self.generation, self.compile_seconds = generation, 0.0
        self.seconds = dict.fromkeys(("evaluate", "communicate", "wait", "update"), 0.0)
        self.bytes_down = self.bytes_up = 0  # nothing is sent
        self.programs, self._tree = programs, jax.tree.structure(state)
        self._fixed, self._chunks = jax.tree.leaves(generation.fixed(keys)), np.int32(generation.plan.chunks)
        self._parameters = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(state.params))  # bytes
        self._states: list[np.ndarray] = []  # of the block, leaf by leaf
        self._outcomes: list[np.ndarray] = []
        self._last: State | None = None  # the state that the next one of the block follows; None: the block is used up
        self._each = _SECONDS  # of a generation of the last block; the first block has one, which shows it
        self._place, self._count = 0, 1  # the next one of the block, and how many it has

    def step(self, state: State) -> tuple[State, Outcome]:
        """The next generation: out of the block where there is one, else the first of another block."""
        start = time.perf_counter()
        if state is not self._last:
            self._compute(state)
        after = jax.tree.unflatten(self._tree, [leaf[self._place, ...] for leaf in self._states])
        outcome = outcome_of([leaf[self._place, ...] for leaf in self._outcomes])
        self._place += 1
        self._last = after if self._place < self._count else None
        self.seconds["evaluate"] += time.perf_counter() - start
        return after, outcome

    def _compute(self, state: State) -> None:
        """The block that begins after a state; the next one has as many generations as fit in its time."""
        start, count = time.perf_counter(), max(1, min(_AT_MOST, int(_SECONDS / self._each)))
        with memory_advice.named("this process", self._remedy):
            call, leaves = self.programs[_NAME].call, jax.tree.leaves(state)
            found = call(self._fixed, leaves, np.int32(0), self._chunks, np.int32(count))
            self._states, self._outcomes = jax.tree.map(np.asarray, found)
        self._place, self._count = 0, count
        self._each = (time.perf_counter() - start) / count

    def _remedy(self) -> str:
        return memory_advice.remedy(self.generation, self.programs, self._parameters, "")

    def wait_until_ready(self, seconds: float = 120.0) -> None:
        """Returns at once: there are no other workers."""

    def close(self) -> None:
        """Does nothing: there are no other workers, and no resources outside of this process."""
