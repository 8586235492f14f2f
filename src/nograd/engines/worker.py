"""Computes a share of a generation, some consecutive chunks, in this process."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from nograd.core.trees import tree_nodes
from nograd.engines.programs import Programs
from nograd.engines.protocol import Share

Node: TypeAlias = tuple[int, int]  # a subtree of the sum over chunks: the first, and how many


class Done(NamedTuple):
    """The result of a share."""

    found: list[Any] | None  # arrays [chunks of the share, …]: the fitness first
    sums: dict[Node, list[Any]]  # Σ w · ε of its subtrees, leaf by leaf


def split(chunks: int, workers: int) -> list[Share]:
    """One share of consecutive chunks per worker, as even as possible."""
    cuts = [index * chunks // workers for index in range(workers + 1)]
    return list(pairwise(cuts))


class Worker:
    """Runs compiled programs on one device. Neither the model nor the task is known here.

    Args:
        programs: by name.
        fixed: what all of them read.
        chunks: of a generation.
    """

    def __init__(self, programs: Programs, fixed: list[Any], chunks: int) -> None:
        self._programs, self._fixed, self._chunks = programs, fixed, chunks

    def run(self, kind: str, params: list[Any], generation: Any, share: Share, fitness: Any = None) -> Done:
        """Evaluates, estimates or does both for a share. JAX may still be computing the arrays; reading them waits."""
        start, stop = share
        program, number = self._programs[kind], np.int32(generation)
        if kind == "evaluate":
            found = program(self._fixed, params, number, np.int32(start), np.int32(stop - start))
            return Done(_rows(found, start, stop), {})
        nodes = [] if start == stop else tree_nodes(start, stop, self._chunks)
        more = () if kind == "both" else (fitness,)
        results = [program(self._fixed, params, number, np.int32(at), np.int32(size), *more) for at, size in nodes]
        if kind == "estimate":
            return Done(None, dict(zip(nodes, results, strict=True)))
        if len(nodes) == 1:
            return Done(_rows(results[0][0], start, stop), {nodes[0]: results[0][1]})
        rows = [_rows(found, at, at + size) for (at, size), (found, _) in zip(nodes, results, strict=True)]
        sums = {node: total for node, (_, total) in zip(nodes, results, strict=True)}
        return Done(joined(rows) if rows else None, sums)


def joined(parts: Sequence[list[Any]]) -> list[Any]:
    """The results of consecutive shares as those of one."""
    return [np.concatenate([np.asarray(part) for part in same]) for same in zip(*parts, strict=True)]


def _rows(found: list[Any], start: int, stop: int) -> list[Any]:
    """The share's own chunks; all of them stay where they are."""
    whole = stop - start == found[0].shape[0]
    return list(found) if whole else [np.asarray(array)[start:stop] for array in found]
