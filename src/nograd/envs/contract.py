"""Checks what an environment's `reset` and `step` return, and names the mistake if it is not what Gymnasium asks."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from nograd.core.types import ConfigError, EngineError
from nograd.envs.actions import given
from nograd.envs.observing import encoded
from nograd.envs.spaces import Action, Observation, action_of, observation_of
from nograd.envs.spec import EnvSpec
from nograd.envs.watch import DEADLINE, watched

_OLD = "4 are those of Gym before 0.26, whose done is either terminated or, at a limit of time, truncated"


def begun(env: Any, seed: int, name: str) -> Any:
    """The first observation of the episode with this seed. Raises EngineError for a wrong answer of reset."""
    answer = env.reset(seed=seed)
    if isinstance(answer, tuple) and len(answer) == 2 and isinstance(answer[1], Mapping):
        return answer[0]
    raise EngineError(
        f"{name} returns {_said(answer)} from reset(), and Gymnasium's reset returns (observation, info), where info "
        "is a dict; return observation, {}"
    )


def stepped(env: Any, action: Any, name: str) -> tuple[Any, float, bool]:
    """One step of a Gymnasium environment: (observation, reward, whether the episode is over).

    Raises:
        EngineError: the step does not return (observation, reward, terminated, truncated, info) of these types.
    """
    answer = env.step(action)
    if not isinstance(answer, tuple) or len(answer) != 5:
        raise EngineError(
            f"{name} returns {_said(answer)} from step(), and Gymnasium's step returns 5 values: observation, reward, "
            f"terminated, truncated, info; {_OLD if _is_old(answer) else 'return all of them'}"
        )
    observation, reward, terminated, truncated, _ = answer
    over = _truth(terminated, "terminated", name), _truth(truncated, "truncated", name)
    return observation, _number(reward, name), any(over)


def with_spaces(env_spec: EnvSpec, probe: Any, tried: bool = False) -> EnvSpec:
    """The `EnvSpec` with the spaces of an environment. Closes that environment.

    Args:
        env_spec: a description without spaces.
        probe: an environment of this description.
        tried: whether to check one reset and one step too; see `check_contract`.

    Raises:
        ConfigError: a policy cannot read the observations or give the actions.
    """
    try:
        observation = observation_of(probe.observation_space, env_spec.name)
        action = action_of(probe.action_space, env_spec.name)
        if tried:
            check_contract(probe, observation, action, env_spec.name)
        return env_spec._replace(observation=observation, action=action)
    finally:
        probe.close()


def check_contract(env: Any, shown: Observation, taken: Action, name: str) -> None:
    """Tries one reset and one step. Raises ConfigError if they fail, or do not return what Gymnasium asks for."""
    middle = np.zeros((1, *taken.shape), np.float32)
    try:
        with watched(DEADLINE, name) as pulse:
            encoded(shown, [begun(env, 0, name)], name)
            pulse.beat()
            encoded(shown, [stepped(env, given(taken, middle)[0], name)[0]], name)
    except EngineError as error:
        raise ConfigError(str(error)) from error


def _number(reward: Any, name: str) -> float:
    array = _scalar(reward)
    if array is None or array.dtype.kind not in "fiub":
        raise EngineError(f"{name} returns the reward {_said(reward)} from step(), and it must be one number")
    return float(array)


def _truth(value: Any, which: str, name: str) -> bool:
    """A bool from a bool of Python or NumPy, or from 0 or 1."""
    array = _scalar(value)
    if array is None or array.dtype.kind not in "biu" or int(array) not in (0, 1):
        raise EngineError(f"{name} returns {_said(value)} as {which} from step(), and it must be True or False")
    return bool(array)


def _scalar(value: Any) -> np.ndarray | None:
    """A scalar of any library as a NumPy array of shape []; None for anything else."""
    if not isinstance(value, bool | int | float) and not hasattr(value, "__array__"):
        return None
    array = np.asarray(value)
    return array if array.shape == () else None


def _is_old(answer: Any) -> bool:
    return isinstance(answer, tuple) and len(answer) == 4


def _said(value: Any) -> str:
    """The value that came, in a few words."""
    if isinstance(value, tuple):
        return f"{len(value)} values"
    if isinstance(value, np.ndarray) and value.ndim:
        return f"an array of shape {list(value.shape)}"
    return "None" if value is None else f"{str(value)[:30]!r} ({type(value).__name__})"
