"""Environments that are written in JAX: Brax's, and those that a user's function makes."""

import io
import json
import warnings
from contextlib import redirect_stdout
from typing import Any

from nograd.core.types import ConfigError
from nograd.envs.jax_env import JaxVector, spaces, traced
from nograd.envs.spec import EnvSpec, make_from_function
from nograd.envs.watch import summary

INSTALL = "pip install 'nograd[jaxenvs]'"


def is_pure(env: Any) -> bool:
    """Whether an environment has Brax's pure functions rather than Gymnasium's spaces."""
    return hasattr(env, "action_size") and not hasattr(env, "action_space")


class JaxFunction:
    """Environments with Brax's functions that a user's function returns; an `EnvSource`."""

    def find(self, env_spec: EnvSpec) -> EnvSpec:
        """The environment with its spaces. Raises ConfigError if its functions do not fit together."""
        observation, action = spaces(traced(env_spec), env_spec.name)
        return env_spec._replace(observation=observation, action=action)

    def make(self, env_spec: EnvSpec, **more: Any) -> Any:
        """The environment that the function returns. Raises ConfigError if the function raises."""
        return make_from_function(env_spec, **more)

    def vector(self, env_spec: EnvSpec, **more: Any) -> JaxVector:
        """See `JaxVector`."""
        return JaxVector(env_spec)


class Brax(JaxFunction):
    """Brax's environments, as brax/humanoid; an `EnvSource`."""

    def find(self, env_spec: EnvSpec) -> EnvSpec:
        """Brax's environment of this name. Raises ConfigError if there is none, or Brax is not installed."""
        return super().find(env_spec._replace(make=env_spec.name.partition("/")[2]))

    def make(self, env_spec: EnvSpec, **more: Any) -> Any:
        """The environment of Brax. Raises ConfigError if it cannot be made."""
        # Brax's packages print warnings about each other and about packages that are not installed.
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            return _of_brax(env_spec)


def _of_brax(env_spec: EnvSpec) -> Any:
    try:
        from brax import envs
    except ImportError as error:
        raise ConfigError(f"{env_spec.name} needs Brax ({error}); install it by {INSTALL}") from None
    if env_spec.make not in envs._envs:
        raise ConfigError(f"Brax has no environment {env_spec.make!r}; it has {', '.join(sorted(envs._envs))}")
    try:
        return envs.get_environment(env_spec.make, **json.loads(env_spec.options))
    except Exception as error:
        raise ConfigError(f"Brax cannot make {env_spec.name}: {summary(error)}") from error
