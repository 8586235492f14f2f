"""Episodes on the host: environments in lockstep, one batched call of the policy a step, finished ones masked out."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from nograd.core.random import mix
from nograd.envs.actions import usable
from nograd.envs.normalization import MomentSums
from nograd.envs.observing import finite
from nograd.envs.vector import VectorEnv
from nograd.envs.watch import Heartbeat

# (observations [envs, *shape], step) -> actions [envs, …]
Act: TypeAlias = Callable[[np.ndarray, int], np.ndarray]

LONGEST = 1_000_000  # steps of an episode where no limit is asked for: no environment goes on for ever
TRACED_LIMIT = 1000  # of environments of JAX, which have none of their own; Brax's trainers cut them there too


class EpisodeResults(NamedTuple):
    """The results of some episodes."""

    returns: np.ndarray  # float64 [envs], the sum of rewards; NaN where something was no finite number
    lengths: np.ndarray  # int64 [envs], in steps of the environment

    @property
    def sound(self) -> "EpisodeResults":
        """The returns of the episodes whose numbers were all finite."""
        return EpisodeResults(*(part[np.isfinite(self.returns)] for part in self))

    @property
    def dropped(self) -> int:
        """The number of episodes that had a NaN or an infinity."""
        return int(np.sum(~np.isfinite(self.returns)))

    @property
    def mean(self) -> float | None:
        """The mean return of the sound ones; None where most are dropped: what is left says little of the policy."""
        returns = self.sound.returns
        return float(np.mean(returns)) if 2 * len(returns) >= len(self.returns) else None


def run_episodes(
    vector_env: VectorEnv,
    act: Act,
    seeds: Sequence[int],
    limit: int = LONGEST,
    skip: int = 1,
    tally: MomentSums | None = None,
    pulse: Heartbeat | None = None,
) -> EpisodeResults:
    """One episode a seed, all from their first step to the last of the longest.

    Args:
        vector_env: where they run.
        act: the policy. It sees all environments, the last observation of those that are over: its shapes never change.
        seeds: of the episodes; what happens in one follows from its seed and its own actions alone.
        limit: steps of the environment after which an episode is cut.
        skip: steps that an action is held for.
        tally: takes in the observations that were acted on.
        pulse: is beaten at every step.
    """
    count = len(seeds)
    returns, lengths = np.zeros(count), np.zeros(count, np.int64)
    first = vector_env.reset(seeds)
    observations = np.ascontiguousarray(first)
    live, step = _dropped(returns, np.arange(count), finite(observations)), 0
    while len(live) and step * skip < limit:
        if tally:
            tally.add(observations if len(live) == count else observations[live])
        actions = act(observations, step)
        live = _dropped(returns, live, usable(actions if len(live) == count else actions[live]))
        for _ in range(min(skip, limit - step * skip)):
            if not len(live):
                break
            live = _stepped(vector_env, live, actions, EpisodeResults(returns, lengths), observations)
        step += 1
        if pulse:
            pulse.beat(step * skip if len(live) == count and limit >= LONGEST else 0)
    return EpisodeResults(returns, lengths)


def _stepped(
    vector_env: VectorEnv, live: np.ndarray, actions: np.ndarray, results: EpisodeResults, observations: np.ndarray
) -> np.ndarray:
    """One step of the environments whose episodes are not over: counted in `results`, seen in `observations`.

    Returns:
        The numbers of those that go on.
    """
    seen, rewards, over = vector_env.step(live, actions if len(live) == len(actions) else actions[live])
    observations[live] = seen
    results.returns[live] += rewards
    results.lengths[live] += 1
    sound = np.isfinite(rewards) & finite(seen)
    if over.any() or not sound.all():
        _dropped(results.returns, live, sound)
        return live[sound & ~over]
    return live


def _dropped(returns: np.ndarray, live: np.ndarray, sound: np.ndarray) -> np.ndarray:
    """The environments whose episodes go on; the return of one where something was no finite number becomes NaN."""
    if sound.all():
        return live
    returns[live[~sound]] = np.nan
    return live[sound]


def episode_seeds(words: Any, generation: Any, members: Any, episodes: Any) -> Any:
    """The seed, 0..2³¹ − 1, at each address (run, generation, member, episode): int32 [members, episodes].

    A keyed hash, as in `rng.random_words`: nothing of an episode depends on which ones ran before. Takes arrays
    of JAX and of NumPy: two words of 32 bits, a number, and two lines of numbers.
    """
    key, (generation, members, episodes) = words, (x.astype(np.uint32) for x in (generation, members, episodes))
    state = mix(mix(generation + key[:1]) ^ key[1:])
    of_members = mix(members + state)
    return (mix(mix(of_members[:, None] ^ key[:1]) + episodes) >> np.uint32(1)).astype(np.int32)
