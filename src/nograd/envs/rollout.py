"""Episodes on the host: lanes in lockstep, one batched call of the policy a step, finished lanes masked out."""

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from nograd.core.random import mix
from nograd.envs import Lanes
from nograd.envs.normalization import Tally

# (observations [lanes, *shape], step) -> actions [lanes, …]
Act: TypeAlias = Callable[[np.ndarray, int], np.ndarray]

NO_LIMIT = 2**31 - 1  # steps of an episode
TRACED_LIMIT = 1000  # of environments of JAX, which have none of their own; Brax's trainers cut them there too
_BEAT = 0.5  # seconds between signs of life


class Played(NamedTuple):
    """What came of some episodes."""

    returns: np.ndarray  # float64 [lanes], the sum of rewards; NaN where the environment gave a NaN
    lengths: np.ndarray  # int64 [lanes], in steps of the environment


class Pulse:
    """Tells someone twice a second, at most, that the work goes on."""

    def __init__(self, tell: Callable[[], None] = lambda: None) -> None:
        self._tell, self._last = tell, float("-inf")

    def beat(self) -> None:
        """Called at every step."""
        if (now := time.monotonic()) - self._last > _BEAT:
            self._last = now
            self._tell()


def play(
    lanes: Lanes,
    act: Act,
    seeds: Sequence[int],
    limit: int = NO_LIMIT,
    skip: int = 1,
    tally: Tally | None = None,
    pulse: Pulse | None = None,
) -> Played:
    """One episode a seed, all from their first step to the last of the longest.

    Args:
        lanes: where they are played.
        act: the policy. It sees all lanes, the last observation of those that are over: its shapes never change.
        seeds: of the episodes; what happens in one follows from its seed and its own actions alone.
        limit: steps of the environment after which an episode is cut.
        skip: steps that an action is held for.
        tally: takes in the observations that were acted on.
        pulse: is beaten at every step.
    """
    count = len(seeds)
    returns, lengths = np.zeros(count), np.zeros(count, np.int64)
    first = lanes.reset(seeds)
    observations = np.ascontiguousarray(first, first.dtype if first.dtype == np.uint8 else np.float32)
    live, step = np.arange(count), 0
    while len(live) and step * skip < limit:
        if tally:
            tally.add(observations if len(live) == count else observations[live])
        actions = act(observations, step)
        for _ in range(min(skip, limit - step * skip)):
            seen, rewards, over = lanes.step(live, actions if len(live) == count else actions[live])
            observations[live] = seen
            returns[live] += rewards
            lengths[live] += 1
            if not np.isfinite(rewards).all() or not np.isfinite(seen).all():
                over = over | _broken(returns, live, rewards, seen)
            if over.any():
                live = live[~over]
                if not len(live):
                    break
        step += 1
        if pulse:
            pulse.beat()
    return Played(returns, lengths)


def _broken(returns: np.ndarray, live: np.ndarray, rewards: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Which lanes gave a NaN or an infinity: their return becomes NaN, and they play no further."""
    broken = ~np.isfinite(rewards) | ~np.isfinite(seen.reshape(len(seen), -1)).all(1)
    returns[live[broken]] = np.nan
    return broken


def episode_seeds(words: Any, generation: Any, members: Any, episodes: Any) -> Any:
    """The seed, 0..2³¹ − 1, at each address (run, generation, member, episode): int32 [members, episodes].

    A keyed hash, as in `rng.random_words`: nothing of an episode depends on which ones were played before. Takes arrays
    of JAX and of NumPy: two words of 32 bits, a number, and two lines of numbers.
    """
    key, (generation, members, episodes) = words, (x.astype(np.uint32) for x in (generation, members, episodes))
    state = mix(mix(generation + key[:1]) ^ key[1:])
    of_members = mix(members + state)
    return (mix(mix(of_members[:, None] ^ key[:1]) + episodes) >> np.uint32(1)).astype(np.int32)
