"""Evaluation on the host, for environments that no compiled program can run: the episodes of a share.

It is made from JSON alone (the environment's name and the rules of the episodes) and calls two compiled programs, so
a worker knows neither the user's model nor the task. It takes the place of the compiled program `evaluate`.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nograd.envs import VectorEnv, vector_env
from nograd.envs.normalization import MomentSums
from nograd.envs.rollout import episode_seeds, run_episodes
from nograd.envs.spec import EnvSpec, from_portable
from nograd.envs.watch import watched

Call = Callable[..., Any]


class Rollout:
    """Evaluates the members of some chunks: (fixed, published, generation, start, count) -> their results.

    Args:
        order: the JSON object that `Episodes.host` returns.
        calls: by name, the program that makes the `members` of a chunk, and the one that gives their actions, `act`.
    """

    def __init__(self, order: dict[str, Any], calls: Mapping[str, Call]) -> None:
        self._order, self._members, self._act = order, calls["members"], calls["act"]
        self._env_spec: EnvSpec = from_portable(order["env_spec"])
        self._vector_env: VectorEnv | None = None
        self.tell: Callable[[], None] | None = (
            None  # called now and then while the work goes on; None: a time limit is set instead
        )

    def __call__(self, fixed: Sequence[Any], published: Sequence[Any], number: Any, start: Any, count: Any) -> Any:
        """The results, with zeros outside of the span of chunks."""
        chunks, size, width = self._order["shape"]
        fitness, lengths = (np.zeros((chunks, size, width), np.float32) for _ in range(2))
        found, at_hand = [fitness, lengths], jax.device_put(list(published))
        if self._order["moments"]:
            shape = tuple(self._order["env_spec"]["observation"]["shape"])
            found += [np.zeros((chunks, *rest), np.float32) for rest in ((), shape, shape)]
        for chunk in range(int(start), int(start) + int(count)):
            parts = self._chunk(fixed, at_hand, int(number), chunk)
            with np.errstate(over="ignore"):  # moments too large for float32 are left out where they are merged
                for whole, part in zip(found, parts, strict=True):
                    whole[chunk] = np.reshape(part, whole.shape[1:])
        return found

    def _chunk(self, fixed: Sequence[Any], published: Sequence[Any], number: int, chunk: int) -> list[Any]:
        """Fitness and episode length of each slot of a chunk, and the moments of all observations."""
        order = self._order
        per = order["shape"][1] * order["shape"][2]
        held = self._members(fixed, published, np.int32(number), np.int32(chunk))
        slots = np.arange(chunk * per, (chunk + 1) * per)
        words = np.asarray(fixed[-1])
        tally = MomentSums() if order["moments"] else None
        returns, lengths, rounds = np.zeros(per), np.zeros(per), np.zeros(per)
        real = np.flatnonzero(slots < order["members"])
        turn, active = 0, real
        while len(active):
            episodes = np.arange(turn * order["episodes"], (turn + 1) * order["episodes"])
            seeds = episode_seeds(words, np.array([number]), slots, episodes)
            results = self._played(held, seeds, active, tally)
            returns[active] += results[0].sum(1)
            lengths[active] += results[1].sum(1)
            rounds[active] += 1
            turn += 1
            active = active[(lengths[active] < order["member_steps"]) & np.isfinite(returns[active])]
        fitness = (returns - order["bonus"] * lengths) / np.maximum(rounds * order["episodes"], 1)
        return [fitness, lengths, *(tally.moments() if tally else ())]

    def _played(
        self, held: Sequence[Any], seeds: np.ndarray, slots: np.ndarray, tally: MomentSums | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Returns and lengths [slots, episodes] of the episodes of some slots."""
        shown = self._env_spec.observation
        per, episodes = seeds.shape
        everyone = len(slots) == per
        buffer = np.zeros((per, episodes, *shown.shape), shown.dtype)
        limit = int(np.asarray(held[0]))
        carry = [jnp.zeros(shape, dtype) for shape, dtype in self._order["carry"]]  # not read at step 0

        def act(observations: np.ndarray, step: int) -> np.ndarray:
            nonlocal carry
            rows = observations.reshape(-1, episodes, *shown.shape)
            if not everyone:  # the program's shapes never change
                buffer[slots] = rows
                rows = buffer
            found, *carry = self._act(held, rows, seeds, np.int32(step), *carry)
            actions = np.asarray(found)
            chosen = actions if everyone else actions[slots]
            return chosen.reshape(-1, *actions.shape[2:])

        places, lanes_at_hand = seeds[slots].reshape(-1).tolist(), self._vector_env or vector_env(self._env_spec)
        self._vector_env = None  # none of an environment that fails
        with watched(self._order["deadline"], self._env_spec.name, self.tell, len(places)) as pulse:
            results = run_episodes(lanes_at_hand, act, places, limit, self._order["skip"], tally, pulse)
        self._vector_env = lanes_at_hand
        return results.returns.reshape(-1, episodes), results.lengths.reshape(-1, episodes)
