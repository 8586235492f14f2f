"""Which environment, and what it is like: from a word of the command line or of Python."""

import hashlib
import json
import warnings
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

from nograd.envs.spaces import Action, Observation, action_of, observation_of
from nograd.imports import import_object
from nograd.task_settings import FUNCTION, ID, is_environment
from nograd.types import ConfigError

INSTALL = "pip install 'nograd[envs]'"


class World(NamedTuple):
    """An environment by name: all that a worker needs to make it, in words and numbers."""

    name: str  # as the user says it
    source: Literal["envpool", "gymnasium", "function"]
    make: str  # the id there, or module:function
    options: str  # JSON, of its maker's keyword arguments
    observation: Observation
    action: Action

    @property
    def portable(self) -> dict[str, Any]:
        """What JSON holds of it; see `from_portable`."""
        return {**self._asdict(), "observation": self.observation._asdict(), "action": self.action._asdict()}

    @property
    def said(self) -> dict[str, Any]:
        """What `environment` is to be told, beside the name, to give this world again."""
        return {**json.loads(self.options), **({"source": "gymnasium"} if self.source == "gymnasium" else {})}

    @property
    def checksum(self) -> str:
        """SHA-256 of all that defines it: the same for every run on it."""
        return hashlib.sha256(json.dumps(self.portable, sort_keys=True).encode()).hexdigest()


def from_portable(portable: dict[str, Any]) -> World:
    """The world that `World.portable` came from."""
    kinds: tuple[tuple[str, Any], ...] = (("observation", Observation), ("action", Action))
    spaces = {name: kind(**{key: _tuple(value) for key, value in portable[name].items()}) for name, kind in kinds}
    return World(**{**portable, **spaces})


def environment(make: str | Callable[[], Any], **options: Any) -> World:
    """An environment as a task: `nograd.train(nograd.environment("HalfCheetah-v5"))`.

    EnvPool's where it has one of this id, else Gymnasium's; or what a function of your own returns, a
    `gymnasium.Env` that `reset(seed=…)` seeds.

    Args:
        make: an id such as "HalfCheetah-v5", "ALE/Pong-v5" or "my_module:MyEnv-v0", or a function of a module, itself
            or as "module:function".
        options: keyword arguments of its maker, of JSON types; `source="gymnasium"` leaves EnvPool out.

    Raises:
        ConfigError: it cannot be made, or a policy cannot read its observations or give its actions.
    """
    source = options.pop("source", None)
    word = make if isinstance(make, str) else _word(make)
    try:
        given = json.dumps(options, sort_keys=True)
    except TypeError as error:
        raise ConfigError(f"options of {word} must be numbers, words, lists or dicts: {error}") from None
    if not is_environment(word):
        raise ConfigError(f"unknown environment {word!r}; give an id such as CartPole-v1, or module:function")
    if FUNCTION.fullmatch(word) and not ID.fullmatch(word):
        world = World(word, "function", word, given, Observation((), "float32"), Action("box", ()))
    elif source != "gymnasium" and (found := _in_envpool(word)):
        world = World(word, "envpool", found, given, Observation((), "float32"), Action("box", ()))
    else:
        world = World(word, "gymnasium", word, given, Observation((), "float32"), Action("box", ()))
    probe = pool_of(world, [0]) if world.source == "envpool" else single(world)
    try:
        observation = observation_of(probe.observation_space, word)
        return world._replace(observation=observation, action=action_of(probe.action_space, word))
    finally:
        probe.close()


def is_atari(world: World) -> bool:
    """Whether it is a game of EnvPool's Atari, with nothing random but its beginning."""
    if world.source != "envpool" or {"noop_max", "repeat_action_probability"} & {*json.loads(world.options)}:
        return False
    from envpool.registration import registry

    return registry.specs[world.make][0] == "envpool.atari"


def pool_of(world: World, seeds: list[int], **more: Any) -> Any:
    """An EnvPool with an environment a seed, stepped by one thread: a worker has one core. Raises ConfigError."""
    import envpool

    own = {"num_envs": len(seeds), "num_threads": 1, "seed": seeds}
    try:
        with warnings.catch_warnings():  # bounds in float64, stored as float32
            warnings.simplefilter("ignore")
            pool = envpool.make_gymnasium(world.make, **{**json.loads(world.options), **own, **more})
            _ = pool.observation_space, pool.action_space
            return pool
    except Exception as error:
        raise ConfigError(f"EnvPool cannot make {world.name}: {summary(error)}") from error


def single(world: World, **more: Any) -> Any:
    """One environment of Gymnasium, or of the user's function. Raises ConfigError where it cannot be made."""
    if world.source == "function":
        made = _called(import_object(world.make, "environment"), world, **more)
        if not all(hasattr(made, name) for name in ("reset", "step", "observation_space", "action_space")):
            raise ConfigError(f"{world.make} must return a gymnasium.Env, got {type(made).__name__}")
        return made
    gymnasium = _gymnasium(world.name)
    if world.make.startswith("ALE/"):
        _register_atari(gymnasium, world.name)
    return _called(lambda **options: gymnasium.make(world.make, **options), world, **more)


def summary(error: BaseException) -> str:
    """The kind of an error and the first line of what it says."""
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}".removesuffix(": ")


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _called(make: Callable[..., Any], world: World, **more: Any) -> Any:
    try:
        return make(**json.loads(world.options), **more)
    except Exception as error:
        raise ConfigError(f"cannot make the environment {world.name}: {summary(error)}") from error


def _in_envpool(word: str) -> str:
    """EnvPool's id of this environment; "" where it has none, or is not installed."""
    try:
        import envpool
    except ImportError:
        return ""
    found = word.removeprefix("ALE/")  # Atari's have the same names there, without the folder
    return found if found in envpool.list_all_envs() else ""


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


def _word(make: Callable[[], Any]) -> str:
    """module:function of a function that every process can import. Raises ConfigError for any other."""
    module, name = getattr(make, "__module__", None), getattr(make, "__qualname__", "")
    if not module or module == "__main__" or not name.isidentifier():
        raise ConfigError(
            f"worker processes cannot import {name or make!r} of {module}; put the function into a module of its own"
        )
    return f"{module}:{name}"
