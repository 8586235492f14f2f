"""Evaluation on the host, for an objective in plain Python: the function is called at the points of a share.

It takes the place of the compiled program `evaluate`, and is made from JSON and the program that makes the points, so
that a worker process can make the same. The function is sent pickled, from a process to its own workers; it is never
written to a file.
"""

import base64
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import cloudpickle
import jax
import numpy as np

from nograd.core.numbers import as_number, as_numbers
from nograd.envs.watch import Heartbeat, watched


class HostFunction:
    """Evaluates the members of some chunks: (fixed, published, generation, start, count) -> their results.

    Args:
        order: the JSON object that `HostCalls.host` returns.
        calls: the compiled programs, `members` among them.
    """

    def __init__(self, order: dict[str, Any], calls: Mapping[str, Callable[..., Any]]) -> None:
        self._order, self._members = order, calls["members"]
        self.given: tuple[Callable[..., Any], Callable[..., Any]] | None = None  # the objects, where they are at hand
        self.tell: Callable[[], None] | None = (
            None  # called now and then while the work goes on; None: a time limit is set instead
        )

    def __call__(self, fixed: Sequence[Any], published: Sequence[Any], number: Any, start: Any, count: Any) -> Any:
        """The results: fitness, and the best point of each chunk where values are not noisy."""
        order, at_hand = self._order, jax.device_put(list(published))
        chunks, size, width = order["shape"]
        fitness, best = np.zeros((chunks, size * width)), list[np.ndarray]()
        end = int(start) + int(count)
        with watched(order["deadline"], order["name"], self.tell, what="function") as pulse:
            for first in range(int(start), end, order["together"]):
                made = self._members(fixed, at_hand, np.int32(number), np.int32(first))
                leaves = [np.asarray(leaf).reshape(order["together"], size * width, *leaf.shape[1:]) for leaf in made]
                seeds = leaves.pop() if order["noisy"] else None
                best = best or [np.zeros((chunks, *leaf.shape[2:]), leaf.dtype) for leaf in leaves]
                for chunk in range(first, min(first + order["together"], end)):
                    points = [leaf[chunk - first] for leaf in leaves]
                    real = min(size * width, order["members"] - chunk * size * width)
                    own = None if seeds is None else seeds[chunk - first][:real]
                    fitness[chunk, :real] = self._values([leaf[:real] for leaf in points], own, pulse)
                    place = np.argmax(np.where(np.isfinite(fitness[chunk, :real]), fitness[chunk, :real], -np.inf))
                    for whole, leaf in zip(best, points, strict=True):
                        whole[chunk] = leaf[place]
        return [fitness.reshape(chunks, size, width), *([] if order["noisy"] else best)]

    def _values(self, points: list[np.ndarray], seeds: np.ndarray | None, pulse: Heartbeat) -> np.ndarray:
        """The fitness of points [members, …] leaf by leaf."""
        if self.given is None:
            self.given = cloudpickle.loads(base64.b64decode(self._order["function"]))
        (function, plain), name = self.given, self._order["name"]
        pulse.beat()
        if self._order["vectorized"]:
            found = function(plain(points), *(() if seeds is None else (seeds,)))
            return self._order["sign"] * as_numbers(found, len(points[0]), name)
        values = np.empty(len(points[0]))
        for member in range(len(values)):
            more = () if seeds is None else (int(seeds[member]),)
            value = function(plain([leaf[member] for leaf in points]), *more)
            values[member] = as_number(value, name)
            pulse.beat()
        return self._order["sign"] * values
