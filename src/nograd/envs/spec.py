"""The description of an environment by words and numbers, and how one is made from it."""

import hashlib
import json
from collections.abc import Callable
from typing import Any, NamedTuple

from nograd.config.axes import ENV_SOURCES
from nograd.core.imports import import_object
from nograd.core.types import ConfigError
from nograd.envs.spaces import Action, Leaf, Observation
from nograd.envs.watch import summary

INSTALL = "pip install 'nograd[envs]'"


class EnvSpec(NamedTuple):
    """The description of an environment: what a worker needs to make it, as text and numbers."""

    name: str  # as the user gave it
    source: str  # a word of `config.axes.ENV_SOURCES`
    make: str  # the id in that source, or module:function
    options: str  # the keyword arguments of the constructor, as JSON
    observation: Observation
    action: Action

    @property
    def portable(self) -> dict[str, Any]:
        """The description as plain values for JSON; `from_portable` reads them."""
        return {**self._asdict(), "observation": _portable(self.observation), "action": _portable(self.action)}

    @property
    def maker_options(self) -> dict[str, Any]:
        """The keyword arguments with which `environment(name, …)` returns this description again."""
        return {**json.loads(self.options), **({"source": "gymnasium"} if self.source == "gymnasium" else {})}

    @property
    def is_traced(self) -> bool:
        """Whether the environment is written in JAX, so that whole episodes are compiled into a program."""
        return ENV_SOURCES.entry(self.source).in_jax

    @property
    def checksum(self) -> str:
        """SHA-256 of the description, equal for all runs on the same environment."""
        action = {name: value for name, value in self.portable["action"].items() if name != "dtype"}
        return hashlib.sha256(json.dumps({**self.portable, "action": action}, sort_keys=True).encode()).hexdigest()


def from_portable(portable: dict[str, Any]) -> EnvSpec:
    """The EnvSpec from the values that `EnvSpec.portable` returned."""
    kinds: tuple[tuple[str, Any], ...] = (("observation", Observation), ("action", Action))
    return EnvSpec(**{**portable, **{name: _restored(kind, portable[name]) for name, kind in kinds}})


def _portable(space: Observation | Action) -> dict[str, Any]:
    """The fields of a space, `leaves` only if there are some, as earlier versions wrote simple spaces."""
    fields = {**space._asdict(), "leaves": [leaf._asdict() for leaf in space.leaves]}
    return {name: value for name, value in fields.items() if name != "leaves" or value}


def _restored(kind: Any, fields: dict[str, Any]) -> Any:
    whole = {name: _tuple(value) for name, value in fields.items()}
    if "leaves" in fields:
        whole["leaves"] = tuple(_restored(Leaf, leaf) for leaf in fields["leaves"])
    return kind(**whole)


def call_maker(make: Callable[..., Any], env_spec: EnvSpec, **more: Any) -> Any:
    """The environment that a maker returns for the options of an `EnvSpec`. Raises ConfigError if it raises."""
    try:
        return make(**json.loads(env_spec.options), **more)
    except Exception as error:
        raise ConfigError(f"cannot make the environment {env_spec.name}: {summary(error)}") from error


def make_from_function(env_spec: EnvSpec, **more: Any) -> Any:
    """The environment that the user's function returns. Raises ConfigError if the function raises."""
    return call_maker(import_object(env_spec.make, "environment"), env_spec, **more)


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
