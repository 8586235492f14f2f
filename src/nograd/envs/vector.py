"""Many environments side by side, each with a seed of its own: only those whose episodes are not over are stepped.

An episode follows from its seed alone, not from what its environment did before.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from nograd.config.axes import ENV_SOURCES
from nograd.envs.spec import EnvSpec


class VectorEnv(Protocol):
    """Several environments of one `EnvSpec`, numbered from 0."""

    def reset(self, seeds: Sequence[int]) -> np.ndarray:
        """Begins an episode a seed; returns the observations [seeds, *shape], as a policy gets them."""

    def step(self, live: np.ndarray, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """One step of some environments.

        Args:
            live: the numbers of those that are stepped.
            actions: one for each of them, as from `actions.chosen`.


        Returns:
            Observations [live, *shape], rewards [live], and whether the episode is over [live].
        """

    def render(self) -> np.ndarray | None:
        """A picture of the first environment, [height, width, 3] bytes, where they were made with a render_mode."""

    def close(self) -> None:
        """Closes the environments."""


class EnvSource(Protocol):
    """Where environments come from; a word of `config.axes.ENV_SOURCES`."""

    def find(self, env_spec: EnvSpec) -> EnvSpec | None:
        """An environment of this name, with its `make` and its spaces; None where the source has none.

        Args:
            env_spec: the name that the user gave, and the options; its spaces are empty.

        Raises:
            ConfigError: it cannot be made, or its spaces cannot be used.
        """

    def make(self, env_spec: EnvSpec, **more: Any) -> Any:
        """One environment: a `gymnasium.Env`, or Brax's functions where it is written in JAX.

        Args:
            env_spec: as `find` returned it; the spaces may be empty.
            more: keyword arguments of its maker beside the options.

        Raises:
            ConfigError: it cannot be made.
        """

    def vector(self, env_spec: EnvSpec, **more: Any) -> VectorEnv:
        """Many environments of this description, side by side."""


def source_of(word: str) -> EnvSource:
    """The source of this word. Raises ConfigError with the nearest words."""
    source: EnvSource = ENV_SOURCES.builder(word)()
    return source


def vector_env(env_spec: EnvSpec, **more: Any) -> VectorEnv:
    """Many environments side by side; `more` are keyword arguments of their maker beside the options."""
    return source_of(env_spec.source).vector(env_spec, **more)
