"""EnvPool: environments in C++, many of them stepped by one thread.

EnvPool seeds its random numbers at construction only, so a new pool is made for each set of seeds. That takes about
15 µs for an environment of classic control and 1.4 ms for one of MuJoCo, 3% of an episode of 1,000 steps. Atari games,
which take longer to make, are reused: only their first frames are random, and those are chosen here.
"""

import json
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from nograd.core.types import ConfigError
from nograd.envs.actions import fitted
from nograd.envs.contract import with_spaces
from nograd.envs.observing import encoded_batch
from nograd.envs.spaces import Action, action_of
from nograd.envs.spec import EnvSpec
from nograd.envs.watch import summary


class EnvPool:
    """EnvPool's environments; an `EnvSource`."""

    def find(self, env_spec: EnvSpec) -> EnvSpec | None:
        """The environment of EnvPool with this id; None if it has none, or is not installed."""
        try:
            import envpool
        except ImportError:
            return None
        make = env_spec.name.removeprefix("ALE/")  # EnvPool's names of Atari games have no ALE/
        if make not in envpool.list_all_envs():
            return None
        found = env_spec._replace(make=make)
        return with_spaces(found, pool_of(found, [0]))

    def make(self, env_spec: EnvSpec, **more: Any) -> Any:
        """A pool of one environment. Raises ConfigError if EnvPool cannot make it."""
        return pool_of(env_spec, [0], **more)

    def vector(self, env_spec: EnvSpec, **more: Any) -> "EnvPoolVector":
        """See `EnvPoolVector`."""
        return EnvPoolVector(env_spec, **more)


def is_atari(env_spec: EnvSpec) -> bool:
    """Whether it is one of EnvPool's Atari games, in which only the beginning is random."""
    if {"noop_max", "repeat_action_probability"} & {*json.loads(env_spec.options)}:
        return False
    from envpool.registration import registry

    return registry.specs[env_spec.make][0] == "envpool.atari"


def pool_of(env_spec: EnvSpec, seeds: list[int], **more: Any) -> Any:
    """An EnvPool with one environment for each seed, and one thread, as a worker has one core. Raises ConfigError."""
    import envpool

    own = {"num_envs": len(seeds), "num_threads": 1, "seed": seeds}
    try:
        with warnings.catch_warnings():  # about bounds in float64 that are stored as float32
            warnings.simplefilter("ignore")
            pool = envpool.make_gymnasium(env_spec.make, **{**json.loads(env_spec.options), **own, **more})
            _ = pool.observation_space, pool.action_space
            return pool
    except Exception as error:
        raise ConfigError(f"EnvPool cannot make {env_spec.name}: {summary(error)}") from error


_NOOPS = 30  # the most frames without an action at the beginning of an Atari game


class EnvPoolVector:
    """Environments of EnvPool side by side; a `VectorEnv`."""

    def __init__(self, env_spec: EnvSpec, **more: Any) -> None:
        self._env_spec, self._more = env_spec, more
        self._pool: Any = None
        self._taken: Action | None = None

    def reset(self, seeds: Sequence[int]) -> np.ndarray:
        """See `VectorEnv`. Makes a new pool, since a pool's seeds cannot be changed."""
        if is_atari(self._env_spec):
            return self._atari(seeds)
        self.close()
        self._pool = pool_of(self._env_spec, list(map(int, seeds)), **self._more)
        return self._seen(self._pool.reset()[0])

    def _atari(self, seeds: Sequence[int]) -> np.ndarray:
        """Resets the same pool if it has as many environments: making a game takes 90 ms, resetting it 4 ms.

        Only the number of frames without an action at the beginning is random, and it is drawn here from the seed.
        """
        if self._pool is None or self._pool.config["num_envs"] != len(seeds):
            self.close()
            self._pool = pool_of(self._env_spec, [0] * len(seeds), noop_max=1, **self._more)
        observations = np.array(self._pool.reset()[0])
        waits = np.asarray(seeds) % (_NOOPS // self._pool.config["frame_skip"] + 1)
        for step in range(int(waits.max())):
            live = np.flatnonzero(waits > step)
            observations[live] = self.step(live, np.zeros(len(live), np.int32))[0]
        return observations

    def step(self, live: np.ndarray, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """See `VectorEnv`."""
        self._taken = self._taken or action_of(self._pool.action_space, self._env_spec.name)
        asked = fitted(self._taken.parts[0], actions)
        answer, rewards, ended, cut, info = self._pool.step(asked, live.astype(np.int32))
        observations = self._seen(answer)
        if np.array_equal(info["env_id"], live):
            return observations, rewards, ended | cut
        order = np.argsort(info["env_id"])  # `live` is sorted
        return observations[order], rewards[order], (ended | cut)[order]

    def render(self) -> np.ndarray | None:
        """See `VectorEnv`."""
        frames = self._pool.render()
        return None if frames is None else np.asarray(frames)[0]

    def close(self) -> None:
        """Ends the pool's thread."""
        if self._pool is not None:
            self._pool.close()
            self._pool = None

    def _seen(self, batch: Any) -> np.ndarray:
        return encoded_batch(self._env_spec.observation, batch, self._env_spec.name)
