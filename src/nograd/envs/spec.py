"""Which environment, and what it is like: from a word of the command line or of Python."""

import hashlib
import json
import warnings
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

from nograd.config.task_settings import BRAX, FUNCTION, ID, is_environment
from nograd.core.imports import import_object
from nograd.core.types import ConfigError
from nograd.envs.contract import check_contract
from nograd.envs.spaces import Action, Leaf, Observation, action_of, observation_of
from nograd.envs.watch import summary

INSTALL = "pip install 'nograd[envs]'"


class World(NamedTuple):
    """An environment by name: all that a worker needs to make it, in words and numbers."""

    name: str  # as the user says it
    source: Literal["envpool", "gymnasium", "function", "brax", "jax"]  # jax: a function that makes one in JAX
    make: str  # the id there, or module:function
    options: str  # JSON, of its maker's keyword arguments
    observation: Observation
    action: Action

    @property
    def portable(self) -> dict[str, Any]:
        """What JSON holds of it; see `from_portable`."""
        return {**self._asdict(), "observation": _portable(self.observation), "action": _portable(self.action)}

    @property
    def said(self) -> dict[str, Any]:
        """What `environment` is to be told, beside the name, to give this world again."""
        return {**json.loads(self.options), **({"source": "gymnasium"} if self.source == "gymnasium" else {})}

    @property
    def is_traced(self) -> bool:
        """Whether it is written in JAX: its episodes are part of a program."""
        return self.source in ("brax", "jax")

    @property
    def checksum(self) -> str:
        """SHA-256 of all that defines it: the same for every run on it."""
        action = {name: value for name, value in self.portable["action"].items() if name != "dtype"}
        return hashlib.sha256(json.dumps({**self.portable, "action": action}, sort_keys=True).encode()).hexdigest()


def from_portable(portable: dict[str, Any]) -> World:
    """The world that `World.portable` came from."""
    kinds: tuple[tuple[str, Any], ...] = (("observation", Observation), ("action", Action))
    return World(**{**portable, **{name: _restored(kind, portable[name]) for name, kind in kinds}})


def _portable(space: Observation | Action) -> dict[str, Any]:
    """Its fields, the leaves only where there are some: plain spaces have the words of earlier versions."""
    fields = {**space._asdict(), "leaves": [leaf._asdict() for leaf in space.leaves]}
    return {name: value for name, value in fields.items() if name != "leaves" or value}


def _restored(kind: Any, fields: dict[str, Any]) -> Any:
    whole = {name: _tuple(value) for name, value in fields.items()}
    if "leaves" in fields:
        whole["leaves"] = tuple(_restored(Leaf, leaf) for leaf in fields["leaves"])
    return kind(**whole)


def environment(make: str | Callable[[], Any], **options: Any) -> World:
    """An environment as a task: `nograd.train(nograd.environment("HalfCheetah-v5"))`.

    EnvPool's where it has one of this id, else Gymnasium's; Brax's as "brax/humanoid"; or what a function of your own
    returns, a `gymnasium.Env` that `reset(seed=…)` seeds, or an environment of JAX with Brax's functions.

    Args:
        make: an id such as "HalfCheetah-v5", "ALE/Pong-v5", "brax/humanoid" or "my_module:MyEnv-v0", or a function of
            a module, itself or as "module:function".
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
    world = World(word, "gymnasium", word, given, Observation((), "float32"), Action("box", ()))
    if BRAX.fullmatch(word):
        return _traced(world._replace(source="brax", make=word.partition("/")[2]))
    if FUNCTION.fullmatch(word) and not ID.fullmatch(word):
        world = world._replace(source="function")
        if is_pure(env := made(world)):
            return _traced(world._replace(source="jax"))
        return _with_spaces(world, _checked(env, world))
    if source != "gymnasium" and (found := _in_envpool(word)):
        world = world._replace(source="envpool", make=found)
    return _with_spaces(world, pool_of(world, [0]) if world.source == "envpool" else single(world))


def is_pure(env: Any) -> bool:
    """Whether an environment has Brax's pure functions rather than Gymnasium's spaces."""
    return hasattr(env, "action_size") and not hasattr(env, "action_space")


def made(world: World, **more: Any) -> Any:
    """What the user's function of a world returns. Raises ConfigError where it raises."""
    return _called(import_object(world.make, "environment"), world, **more)


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
        return _checked(made(world, **more), world)
    gymnasium = _gymnasium(world.name)
    if world.make.startswith("ALE/"):
        _register_atari(gymnasium, world.name)
    return _called(lambda **options: gymnasium.make(world.make, **options), world, **more)


def _checked(env: Any, world: World) -> Any:
    if not all(hasattr(env, name) for name in ("reset", "step", "observation_space", "action_space")):
        raise ConfigError(f"{world.make} must return a gymnasium.Env, got {type(env).__name__}")
    return env


def _with_spaces(world: World, probe: Any) -> World:
    try:
        shown, taken = observation_of(probe.observation_space, world.name), action_of(probe.action_space, world.name)
        if world.source != "envpool":
            check_contract(probe, shown, taken, world.name)
        return world._replace(observation=shown, action=taken)
    finally:
        probe.close()


def _traced(world: World) -> World:
    from nograd.envs.jax_env import spaces, traced

    observation, action = spaces(traced(world), world.name)
    return world._replace(observation=observation, action=action)


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
