"""Finds an environment by its name, on the command line or in Python, and describes it."""

import json
import re
from collections.abc import Callable
from typing import Any

from nograd.config.axes import ENV_SOURCES
from nograd.config.task_settings import is_environment
from nograd.core.types import ConfigError
from nograd.envs.spaces import Action, Observation
from nograd.envs.spec import EnvSpec
from nograd.envs.vector import source_of


def environment(make: str | Callable[[], Any], **options: Any) -> EnvSpec:
    """Describes an environment, for use as a task: `nograd.train(nograd.environment("HalfCheetah-v5"))`.

    An id is looked up in EnvPool, then in Gymnasium; "brax/humanoid" is an environment of Brax. A function of your own
    returns a `gymnasium.Env` whose `reset(seed=…)` seeds it, or an environment in JAX with Brax's functions.

    Args:
        make: an id such as "HalfCheetah-v5", "ALE/Pong-v5", "brax/humanoid" or "my_module:MyEnv-v0"; or a function
            that is defined in a module, or its name as "module:function".
        options: keyword arguments for the environment's constructor, of JSON types; `source="gymnasium"` makes
            Gymnasium's environment even if EnvPool has one of this id.

    Returns:
        The description: name, source, options and spaces. No environment is left open.

    Raises:
        ConfigError: the environment cannot be made, or a policy cannot read its observations or give its actions.
    """
    source = options.pop("source", None)
    word = make if isinstance(make, str) else _word(make)
    try:
        given = json.dumps(options, sort_keys=True)
    except TypeError as error:
        raise ConfigError(f"options of {word} must be numbers, words, lists or dicts: {error}") from None
    if not is_environment(word):
        raise ConfigError(f"unknown environment {word!r}; give an id such as CartPole-v1, or module:function")
    sources = ENV_SOURCES.entries if source is None else {source: ENV_SOURCES.entry(source)}
    for source_word, entry in sources.items():
        if entry.pattern and re.fullmatch(entry.pattern, word):
            empty = EnvSpec(word, source_word, word, given, Observation((), "float32"), Action("box", ()))
            if found := source_of(source_word).find(empty):
                return found
    raise ConfigError(f"{source} has no environment {word!r}; leave source={source!r} out, or give another id")


def _word(make: Callable[[], Any]) -> str:
    """module:function of a function that every process can import. Raises ConfigError for any other."""
    module, name = getattr(make, "__module__", None), getattr(make, "__qualname__", "")
    if not module or module == "__main__" or not name.isidentifier():
        raise ConfigError(
            f"worker processes cannot import {name or make!r} of {module}; put the function into a module of its own"
        )
    return f"{module}:{name}"
