"""The inputs of a policy besides its parameters, and the protocol of a task on episodes."""

from typing import Any, NamedTuple, Protocol

import numpy as np
from jaxtyping import Array

from nograd.core.types import Params
from nograd.envs import EnvSpec
from nograd.envs.normalization import Moments
from nograd.models import Model


class Context(NamedTuple):
    """What a policy needs besides its parameters, and the limit of its episodes."""

    moments: Moments | tuple[()]  # of observations, where they are normalised
    limit: Array | tuple[()]  # steps of an episode, where it adapts
    reference: Array | tuple[()] = ()  # [batch, *shape], where the network is prepared by some observations


class Policy(NamedTuple):
    """The result of a training: the network's parameters and their context."""

    params: Params
    context: Context


class EpisodeTask(Protocol):
    """The rules of the episodes that a generation plays; see `nograd.tasks.control.Environment` for each."""

    @property
    def env_spec(self) -> EnvSpec:
        """The environment that members act in."""

    @property
    def model(self) -> Model:
        """The policy's network."""

    @property
    def episodes(self) -> int:
        """The number of episodes of each member."""

    @property
    def normalise(self) -> bool:
        """Whether observations are brought to mean 0 and variance 1."""

    @property
    def adaptive(self) -> bool:
        """Whether the limit of an episode follows the mean length."""

    @property
    def limit(self) -> int:
        """The number of steps after which an episode is cut."""

    @property
    def skip(self) -> int:
        """Steps that an action is held for."""

    @property
    def bonus(self) -> float:
        """The part of every step's reward that does not count in the fitness."""

    @property
    def member_steps(self) -> int:
        """Steps after which a member starts no further episode."""

    def whole(self, params: Params, context: Context) -> Any:
        """The first argument of the network's `apply`."""

    def see(self, context: Context, observations: Array | np.ndarray) -> Array:
        """The network's inputs from observations."""

    def act(self, outputs: Array | np.ndarray) -> Array:
        """The actions that the outputs of a network stand for."""

    def noisy(self, outputs: Array, seed: Array, step: Array) -> Array:
        """Outputs with the action noise of one step."""
