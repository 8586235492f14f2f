"""The protocols of environments: many of them stepped side by side, and the source that makes them.

Each environment has its own seed. An episode depends on its seed and its actions, not on earlier episodes.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from nograd.config.axes import ENV_SOURCES
from nograd.envs.spec import EnvSpec


class VectorEnv(Protocol):
    """Several environments of one `EnvSpec`, numbered from 0. Only those whose episodes are not over are stepped."""

    def reset(self, seeds: Sequence[int]) -> np.ndarray:
        """Begins one episode for each seed, and returns their observations [seeds, *shape] as a policy gets them."""

    def step(self, live: np.ndarray, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """One step of some environments.

        Args:
            live: the numbers of the environments to step.
            actions: one for each of these environments, as `actions.chosen` returns them.


        Returns:
            Observations [live, *shape], rewards [live], and whether the episode is over [live].
        """

    def render(self) -> np.ndarray | None:
        """A picture of the first environment, uint8 [height, width, 3]; None if it cannot be rendered."""

    def close(self) -> None:
        """Closes the environments."""


class EnvSource(Protocol):
    """A source of environments, such as Gymnasium; registered by its name in `config.axes.ENV_SOURCES`."""

    def find(self, env_spec: EnvSpec) -> EnvSpec | None:
        """The description of an environment with `make` and spaces filled in; None if the source has none of this name.

        Args:
            env_spec: a description with the name and options that the user gave, and empty spaces.

        Raises:
            ConfigError: the environment cannot be made, or a policy cannot use its spaces.
        """

    def make(self, env_spec: EnvSpec, **more: Any) -> Any:
        """One environment: a `gymnasium.Env`, or one with Brax's functions if it is written in JAX.

        Args:
            env_spec: as `find` returned it; the spaces may be empty.
            more: keyword arguments for the constructor, in addition to the options.

        Raises:
            ConfigError: the environment cannot be made.
        """

    def vector(self, env_spec: EnvSpec, **more: Any) -> VectorEnv:
        """A `VectorEnv` of this description; `more` as for `make`."""


def source_of(word: str) -> EnvSource:
    """The source of this name. Raises ConfigError with the nearest names."""
    source: EnvSource = ENV_SOURCES.builder(word)()
    return source


def vector_env(env_spec: EnvSpec, **more: Any) -> VectorEnv:
    """A `VectorEnv` of this description from its source; `more` are further keyword arguments of the constructor."""
    return source_of(env_spec.source).vector(env_spec, **more)
