"""Beginning with given parameters: of a run, of a file, or of the caller."""

import hashlib
import os
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from nograd.config.settings import TrainConfig
from nograd.config.task_settings import is_objective
from nograd.core.trees import leaf_names, plain_names, shown_names
from nograd.core.types import ConfigError, Params, PyTree
from nograd.generation.context import Context, Policy
from nograd.runs.parameters import NamedParameters, read_parameters
from nograd.runs.run import Run
from nograd.tasks.base import Task
from nograd.tasks.carried import MOMENTS


class Initial(NamedTuple):
    """Given parameters that fit the network of a training."""

    params: Params
    context: Context | None  # arrays that a policy needs besides its parameters
    origin: str  # the path of their file
    sha256: str  # their checksum

    def record(self) -> dict[str, Any]:
        """The entry "init" of config.json."""
        return {"from": self.origin, "sha256": self.sha256}


def initial_of(config: TrainConfig, given: Any, task: Task) -> Initial | None:
    """The parameters with which a training begins; None if they are drawn at random.

    Args:
        config: the settings; `init` is a path.
        given: in place of that path, a tree of arrays, or the `params` of a run on an environment.
        task: the task, with the network.
    Raises:
        ConfigError: they do not fit this network; the message names the first parameter that differs.
        RunError: the file cannot be read.
    """
    if given is None and config.init is None:
        return None
    if is_objective(config.task):
        raise ConfigError("init is for the parameters of a network, and this is a function; begin at another x0")
    found = read_parameters(str(config.init)) if given is None else _of_tree(given)
    params = _fitted(jax.eval_shape(task.model.init, jax.eval_shape(lambda: jax.random.key(0))), found)
    return Initial(params, _carried(task, found), found.origin, found.sha256)


def begun_with(given: Mapping[str, Any]) -> tuple[dict[str, Any], Any]:
    """Separates `init`: (settings with it as a path, None), or (settings without it, the tree of parameters)."""
    init = given.get("init")
    rest = {name: value for name, value in given.items() if name != "init"}
    if isinstance(init, Run):
        init = init.path
    return (rest | {"init": str(init)}, None) if isinstance(init, str | os.PathLike) else (rest, init)


def begin(task: Task, search: Any, initial: Initial | None) -> Any:
    """The state of generation 0; what was given besides the parameters is put into it."""
    state = task.begin(search)
    if initial is None or initial.context is None:
        return state
    return task.with_context(state, initial.context)  # type: ignore[attr-defined]


def _of_tree(given: Any) -> NamedParameters:
    """The parameters and arrays in a tree that the caller gave."""
    params, context = (given.params, given.context) if isinstance(given, Policy) else (given, ())
    arrays, beside = _named(params), _named(context)
    digest = hashlib.sha256()
    for name, array in (*sorted(arrays.items()), *sorted(beside.items())):
        digest.update(f"{name} {array.dtype} {array.shape}\n".encode())
        digest.update(array.tobytes())
    return NamedParameters(arrays, beside, "(a Python object)", digest.hexdigest())


def _named(tree: PyTree) -> dict[str, np.ndarray]:
    return dict(zip(leaf_names(tree), map(np.asarray, jax.tree.leaves(tree)), strict=True))


def _fitted(like: PyTree, found: NamedParameters) -> Params:
    """The parameters as a tree like `like`. Raises ConfigError for the first parameter that differs."""
    names, leaves = shown_names(like), jax.tree.leaves(like)
    arrays = dict(zip(plain_names(list(found.arrays)), found.arrays.values(), strict=True))
    wanted = {name: _form(leaf) for name, leaf in zip(names, leaves, strict=True)}
    have = {name: _form(array) for name, array in arrays.items()}
    for name in (*names, *sorted(have.keys() - wanted.keys())):
        there, here = have.get(name, "missing"), wanted.get(name, "missing")
        if there != here:
            raise ConfigError(
                f"init {found.origin} does not fit this network: parameter {name!r} is {there} there and {here} here; "
                "give the --model that they are of, or other parameters"
            )
    return jax.tree.unflatten(jax.tree.structure(like), [jnp.asarray(arrays[name]) for name in names])


def _form(array: Any) -> str:
    return f"{np.dtype(array.dtype)}{list(array.shape)}"


def _carried(task: Task, found: NamedParameters) -> Context | None:
    """The context for these parameters. Raises ConfigError if the network would get other observations than before."""
    carried = getattr(task, "carried", None)
    if carried is not None:
        return carried(found.context, found.origin)
    if _has_moments(found.context):
        raise ConfigError(
            f"init {found.origin} was trained on normalized observations of an environment, and this task has none; "
            "give other parameters"
        )
    return None


def _has_moments(context: Mapping[str, Any]) -> bool:
    return any(name.startswith(MOMENTS) for name in context)
