"""What an environment is, as words and numbers, and how one is made of it."""

import hashlib
import json
import warnings
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

from nograd.core.imports import import_object
from nograd.core.types import ConfigError
from nograd.envs.spaces import Action, Leaf, Observation
from nograd.envs.watch import summary

INSTALL = "pip install 'nograd[envs]'"


class EnvSpec(NamedTuple):
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
        """What `environment` is to be told, beside the name, to give this EnvSpec again."""
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


def from_portable(portable: dict[str, Any]) -> EnvSpec:
    """The EnvSpec that `EnvSpec.portable` came from."""
    kinds: tuple[tuple[str, Any], ...] = (("observation", Observation), ("action", Action))
    return EnvSpec(**{**portable, **{name: _restored(kind, portable[name]) for name, kind in kinds}})


def _portable(space: Observation | Action) -> dict[str, Any]:
    """Its fields, the leaves only where there are some: plain spaces have the words of earlier versions."""
    fields = {**space._asdict(), "leaves": [leaf._asdict() for leaf in space.leaves]}
    return {name: value for name, value in fields.items() if name != "leaves" or value}


def _restored(kind: Any, fields: dict[str, Any]) -> Any:
    whole = {name: _tuple(value) for name, value in fields.items()}
    if "leaves" in fields:
        whole["leaves"] = tuple(_restored(Leaf, leaf) for leaf in fields["leaves"])
    return kind(**whole)


def made(env_spec: EnvSpec, **more: Any) -> Any:
    """What the user's function returns. Raises ConfigError where it raises."""
    return _called(import_object(env_spec.make, "environment"), env_spec, **more)


def is_atari(env_spec: EnvSpec) -> bool:
    """Whether it is a game of EnvPool's Atari, with nothing random but its beginning."""
    if env_spec.source != "envpool" or {"noop_max", "repeat_action_probability"} & {*json.loads(env_spec.options)}:
        return False
    from envpool.registration import registry

    return registry.specs[env_spec.make][0] == "envpool.atari"


def pool_of(env_spec: EnvSpec, seeds: list[int], **more: Any) -> Any:
    """An EnvPool with an environment a seed, stepped by one thread: a worker has one core. Raises ConfigError."""
    import envpool

    own = {"num_envs": len(seeds), "num_threads": 1, "seed": seeds}
    try:
        with warnings.catch_warnings():  # bounds in float64, stored as float32
            warnings.simplefilter("ignore")
            pool = envpool.make_gymnasium(env_spec.make, **{**json.loads(env_spec.options), **own, **more})
            _ = pool.observation_space, pool.action_space
            return pool
    except Exception as error:
        raise ConfigError(f"EnvPool cannot make {env_spec.name}: {summary(error)}") from error


def single(env_spec: EnvSpec, **more: Any) -> Any:
    """One environment of Gymnasium, or of the user's function. Raises ConfigError where it cannot be made."""
    if env_spec.source == "function":
        return checked(made(env_spec, **more), env_spec)
    gymnasium = _gymnasium(env_spec.name)
    if env_spec.make.startswith("ALE/"):
        _register_atari(gymnasium, env_spec.name)
    return _called(lambda **options: gymnasium.make(env_spec.make, **options), env_spec, **more)


def checked(env: Any, env_spec: EnvSpec) -> Any:
    """The environment itself. Raises ConfigError where it is none of Gymnasium's."""
    if not all(hasattr(env, name) for name in ("reset", "step", "observation_space", "action_space")):
        raise ConfigError(f"{env_spec.make} must return a gymnasium.Env, got {type(env).__name__}")
    return env


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _called(make: Callable[..., Any], env_spec: EnvSpec, **more: Any) -> Any:
    try:
        return make(**json.loads(env_spec.options), **more)
    except Exception as error:
        raise ConfigError(f"cannot make the environment {env_spec.name}: {summary(error)}") from error


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
