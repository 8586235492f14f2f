"""NNX modules as models: their `nnx.Param` in, outputs out."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from nograd.core.types import Key, ModelError, Params
from nograd.models.adapters.base import conform, draw, fitted, is_of, library, named, refusal
from nograd.models.base import Model, Shape


def nnx_model(module: Any, example: Any, frozen: bool, carry: Any, call: dict[str, Any]) -> Model:
    """The `Model` of an NNX module or of a function rngs -> NNX module; see `from_flax`."""
    nnx = library("flax.nnx")
    prototype = _prototype(module, frozen)

    is_trained = _filter(nnx)
    graph, params, constants, state = nnx.split(prototype, is_trained, nnx.Param, ...)
    if not frozen:
        _check(state)
    naming = named(params)

    def init(key: Key) -> Params:
        if is_of(module, "flax.nnx", "Module"):
            return naming.arrays(params)
        drawn = draw(module, "rngs", nnx.Rngs(key))
        return naming.arrays(nnx.split(drawn, is_trained, ...)[1])

    def apply(arrays: Params, *given: Any) -> Any:
        *carried, x = given
        if example is not None:
            x = conform(x, jnp.shape(example)[1:], jnp.asarray(example).dtype)
        # Merging makes variables of its own, so that what a call writes is dropped with them.
        return nnx.merge(graph, naming.tree(arrays), constants, state)(*carried, x, **call)

    return Model(init, apply, initial_carry=None if carry is None else lambda: carry)


def write(module: Any, params: Params, shape: Shape) -> Any:
    """The NNX module itself with these values; see `write` of `flax`."""
    nnx = library("flax.nnx")
    own = nnx.split(module, _filter(nnx), ...)[1]
    naming = named(own)
    values = fitted(naming.arrays(own), params, f"the NNX module {type(module).__name__}")
    nnx.update(module, naming.tree({name: jnp.asarray(value) for name, value in values.items()}))
    return module


def _filter(nnx: Any) -> Callable[[Any, Any], bool]:
    """Which variables are trained: parameters of floating-point numbers."""

    def is_trained(path: Any, variable: Any) -> bool:
        (value,) = jax.tree.leaves(variable)
        return issubclass(variable.type, nnx.Param) and jnp.issubdtype(value.dtype, jnp.floating)

    return is_trained


def _prototype(module: Any, frozen: bool) -> Any:
    """A copy of the module, or one that the function makes, as it is trained. Raises ModelError."""
    nnx = library("flax.nnx")
    prototype = nnx.clone(module) if is_of(module, "flax.nnx", "Module") else draw(module, "rngs", nnx.Rngs(0))
    if not is_of(prototype, "flax.nnx", "Module"):
        raise ModelError(f"from_flax needs a function rngs -> NNX module, got one to {type(prototype).__name__}")
    if frozen:
        prototype.eval()
    return prototype


def _check(state: Any) -> None:
    """Raises ModelError where an NNX module has variables that are no parameters."""
    nnx = library("flax.nnx")
    for path, variable in nnx.to_flat_state(state):
        layer = "/".join(map(str, _layer(path)))
        kind = variable.type.__name__
        random = issubclass(variable.type, nnx.RngState)
        raise refusal(layer or str(path[0]), "draws random numbers" if random else f"keeps state ({kind})")


def _layer(path: tuple[Any, ...]) -> tuple[Any, ...]:
    """The path of the layer that a variable belongs to: a dropout keeps its key under `rngs`."""
    return path[: path.index("rngs")] if "rngs" in path else path[:-1]
