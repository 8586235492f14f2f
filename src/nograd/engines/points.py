"""The driver's side of generations that take no time but that of a Python function's calls.

The driver draws all members and updates the state; only the calls are shared. So a generation has one phase in place
of two, and a worker needs no program: it is sent points, and sends back values. The bits are those of `Inline`, as the
same programs compute the same.
"""

import json
from functools import cached_property
from typing import Any

import jax
import numpy as np

from nograd.engines.inline import Inline, Sent
from nograd.engines.programs import EVALUATE, Programs
from nograd.generation.base import Generation, Outcome
from nograd.strategies.base import State

_NUMBERS = 1_000_000  # population × numbers of the distribution, that the driver draws and adds up alone: some 2 ms


def is_quick(generation: Generation, state: State) -> bool:
    """Whether all but the calls of a function is so little work that it would not pay to share it."""
    numbers = sum(leaf.size for leaf in generation.leaves(state))
    return generation.drawn is not None and generation.members * numbers <= _NUMBERS


class Drawing(Inline):
    """Draws the members of each generation and updates the state; an `Engine` by itself."""

    @cached_property
    def _whole(self) -> list[Any]:
        """The first chunk and their number, on the device: to send a number there takes longer than to read it."""
        return jax.device_put([np.int32(0), np.int32(self.generation.plan.chunks)])

    def sent(self) -> Sent:
        """What calls the function at points; it needs no arrays."""
        order = json.loads(self.programs[EVALUATE].portable)
        return Sent({EVALUATE: json.dumps(order | {"make": order["at_points"]}).encode()}, [])

    def reads(self, state: State) -> dict[str, list[Any]]:
        """The points of all members."""
        return {"params": self.generation.drawn or []}

    def sums(self, state: State) -> list[Any]:
        """Nothing: the sums are computed here."""
        return []

    def published(self, state: State) -> list[Any]:
        """The points of all members, leaf by leaf."""
        params = self.generation.leaves(state)
        return list(map(np.asarray, self.calls["members"](self.fixed, params, state.generation, self._whole[0])))

    def step(self, state: State) -> tuple[State, Outcome]:
        """The next generation, in this process alone."""
        found, _ = self.share(EVALUATE, self.published(state), np.int32(state.generation))
        return self.updated(state, [], found)

    def updated(self, state: State, total: list[Any], found: list[Any]) -> tuple[State, Outcome]:
        """The next state, from the results of all members; Σ w · ε is computed here, whatever `total` is."""
        params = self.generation.leaves(state)
        total = self.calls["estimate"](self.fixed, params, state.generation, *self._whole, found[0])
        return super().updated(state, total, found)

    def _shares(self) -> Programs:
        """The function at points, in place of the one that draws them."""
        function: Any = self.calls[EVALUATE]
        return {EVALUATE: function.at_points()}
