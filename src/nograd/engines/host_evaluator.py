"""The part of an evaluation that no program can do: a share's episodes, played on the host.

It is made from JSON alone (the environment's name and the rules of the episodes) and calls two compiled programs, so
a worker knows neither the user's model nor the task. It stands where a compiled `evaluate` would.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from nograd.envs import Lanes, lanes
from nograd.envs.normalization import Tally
from nograd.envs.rollout import episode_seeds, play
from nograd.envs.spec import World, from_portable
from nograd.envs.watch import watched

Call = Callable[..., Any]


class Rollout:
    """Evaluates the members of some chunks: (fixed, published, generation, start, count) -> what is found of them.

    Args:
        order: what `Episodes.host` says.
        members: the program that makes the members of a chunk.
        act: the program that gives their actions.
    """

    def __init__(self, order: dict[str, Any], members: Call, act: Call) -> None:
        self._order, self._members, self._act = order, members, act
        self._world: World = from_portable(order["world"])
        self._lanes: Lanes | None = None
        self.tell: Callable[[], None] | None = None  # told now and then that the work goes on; None: an alarm is set

    def __call__(self, fixed: Sequence[Any], published: Sequence[Any], number: Any, start: Any, count: Any) -> Any:
        """What is found, zeros outside of the span of chunks."""
        chunks, size, width = self._order["shape"]
        fitness, lengths = (np.zeros((chunks, size, width), np.float32) for _ in range(2))
        found, at_hand = [fitness, lengths], jax.device_put(list(published))
        if self._order["moments"]:
            shape = tuple(self._order["world"]["observation"]["shape"])
            found += [np.zeros((chunks, *rest), np.float32) for rest in ((), shape, shape)]
        for chunk in range(int(start), int(start) + int(count)):
            parts = self._chunk(fixed, at_hand, int(number), chunk)
            with np.errstate(over="ignore"):  # moments too large for float32 are left out where they are merged
                for whole, part in zip(found, parts, strict=True):
                    whole[chunk] = np.reshape(part, whole.shape[1:])
        return found

    def _chunk(self, fixed: Sequence[Any], published: Sequence[Any], number: int, chunk: int) -> list[Any]:
        """Fitness and length of each seat of a chunk, and the moments of what all of them saw."""
        order = self._order
        per = order["shape"][1] * order["shape"][2]
        held = self._members(fixed, published, np.int32(number), np.int32(chunk))
        seats = np.arange(chunk * per, (chunk + 1) * per)
        words = np.asarray(fixed[-1])
        tally = Tally() if order["moments"] else None
        returns, lengths, rounds = np.zeros(per), np.zeros(per), np.zeros(per)
        real = np.flatnonzero(seats < order["members"])
        turn, playing = 0, real
        while len(playing):
            episodes = np.arange(turn * order["episodes"], (turn + 1) * order["episodes"])
            seeds = episode_seeds(words, np.array([number]), seats, episodes)
            played = self._played(held, seeds, playing, tally)
            returns[playing] += played[0].sum(1)
            lengths[playing] += played[1].sum(1)
            rounds[playing] += 1
            turn += 1
            playing = playing[(lengths[playing] < order["member_steps"]) & np.isfinite(returns[playing])]
        fitness = (returns - order["bonus"] * lengths) / np.maximum(rounds * order["episodes"], 1)
        return [fitness, lengths, *(tally.moments() if tally else ())]

    def _played(
        self, held: Sequence[Any], seeds: np.ndarray, seats: np.ndarray, tally: Tally | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Returns and lengths [seats, episodes] of the episodes of some seats."""
        shown = self._world.observation
        per, episodes = seeds.shape
        everyone = len(seats) == per
        buffer = np.zeros((per, episodes, *shown.shape), shown.dtype)
        limit = int(np.asarray(held[0]))

        def act(observations: np.ndarray, step: int) -> np.ndarray:
            rows = observations.reshape(-1, episodes, *shown.shape)
            if not everyone:  # the program's shapes never change
                buffer[seats] = rows
                rows = buffer
            actions = np.asarray(self._act(held, rows, seeds, np.int32(step)))
            chosen = actions if everyone else actions[seats]
            return chosen.reshape(-1, *actions.shape[2:])

        places, lanes_at_hand = seeds[seats].reshape(-1).tolist(), self._lanes or lanes(self._world)
        self._lanes = None  # none of an environment that fails
        with watched(self._order["deadline"], self._world.name, self.tell, len(places)) as pulse:
            played = play(lanes_at_hand, act, places, limit, self._order["skip"], tally, pulse)
        self._lanes = lanes_at_hand
        return played.returns.reshape(-1, episodes), played.lengths.reshape(-1, episodes)
