"""Environments that are registered with Gymnasium, and Gymnasium environments that a user's function makes."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from nograd.core.types import ConfigError
from nograd.envs.actions import given
from nograd.envs.contract import begun, stepped, with_spaces
from nograd.envs.observing import encoded
from nograd.envs.source_jax import JaxFunction, is_pure
from nograd.envs.spaces import Action, action_of
from nograd.envs.spec import INSTALL, EnvSpec, call_maker, make_from_function


class Gymnasium:
    """Environments that are registered with Gymnasium; an `EnvSource`."""

    def find(self, env_spec: EnvSpec) -> EnvSpec:
        """The environment of Gymnasium with this id. Raises ConfigError if there is none."""
        return with_spaces(env_spec, self.make(env_spec), tried=True)

    def make(self, env_spec: EnvSpec, **more: Any) -> Any:
        """One environment. Raises ConfigError if it cannot be made, or Gymnasium is not installed."""
        gymnasium = _gymnasium(env_spec.name)
        if env_spec.make.startswith("ALE/"):
            _register_atari(gymnasium, env_spec.name)
        return call_maker(lambda **options: gymnasium.make(env_spec.make, **options), env_spec, **more)

    def vector(self, env_spec: EnvSpec, **more: Any) -> "GymnasiumVector":
        """See `GymnasiumVector`."""
        return GymnasiumVector(env_spec, lambda: self.make(env_spec, **more))


class Function:
    """Environments that a user's function, named as module:function, returns; an `EnvSource`."""

    def find(self, env_spec: EnvSpec) -> EnvSpec:
        """The environment that the function returns: a `gymnasium.Env`, or one in JAX. Raises ConfigError."""
        env = make_from_function(env_spec)
        if is_pure(env):
            return JaxFunction().find(env_spec._replace(source="jax"))
        return with_spaces(env_spec, _checked(env, env_spec), tried=True)

    def make(self, env_spec: EnvSpec, **more: Any) -> Any:
        """One environment. Raises ConfigError if the function raises, or does not return a `gymnasium.Env`."""
        return _checked(make_from_function(env_spec, **more), env_spec)

    def vector(self, env_spec: EnvSpec, **more: Any) -> "GymnasiumVector":
        """See `GymnasiumVector`."""
        return GymnasiumVector(env_spec, lambda: self.make(env_spec, **more))


class GymnasiumVector:
    """Gymnasium environments that are stepped one after another; a `VectorEnv`.

    Gymnasium's own vector environments are not used: they would step finished episodes too.
    """

    def __init__(self, env_spec: EnvSpec, make: Callable[[], Any]) -> None:
        self._env_spec, self._make = env_spec, make
        self._all: list[Any] = []
        self._taken: Action | None = None  # read from the environments: an EnvSpec may lack the dtype

    def reset(self, seeds: Sequence[int]) -> np.ndarray:
        """Plays all episodes in the same environments, which are seeded anew."""
        self._all += [self._make() for _ in range(len(seeds) - len(self._all))]
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
        """Closes all environments."""
        for environment in self._all:
            environment.close()
        self._all = []

    def _seen(self, observations: Sequence[Any]) -> np.ndarray:
        return encoded(self._env_spec.observation, observations, self._env_spec.name)


def _checked(env: Any, env_spec: EnvSpec) -> Any:
    """The environment itself. Raises ConfigError if it is not a `gymnasium.Env`."""
    if not all(hasattr(env, name) for name in ("reset", "step", "observation_space", "action_space")):
        raise ConfigError(f"{env_spec.make} must return a gymnasium.Env, got {type(env).__name__}")
    return env


def _gymnasium(name: str) -> Any:
    try:
        import gymnasium
    except ImportError:
        raise ConfigError(f"{name} needs EnvPool or Gymnasium; install them by {INSTALL}") from None
    return gymnasium


def _register_atari(gymnasium: Any, name: str) -> None:
    try:
        import ale_py
    except ImportError:
        raise ConfigError(f"{name} needs EnvPool or ale-py; install them by {INSTALL}") from None
    gymnasium.register_envs(ale_py)
