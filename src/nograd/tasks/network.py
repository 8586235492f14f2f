"""A trained network with what stands before and behind it, as one function that other programs can be given."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from nograd.core.runtime import in_64_bits
from nograd.core.trees import leaf_names
from nograd.core.types import Params, PyTree
from nograd.data import ArrayEncoding, encoding_from_json
from nograd.envs.spaces import Action, Observation
from nograd.models import Model
from nograd.tasks.examples import model_input
from nograd.tasks.targets import Targets


class Network(NamedTuple):
    """What `nograd export` and `run.to` hand over."""

    params: Params  # of the model alone
    context: Mapping[str, np.ndarray]  # what a policy reads beside them, by name
    shape: tuple[int, ...]  # of one example, as the model's data have it
    outputs: int  # how many the model has
    input_shape: tuple[int, ...]  # of one example, as `answers` takes it
    dtype: str  # of the same: float64 for the columns of a table, which float32 could not tell apart
    answers: Callable[[Array], dict[str, Array]]  # [examples, *input_shape] -> what is predicted, by name
    about: dict[str, Any]  # what the inputs and the answers are, of JSON types
    record: Mapping[str, Any]  # the "data" of config.json

    @property
    def wide(self) -> bool:
        """Whether `answers` computes in 64 bits before and behind the network."""
        return self.dtype == "float64"


def named_arrays(tree: PyTree) -> dict[str, np.ndarray]:
    """The leaves of a tree by their paths."""
    return dict(zip(leaf_names(tree), map(np.asarray, jax.tree.leaves(tree)), strict=True))


def network_of_examples(model: Model, params: Params, targets: Targets, data: Mapping[str, Any]) -> Network:
    """The network of a run on examples: the encoding of the inputs before it, the meaning of the outputs behind it.

    Args:
        data: the "data" of config.json.
    """
    encoding = encoding_from_json(data["encoding"]) if data.get("encoding") else None
    offset, scale = (np.asarray(data[name], np.float32) for name in ("offset", "scale"))
    shape = input_shape = tuple(data["input_shape"])
    table = None if encoding is None or isinstance(encoding, ArrayEncoding) else encoding
    about: dict[str, Any] = {"input": "examples in the unit of the training data"}
    if table is not None:
        numbers = table.numbers()
        input_shape, about = (len(numbers),), {"input": "a row an example", "columns": numbers}
    explained = getattr(targets, "answers", lambda outputs: {"outputs": outputs})

    def answers(x: Array) -> dict[str, Array]:
        features = x if table is None else table.features_of(x, jnp)
        with in_64_bits(False):  # as it was trained
            outputs = model.apply(params, model_input(features, jnp.asarray(offset), jnp.asarray(scale)))
        return explained(outputs)

    if target := data.get("target"):
        about |= {"classes": target["classes"]} if target["classes"] else {"targets": target["names"]}
    dtype = "float32" if table is None else "float64"
    outputs = jax.eval_shape(model.apply, params, jax.ShapeDtypeStruct((1, *shape), jnp.float32)).shape[-1]
    return Network(params, {}, shape, outputs, input_shape, dtype, answers, about, data)


def network_of_policy(
    params: Params, context: PyTree, action: Action, observation: Observation, outputs: int,
    act: Callable[[Array], Array], record: Mapping[str, Any],
) -> Network:  # fmt: skip
    """The policy of a run on an environment: observations in, actions out.

    Args:
        outputs: how many the network has.
        act: observations [batch, *shape] -> what is chosen by the network's outputs.
        record: the "data" of config.json.
    """

    def answers(x: Array) -> dict[str, Array]:
        return {"action": _final(action, act(x))}

    names = list(observation.names)
    about = {"input": f"observations: {observation.text}", "observations": names, "actions": action.text}
    dtype = "int32" if observation.states else "float32"
    shape = observation.input_shape
    taken = () if observation.states else observation.shape
    return Network(params, named_arrays(context), shape, outputs, taken, dtype, answers, about, record)


def _final(action: Action, chosen: Array) -> Array:
    """What is chosen as an action of the environment; of nested spaces all components in one line, choices from 0."""
    if action.kind == "nested":
        return chosen
    (leaf,) = action.parts
    if leaf.kind != "box":
        return chosen + jnp.asarray(np.array(leaf.starts or (0,) * leaf.size).reshape(leaf.shape), chosen.dtype)
    sides = ((leaf.low, -np.inf), (leaf.high, np.inf))
    low, high = (
        np.array([free if bound is None else bound for bound in bounds], np.float32).reshape(leaf.shape)
        for bounds, free in sides
    )
    whole = np.dtype(leaf.dtype).kind != "f"
    return jnp.clip(jnp.round(chosen) if whole else chosen, low, high)
