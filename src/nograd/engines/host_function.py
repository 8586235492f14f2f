"""Evaluation on the host, for an objective in plain Python: the function is called at the points of a share.

`HostFunction` makes the points itself, with the compiled program `members`; `AtPoints` gets them. Both take the place
of the compiled program `evaluate`, and are made from JSON, so that a worker process can make the same. The function is
sent pickled, from a process to its own workers; it is never written to a file.
"""

import base64
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeAlias

import cloudpickle
import jax
import numpy as np

from nograd.core.numbers import as_number, as_numbers
from nograd.envs.watch import Heartbeat, watched

# The function, and a function that makes its argument from the leaves of a point.
Called: TypeAlias = tuple[Callable[..., Any], Callable[..., Any]]


class AtPoints:
    """Evaluates the members of some chunks at points that are given: (fixed, points, generation, start, count).

    Args:
        order: the JSON object that `HostCalls.host` returns.
        calls: the compiled programs; none is used.
    """

    def __init__(self, order: dict[str, Any], calls: Mapping[str, Callable[..., Any]]) -> None:
        self._order, self._shape = order, tuple(order["shape"])
        self._seats = self._shape[1] * self._shape[2]  # members of a chunk, those that only fill it among them
        self.given: Called | None = None  # the objects, where they are at hand
        self.tell: Callable[[], None] | None = (
            None  # called now and then while the work goes on; None: a time limit is set instead
        )

    def __call__(self, fixed: Sequence[Any], points: Sequence[Any], number: Any, start: Any, count: Any) -> list[Any]:
        """The results: fitness, and the best point of each chunk where values are not noisy."""
        first, stop = int(start), int(start) + int(count)
        # Copies: the function may keep its argument, and the memory that the points come in is written again.
        own = [_read_only(np.array(leaf[first * self._seats : stop * self._seats])) for leaf in points]
        with self._watched() as pulse:
            return self._results([(first, stop, own)], pulse)

    def _watched(self) -> Any:
        return watched(self._order["deadline"], self._order["name"], self.tell, what="function")

    def _results(self, parts: Any, pulse: Heartbeat) -> list[Any]:
        """What `__call__` returns, from (first chunk, stop, the points of these chunks) one after the other."""
        fitness, best = np.zeros(self._shape), list[np.ndarray]()
        rows = fitness.reshape(self._shape[0], self._seats)
        for first, stop, leaves in parts:
            points, seeds = (leaves[:-1], leaves[-1]) if self._order["noisy"] else (leaves, None)
            best = best or [np.zeros((self._shape[0], *leaf.shape[1:]), leaf.dtype) for leaf in points]
            whole = self._order["members"] - first * self._seats  # those from here on that do not only fill a chunk
            # A function that takes many points is given those of a chunk at a time, whoever computes it.
            step = self._seats if self._order["vectorized"] else max(stop - first, 1) * self._seats
            values = rows[first:stop].reshape(-1)
            for at in range(0, len(values), step):
                real = slice(at, min(at + step, whole))
                own = None if seeds is None else seeds[real]
                values[real] = self._values([leaf[real] for leaf in points], own, pulse)
            places = self._places(rows, first, stop)
            for all_best, leaf in zip(best, points, strict=True):
                all_best[first:stop] = leaf[places]
        return [fitness, *([] if self._order["noisy"] else best)]

    def _places(self, rows: np.ndarray, first: int, stop: int) -> np.ndarray:
        """Where the best member of each chunk is among the points of these chunks."""
        seats = np.arange(first * self._seats, stop * self._seats).reshape(-1, self._seats)
        own = rows[first:stop]
        among = np.where((seats < self._order["members"]) & np.isfinite(own), own, -np.inf)
        return np.arange(stop - first) * self._seats + among.argmax(1)

    def _values(self, points: list[np.ndarray], seeds: np.ndarray | None, pulse: Heartbeat) -> np.ndarray:
        """The fitness of points [members, …] leaf by leaf."""
        if self.given is None:
            self.given = _unpickled(self._order["function"])
        (function, plain), name = self.given, self._order["name"]
        pulse.beat()
        if self._order["vectorized"]:
            found = function(plain(points), *(() if seeds is None else (seeds,)))
            return self._order["sign"] * as_numbers(found, len(points[0]), name)
        values = []
        for member, point in enumerate(zip(*points, strict=True)):
            more = () if seeds is None else (int(seeds[member]),)
            values.append(as_number(function(plain(point), *more), name))
            pulse.beat()
        return self._order["sign"] * np.array(values)


class HostFunction(AtPoints):
    """Makes the members of some chunks and evaluates them: (fixed, published, generation, start, count) -> results."""

    def __init__(self, order: dict[str, Any], calls: Mapping[str, Callable[..., Any]]) -> None:
        super().__init__(order, calls)
        self._members = calls["members"]

    def at_points(self) -> AtPoints:
        """The same function, at points that are given."""
        other = AtPoints(self._order, {})
        other.given = self.given
        return other

    def __call__(self, fixed: Sequence[Any], points: Sequence[Any], number: Any, start: Any, count: Any) -> list[Any]:
        """The results; here `points` is the distribution that they are drawn from."""
        published, stop = jax.device_put(list(points)), int(start) + int(count)
        with self._watched() as pulse:
            return self._results(self._parts(fixed, published, np.int32(number), int(start), stop), pulse)

    def _parts(self, fixed: Any, published: Any, number: Any, start: int, stop: int) -> Any:
        """(first chunk, stop, their points) of as many chunks as are made in one call, until all are."""
        for first in range(start, stop, self._order["together"]):
            last = min(first + self._order["together"], stop)
            made = self._members(fixed, published, number, np.int32(first))
            yield first, last, [np.asarray(leaf)[: (last - first) * self._seats] for leaf in made]


def _read_only(array: np.ndarray) -> np.ndarray:
    array.flags.writeable = False
    return array


@lru_cache(maxsize=1)
def _unpickled(function: str) -> Called:
    """The function and what makes its argument; once a process, also where the populations of a search differ."""
    called: Called = cloudpickle.loads(base64.b64decode(function))
    return called
