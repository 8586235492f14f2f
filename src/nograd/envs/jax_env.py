"""Environments written in JAX as pure functions, so that whole episodes are compiled into one program.

The interface is Brax's (Freeman et al. 2021, arXiv 2106.13281): `reset(key) -> state` and
`step(state, action) -> state`, where a state is a tree of arrays with `.obs`, `.reward` and `.done`. An action is a
vector of `action_size` real numbers between −1 and 1.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from nograd.core.precision import is_real
from nograd.core.types import ConfigError, PyTree
from nograd.envs.spaces import Action, Leaf, Observation
from nograd.envs.spec import EnvSpec
from nograd.envs.vector import source_of
from nograd.envs.watch import summary


def traced(env_spec: EnvSpec) -> Any:
    """The JAX environment of an `EnvSpec`, made at the first call only. Raises ConfigError if it cannot be made."""
    return _made(env_spec._replace(observation=Observation((), "float32"), action=Action("box", ())))


@cache
def _made(env_spec: EnvSpec) -> Any:
    with jax.ensure_compile_time_eval():  # the first call may be inside a trace, which the arrays outlive
        return source_of(env_spec.source).make(env_spec)


def spaces(env: Any, name: str) -> tuple[Observation, Action]:
    """The observations and actions of an environment. Raises ConfigError if its functions do not fit together."""
    size = _action_size(env, name)
    try:
        first = jax.eval_shape(lambda: begun(env, jnp.int32(0)))
        then = jax.eval_shape(lambda state: stepped(env, state, jnp.zeros(size, jnp.float32)), first)
    except Exception as error:
        raise ConfigError(f"the environment {name} cannot be traced by JAX: {summary(error)}") from error
    trees: list[Any] = list(map(jax.tree.structure, (first, then)))
    if trees[0] != trees[1]:
        raise ConfigError(f"the environment {name} must step to a state of the structure that its reset gives")
    for part, other in zip(jax.tree.leaves(first), jax.tree.leaves(then), strict=True):
        if part.shape != other.shape:
            raise ConfigError(
                f"the environment {name} must step to a state of the shapes that its reset gives, and "
                f"{list(part.shape)} becomes {list(other.shape)}"
            )
    for which in ("reward", "done"):
        if not hasattr(first, which) or getattr(getattr(first, which), "shape", None) != ():
            raise ConfigError(f"the state of {name} must have a .{which} that is one number, an array of shape []")
    seen = _observation(getattr(first, "obs", None), name)
    return seen, Action("box", (size,), (), (), (-1.0,) * size, (1.0,) * size, "float32")


def _observation(seen: PyTree, name: str) -> Observation:
    """One array keeps its shape; dicts and tuples of arrays, as in MuJoCo Playground, become one vector."""
    leaves = [_leaf(path, leaf, name) for path, leaf in jax.tree_util.tree_flatten_with_path(seen)[0]]
    if not sum(leaf.size for leaf in leaves):
        raise ConfigError(f"the observations of {name} hold no number; give its states an .obs that is an array")
    if leaves[0].path:
        return Observation((sum(leaf.size for leaf in leaves),), "float32", 0, tuple(leaves))
    shape = leaves[0].shape
    return Observation(shape or (1,), "uint8" if leaves[0].dtype == "uint8" and shape else "float32")


def _leaf(path: tuple[Any, ...], leaf: jax.ShapeDtypeStruct, name: str) -> Leaf:
    keys = [getattr(entry, "key", getattr(entry, "idx", None)) for entry in path]
    named: tuple[str | int, ...] = tuple(key for key in keys if isinstance(key, str | int))
    if len(named) < len(path):
        raise ConfigError(
            f"the observations of {name} have a part{jax.tree_util.keystr(path)}, and its parts must be in dicts "
            "(with words as keys) and tuples; join them by jax.numpy.concatenate in a module:function of your own"
        )
    if not is_real(leaf.dtype):
        raise ConfigError(f"the observations of {name} are of {leaf.dtype}, and must be of real numbers")
    return Leaf(named, "box", tuple(leaf.shape), str(leaf.dtype))


def _action_size(env: Any, name: str) -> int:
    size = env.action_size
    if isinstance(size, bool) or not hasattr(size, "__index__") or int(size) < 1:
        raise ConfigError(f"the action_size of {name} cannot be {size!r}; it must be a whole number of 1 or more")
    return int(size)


def observed(state: Any) -> Array:
    """The observation of a state: a single number as a vector of one; dicts and tuples as one vector of all parts."""
    if isinstance(state.obs, dict | tuple | list):
        return jnp.concatenate([_numbers(leaf) for leaf in jax.tree.leaves(state.obs)])
    return state.obs if jnp.ndim(state.obs) else state.obs[None]


def _numbers(leaf: Array) -> Float[Array, " numbers"]:
    """A part of an observation as `observing.encoded` returns it: bytes become 0 to 1."""
    numbers = leaf.astype(jnp.float32).ravel()
    return numbers / 255 if leaf.dtype == jnp.uint8 else numbers


def begun(env: Any, seed: Int[Array, ""]) -> PyTree:
    """The first state of the episode with this seed."""
    with jax.default_matmul_precision("highest"):  # GPUs and TPUs would round a robot's inertias to 10 or 8 bits
        return env.reset(jax.random.PRNGKey(seed))


def stepped(env: Any, state: PyTree, action: Array) -> PyTree:
    """The state after one step."""
    with jax.default_matmul_precision("highest"):
        return env.step(state, action)


class JaxVector:
    """Environments of JAX side by side, one call for each step: for uses that need every state, such as a film."""

    def __init__(self, env_spec: EnvSpec, **more: Any) -> None:
        self._env = traced(env_spec)
        self._begun = jax.jit(jax.vmap(lambda seed: begun(self._env, seed)))
        self._seen = jax.jit(jax.vmap(observed))
        self._stepped = jax.jit(jax.vmap(lambda state, action: stepped(self._env, state, action)))
        self._state: Any = None

    def reset(self, seeds: Sequence[int]) -> np.ndarray:
        """See `VectorEnv`."""
        self._state = self._begun(np.asarray(seeds, np.int32))
        return self._observations()

    def step(self, live: np.ndarray, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """See `VectorEnv`. All environments are stepped, so that the program's shapes never change."""
        whole = np.zeros((len(self._state.reward), *actions.shape[1:]), np.float32)
        whole[live] = actions
        self._state = self._stepped(self._state, whole)
        rewards, done = (np.asarray(x) for x in (self._state.reward, self._state.done))
        return self._observations()[live], rewards[live].astype(np.float64), done[live] != 0

    def render(self) -> np.ndarray | None:
        """See `VectorEnv`: by the environment's own `render`, where it has one for Brax's states."""
        if not hasattr(self._env, "render") or not hasattr(self._state, "pipeline_state"):
            return None
        first = jax.tree.map(lambda leaf: np.asarray(leaf[0]), self._state.pipeline_state)
        return np.asarray(self._env.render([first])[0])

    def close(self) -> None:
        """Drops the states."""
        self._state = None

    def _observations(self) -> np.ndarray:
        seen = np.array(self._seen(self._state))
        return seen if seen.dtype == np.uint8 else seen.astype(np.float32)
