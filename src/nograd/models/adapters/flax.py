"""Flax models, unmodified: Linen and NNX modules."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

from nograd.core.types import ModelError, Params
from nograd.models.adapters.base import is_of
from nograd.models.adapters.flax_linen import linen_model
from nograd.models.adapters.flax_linen import write as write_linen
from nograd.models.adapters.flax_nnx import nnx_model
from nograd.models.adapters.flax_nnx import write as write_nnx
from nograd.models.base import Builder, Model, Shape


def from_flax(
    module: Any, example: Any = None, *, frozen: bool = False, carry: Any = None, **call_arguments: Any
) -> Model | Builder:
    """A `Model` of a Flax module; a `Builder` for a Linen module without an example, whose shape the data give.

    Args:
        module: a Linen module, whose parameters `init(key)` draws, or a bound one (`module.bind(variables)`), whose
            variables it starts from; an NNX module, whose own values `init` returns whatever the key; or a function
            rngs -> NNX module, which `init(key)` calls with `nnx.Rngs(key)`.
        example: a batch of any size, [1, *features]. Where it is given, the data are brought to its shape (28×28
            images to 784 numbers) and its type (to whole numbers, for an embedding).
        frozen: run the module in inference mode: dropout off, batch norm with its stored statistics, all other
            state as it was.
        carry: what one sequence carries before its first step, a tree of arrays. Then the module is one with memory:
            it is called as `module(carry, x)` for one step of a batch, leaves [batch, …], and returns (outputs, carry).
        call_arguments: for each call of the module, such as `train=False`.

    Returns:
        Parameters are Linen's own nested dictionary, or {path: array} of the `nnx.Param` of an NNX module.

    Raises:
        ModelError: the module has dropout, batch norm or any other state and is not frozen; or it fails.
    """
    if is_of(module, "flax.linen", "Module"):
        return _from_linen(module, example, frozen, carry, call_arguments)
    if is_of(module, "flax.nnx", "Module") or _is_function(module):
        return nnx_model(module, example, frozen, carry, call_arguments)
    raise ModelError(
        f"from_flax takes a Linen module, an NNX module or a function rngs -> NNX module, got {type(module).__name__}"
    )


def write(module: Any, params: Params, shape: Shape) -> Any:
    """An NNX module itself, its `nnx.Param`s set to these values; of a Linen module, which holds none, variables.

    Returns:
        The NNX module; or `{"params": …}` for `module.apply`, with a bound module's other collections.
    Raises:
        ModelError: it has other parameters than the one that was trained; then nothing is written.
    """
    kind = write_linen if is_of(module, "flax.linen", "Module") else write_nnx
    return kind(module, params, shape)


def _from_linen(module: Any, example: Any, frozen: bool, carry: Any, call: dict[str, Any]) -> Model | Builder:
    if example is not None:
        return linen_model(module, jnp.asarray(example), frozen, carry, call)

    def build(shape: Shape, classes: int) -> Model:
        return linen_model(module, jnp.zeros((1, *shape), jnp.float32), frozen, carry, call)

    return Builder(None, build, of_steps=carry is not None)


def _is_function(candidate: Callable[..., Any] | Any) -> bool:
    """A function, or the class of an NNX module; a Linen class is a slip for an instance of it."""
    if isinstance(candidate, type):
        return any(base.__module__.startswith("flax.nnx.") for base in candidate.__mro__)
    return callable(candidate)
