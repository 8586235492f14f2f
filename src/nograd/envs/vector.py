"""Many environments side by side, each with a seed of its own: only those that still play are stepped.

An episode follows from its seed alone, not from what its environment did before. Gymnasium's reset(seed=…) is such a
beginning. EnvPool's random numbers run on from construction, so a pool is made anew for each set of seeds: about 15 µs
an environment of classic control and 1.4 ms one of MuJoCo, 3% of an episode of 1,000 steps. Games of Atari, which take
longer to make, are used again: they hold nothing random once the first frames are chosen here.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from nograd.envs.actions import fitted, given
from nograd.envs.contract import begun, stepped
from nograd.envs.jax_env import Steps
from nograd.envs.observing import encoded, encoded_batch
from nograd.envs.spaces import Action, action_of
from nograd.envs.spec import EnvSpec, is_atari, pool_of, single


class VectorEnv(Protocol):
    """Environments of one kind, numbered."""

    def reset(self, seeds: Sequence[int]) -> np.ndarray:
        """Begins an episode a seed; returns the observations [seeds, *shape], as a policy gets them."""

    def step(self, live: np.ndarray, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """One step of the environments named, whose actions are `actions.chosen`.

        Returns:
            Observations [live, *shape], rewards [live], and whether the episode is over [live].
        """

    def render(self) -> np.ndarray | None:
        """A picture of the first environment, [height, width, 3] bytes, where they were made with a render_mode."""

    def close(self) -> None:
        """Lets go of the environments."""


def vector_env(env_spec: EnvSpec, **more: Any) -> VectorEnv:
    """The environments of an `EnvSpec`; `more` are keyword arguments of its maker beside its options."""
    if env_spec.is_traced:
        return Steps(env_spec, **more)
    return EnvPoolVector(env_spec, **more) if env_spec.source == "envpool" else GymnasiumVector(env_spec, **more)


_NOOPS = 30  # frames without an action, at most, that a game of Atari begins with


class EnvPoolVector:
    """Lanes of EnvPool."""

    def __init__(self, env_spec: EnvSpec, **more: Any) -> None:
        self._env_spec, self._more = env_spec, more
        self._pool: Any = None
        self._taken: Action | None = None

    def reset(self, seeds: Sequence[int]) -> np.ndarray:
        """A new pool, as its seeds can be set no other way."""
        if is_atari(self._env_spec):
            return self._atari(seeds)
        self.close()
        self._pool = pool_of(self._env_spec, list(map(int, seeds)), **self._more)
        return self._seen(self._pool.reset()[0])

    def _atari(self, seeds: Sequence[int]) -> np.ndarray:
        """The pool again where it has as many environments: a game is made in 90 ms, and begins in 4.

        All that is random of it are the frames without an action at the beginning, and those are counted here.
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


class GymnasiumVector:
    """Lanes of Gymnasium's environments, one after the other: its vector environments step the finished ones too."""

    def __init__(self, env_spec: EnvSpec, **more: Any) -> None:
        self._env_spec, self._more = env_spec, more
        self._all: list[Any] = []
        self._taken: Action | None = None  # of the environments themselves: an EnvSpec may lack the type

    def reset(self, seeds: Sequence[int]) -> np.ndarray:
        """The same environments for all episodes, each seeded anew."""
        self._all += [single(self._env_spec, **self._more) for _ in range(len(seeds) - len(self._all))]
        pairs = zip(self._all, seeds, strict=False)
        return self._seen([begun(env, int(seed), self._env_spec.name) for env, seed in pairs])

    def step(self, live: np.ndarray, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """See `VectorEnv`."""
        self._taken = self._taken or action_of(self._all[0].action_space, self._env_spec.name)
        pairs = zip(live, given(self._taken, actions), strict=True)
        answers = [stepped(self._all[index], action, self._env_spec.name) for index, action in pairs]
        observations, rewards, over = zip(*answers, strict=True)
        return self._seen(observations), np.array(rewards, np.float64), np.array(over, bool)

    def render(self) -> np.ndarray | None:
        """See `VectorEnv`."""
        return self._all[0].render()

    def close(self) -> None:
        """Closes them all."""
        for environment in self._all:
            environment.close()
        self._all = []

    def _seen(self, observations: Sequence[Any]) -> np.ndarray:
        return encoded(self._env_spec.observation, observations, self._env_spec.name)
