"""Episodes on the host: all environments step together, with one batched policy call per step, until all are over."""

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

LONGEST = 1_000_000  # the limit of steps if none is set, so that no episode runs for ever
TRACED_LIMIT = 1000  # the limit for JAX environments, which have none themselves; Brax's trainers use the same


class EpisodeResults(NamedTuple):
    """The results of some episodes."""

    returns: np.ndarray  # float64 [envs], the sum of rewards; NaN if a reward, observation or action was not finite
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
        """The mean return of the sound episodes; None if most are dropped: the rest would not represent the policy."""
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
    """Plays one episode for each seed, side by side, until the longest is over.

    Args:
        vector_env: the environments.
        act: the policy. It always gets all environments, so that its shapes never change; for a finished episode its
            last observation.
        seeds: seeds of the episodes. An episode depends on its seed and its actions only.
        limit: environment steps after which an episode is cut.
        skip: environment steps for which each action is repeated.
        tally: collects the observations for which the policy chose an action.
        pulse: its `beat` is called at every step.

    Returns:
        Return and length of each episode.
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
    """One step of the environments whose episodes are not over; updates `results` and `observations` in place.

    Returns:
        The numbers of the environments whose episodes go on.
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
    """The numbers of the environments whose values are finite (`sound`). The returns of the others become NaN."""
    if sound.all():
        return live
    returns[live[~sound]] = np.nan
    return live[sound]


def episode_seeds(words: Any, generation: Any, members: Any, episodes: Any) -> Any:
    """The seed, 0..2³¹ − 1, at each address (run, generation, member, episode): int32 [members, episodes].

    A keyed hash, as in `core.random.random_words`, so that an episode does not depend on those that ran before it.

    Args:
        words: two 32-bit words of the run's key; like the others an array of JAX or of NumPy.
        generation: the number of the generation.
        members: numbers of members, [members].
        episodes: numbers of episodes, [episodes].
    """
    key, (generation, members, episodes) = words, (x.astype(np.uint32) for x in (generation, members, episodes))
    state = mix(mix(generation + key[:1]) ^ key[1:])
    of_members = mix(members + state)
    return (mix(mix(of_members[:, None] ^ key[:1]) + episodes) >> np.uint32(1)).astype(np.int32)
