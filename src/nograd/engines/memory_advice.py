"""How much memory a worker needs, and which setting reduces it.

XLA plans the memory of a program when it compiles it, so the largest plan is known before anything runs out. It holds

- sums: one of the parameters' size for each level of the tree over the chunks, ⌊log₂ chunks⌋ + 1 of them. The size of a
  chunk is not in it, as its units are done one after the other: more chunks take *more* memory, not less.
- one tile of units of a local perturbation (group × signs × the layers' widths, for all directions of a low-rank unit
  and a block of directions of a node unit), or one member's batch of a dense one. More chunks make a tile smaller where
  it holds several units, and not where it holds one.
"""

import resource
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

import jax

from nograd.core.types import EngineError
from nograd.engines.programs import Program
from nograd.generation.base import Generation
from nograd.perturbations.batch_limits import batch_limits
from nograd.perturbations.population import Local

_WORTH = 0.25  # of the plan, that a remedy saves


class Saving(NamedTuple):
    """A flag with its value, and the bytes that it saves."""

    flag: str
    saved: int


def out_of_memory(error: BaseException | str) -> bool:
    """Whether this is what JAX or Python say when memory ran out."""
    text = error if isinstance(error, str) else f"{type(error).__name__}: {error}"
    return any(word in text for word in ("RESOURCE_EXHAUSTED", "MemoryError", "bad_alloc", "Unable to allocate"))


@contextmanager
def named(worker: str, remedy: Callable[[], str]) -> Iterator[None]:
    """Turns an out-of-memory error in the block into an EngineError that names the worker and a remedy."""
    try:
        yield
    except (jax.errors.JaxRuntimeError, MemoryError) as error:
        if not out_of_memory(error):
            raise
        first = str(error).partition("\n")[0] or type(error).__name__
        raise EngineError(f"{worker} ran out of memory: {first}; {remedy()}") from error


def remedy(generation: Generation, programs: Mapping[str, Program], parameters: int, workers: str) -> str:
    """The remedy where memory ran out, in words.

    Args:
        generation: what was to be done.
        programs: the compiled ones.
        parameters: bytes of them.
        workers: how to have fewer workers; empty where there is one.
    """
    setting = smaller(generation, programs, parameters)
    new = setting and f"{setting.flag} in a new run ({_size(setting.saved)} less)"
    what = ", or ".join(part for part in (workers and f"{workers} with --resume", new) if part)
    return f"a worker of this run takes about {_size(_peak())}; use {what or 'a smaller --model'}"


def smaller(generation: Generation, programs: Mapping[str, Program], parameters: int) -> Saving | None:
    """The setting that reduces the largest plan; None where none does so by a quarter or more."""
    plans = {name: planned(program) for name, program in programs.items() if name != "update"}
    name = max(plans, key=plans.__getitem__)
    whole, local, chunks = plans[name], generation.local, generation.plan.chunks
    sums = 0 if name == "evaluate" else parameters * chunks.bit_length()
    # The estimate of `node` by ranks unrolls over the units of a chunk: fewer, larger chunks take more there.
    unrolled = name == "estimate" and local is not None and local.perturbation.by_example
    fewer = Saving("--chunks 2", parameters * (chunks.bit_length() - 2))
    if sums > whole / 2:
        return fewer if fewer.saved > _WORTH * whole and not unrolled else None
    half = (whole - sums) // 2
    if local is None or local.shared:
        return _halved("--batch", getattr(generation.task, "batch", 1), half)
    return _of_tile(local, half) or _halved("--batch", getattr(generation.task, "batch", 1), half)


def planned(program: Program) -> int:
    """Bytes that XLA planned for a program beside what goes in and out; 0 where it does not say."""
    analysis = getattr(program.call, "memory_analysis", lambda: None)()
    return getattr(analysis, "temp_size_in_bytes", 0)


def _of_tile(local: Local, saved: int) -> Saving | None:
    """What makes a tile half as large."""
    if local.tile == 1 and saved < 8 * batch_limits().tile:  # smaller units would fill the same tile again
        return None
    if local.tile > 1:
        return Saving(f"--chunks {-(-2 * local.units // local.tile)}", saved)
    if local.group > 1:  # keeps the evaluations and the noise of each example
        return _halved("--group", local.group, saved)
    if local.block < local.perturbation.directions:  # they are taken in blocks that stay as large
        return None
    return _halved("--directions", local.perturbation.directions, saved)


def _halved(flag: str, value: int, saved: int) -> Saving | None:
    return Saving(f"{flag} {value // 2 if value % 2 == 0 else 1}", saved) if value > 1 else None


def _peak() -> int:
    """Bytes that this process, itself a worker, has taken at most."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _size(count: float) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e8 else f"{count / 1e6:.0f} MB"
