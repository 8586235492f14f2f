"""Which environment is meant, and what it is like: from a word of the command line or of Python."""

import json
from collections.abc import Callable
from typing import Any

from nograd.config.task_settings import BRAX, FUNCTION, ID, is_environment
from nograd.core.types import ConfigError
from nograd.envs.contract import check_contract
from nograd.envs.jax_env import spaces, traced
from nograd.envs.spaces import Action, Observation, action_of, observation_of
from nograd.envs.spec import EnvSpec, checked, made, pool_of, single


def environment(make: str | Callable[[], Any], **options: Any) -> EnvSpec:
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
    env_spec = EnvSpec(word, "gymnasium", word, given, Observation((), "float32"), Action("box", ()))
    if BRAX.fullmatch(word):
        return _traced(env_spec._replace(source="brax", make=word.partition("/")[2]))
    if FUNCTION.fullmatch(word) and not ID.fullmatch(word):
        env_spec = env_spec._replace(source="function")
        if is_pure(env := made(env_spec)):
            return _traced(env_spec._replace(source="jax"))
        return _with_spaces(env_spec, checked(env, env_spec))
    if source != "gymnasium" and (found := _in_envpool(word)):
        env_spec = env_spec._replace(source="envpool", make=found)
    return _with_spaces(env_spec, pool_of(env_spec, [0]) if env_spec.source == "envpool" else single(env_spec))


def is_pure(env: Any) -> bool:
    """Whether an environment has Brax's pure functions rather than Gymnasium's spaces."""
    return hasattr(env, "action_size") and not hasattr(env, "action_space")


def _with_spaces(env_spec: EnvSpec, probe: Any) -> EnvSpec:
    try:
        shown, taken = (
            observation_of(probe.observation_space, env_spec.name),
            action_of(probe.action_space, env_spec.name),
        )
        if env_spec.source != "envpool":
            check_contract(probe, shown, taken, env_spec.name)
        return env_spec._replace(observation=shown, action=taken)
    finally:
        probe.close()


def _traced(env_spec: EnvSpec) -> EnvSpec:
    observation, action = spaces(traced(env_spec), env_spec.name)
    return env_spec._replace(observation=observation, action=action)


def _in_envpool(word: str) -> str:
    """EnvPool's id of this environment; "" where it has none, or is not installed."""
    try:
        import envpool
    except ImportError:
        return ""
    found = word.removeprefix("ALE/")  # Atari's have the same names there, without the folder
    return found if found in envpool.list_all_envs() else ""


def _word(make: Callable[[], Any]) -> str:
    """module:function of a function that every process can import. Raises ConfigError for any other."""
    module, name = getattr(make, "__module__", None), getattr(make, "__qualname__", "")
    if not module or module == "__main__" or not name.isidentifier():
        raise ConfigError(
            f"worker processes cannot import {name or make!r} of {module}; put the function into a module of its own"
        )
    return f"{module}:{name}"
