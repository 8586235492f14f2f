"""What an environment shows and what it takes, as plain numbers that JSON can hold."""

from typing import Any, Literal, NamedTuple

import numpy as np

from nograd.core.types import ConfigError


class Observation(NamedTuple):
    """One observation: an array of real numbers, bytes of a picture, or the number of a state."""

    shape: tuple[int, ...]
    dtype: Literal["float32", "uint8"]
    states: int = 0  # of a numbered state, which the policy sees as a one-hot vector

    @property
    def input_shape(self) -> tuple[int, ...]:
        """What the policy sees of it."""
        return (self.states,) if self.states else self.shape


class Action(NamedTuple):
    """One action: a choice, several choices, or an array of real numbers."""

    kind: Literal["discrete", "multi", "box"]
    shape: tuple[int, ...]
    choices: tuple[int, ...] = ()  # of each component
    starts: tuple[int, ...] = ()  # the number of each component's first choice
    low: tuple[float | None, ...] = ()  # of each component of a box; None: unbounded
    high: tuple[float | None, ...] = ()


def observation_of(space: Any, name: str) -> Observation:
    """The observation of a Gymnasium space: Box or Discrete. Raises ConfigError for any other."""
    kind = type(space).__name__
    if kind == "Box" and space.shape:
        return Observation(tuple(map(int, space.shape)), "uint8" if space.dtype == np.uint8 else "float32")
    if kind == "Discrete":
        return Observation((), "float32", int(space.n))
    raise ConfigError(
        f"the observations of {name} are {kind}, and a policy here reads Box or Discrete ones; wrap it in "
        "gymnasium.wrappers.FlattenObservation, in a module:function of your own"
    )


def action_of(space: Any, name: str) -> Action:
    """The action of a Gymnasium space: Discrete, MultiDiscrete or Box. Raises ConfigError for any other."""
    kind = type(space).__name__
    if kind == "Discrete":
        return Action("discrete", (), (int(space.n),), (int(space.start),))
    if kind == "MultiDiscrete" and len(space.shape) == 1:
        return Action("multi", space.shape, tuple(map(int, space.nvec)), tuple(map(int, space.start)))
    if kind == "Box" and np.issubdtype(space.dtype, np.floating):
        bounds = (
            tuple(float(value) if np.isfinite(value) else None for value in np.ravel(bound))
            for bound in (space.low, space.high)
        )
        return Action("box", tuple(map(int, space.shape)), (), (), *bounds)
    raise ConfigError(
        f"the actions of {name} are {kind}, and a policy here gives Discrete, MultiDiscrete or real Box ones; "
        "wrap it in a module:function of your own"
    )
