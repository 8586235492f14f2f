"""Equinox models, unmodified."""

import inspect
from typing import Any

import jax
import jax.numpy as jnp

from nograd.core.types import Key, ModelError, Params, PyTree
from nograd.models.adapters.base import conform, draw, fitted, is_of, library, named, one_line, refusal
from nograd.models.base import Model, Shape


def from_equinox(module_or_factory: Any, *, example: Any = None, frozen: bool = False, carry: Any = None) -> Model:
    """A `Model` of an Equinox module: the module acts on one example, the model on a batch of them.

    Args:
        module_or_factory: a module, whose own values `init` returns whatever the key; a function key -> module,
            which `init(key)` calls; or for either a pair (module, state) of `eqx.nn.make_with_state`.
        example: a batch of any size, [1, *features]. Where it is given, the data are brought to its shape (28×28
            images to 784 numbers) and its type (to whole numbers, for an embedding).
        frozen: run the module in inference mode: dropout off, batch norm with its stored statistics.
        carry: what one sequence carries before its first step, a tree of arrays. Then the module is one with memory:
            it is called as `module(carry, x)` for one step of one sequence, and returns (outputs, carry).

    Returns:
        Parameters are {path: array} of the module's arrays of floats. Everything else is constant.

    Raises:
        ModelError: the module has dropout, batch norm or any other state and is not frozen.
    """
    eqx = library("equinox")
    given = _is_module(module_or_factory) or isinstance(module_or_factory, tuple)
    made = module_or_factory if given else draw(module_or_factory, "key", jax.random.key(0))
    module, state = _with_state(eqx, made)
    if not frozen:
        _check(eqx, module)
    params, static = eqx.partition(eqx.nn.inference_mode(module) if frozen else module, eqx.is_inexact_array)
    naming = named(params)
    keyless = {"key": None} if _needs_key(module) else {}

    def init(key: Key) -> Params:
        if given:
            return naming.arrays(params)
        drawn, _ = _with_state(eqx, draw(module_or_factory, "key", key))
        return naming.arrays(eqx.filter(drawn, eqx.is_inexact_array))

    def apply(arrays: Params, *given: Any) -> Any:
        *carried, x = given
        if example is not None:
            x = conform(x, jnp.shape(example)[1:], jnp.asarray(example).dtype)
        network = eqx.combine(naming.tree(arrays), static)
        if state is None:
            return jax.vmap(lambda *row: network(*row, **keyless))(*carried, x)
        # A copy, because Equinox lets a state be used once; what the call writes is dropped.
        copy = jax.tree.map(lambda leaf: leaf, state)
        return jax.vmap(lambda *row: network(*row, copy, **keyless)[0])(*carried, x)

    return Model(init, apply, initial_carry=None if carry is None else lambda: carry)


def write(module: Any, params: Params, shape: Shape) -> Any:
    """A new Equinox module with these arrays of floats: modules do not change. Of a pair (module, state) a new pair.

    Raises:
        ModelError: it has other arrays than the one that was trained.
    """
    eqx = library("equinox")
    network, state = _with_state(eqx, module)
    arrays, static = eqx.partition(network, eqx.is_inexact_array)
    naming = named(arrays)
    values = fitted(naming.arrays(arrays), params, f"the Equinox module {type(network).__name__}")
    written = eqx.combine(naming.tree({name: jnp.asarray(value) for name, value in values.items()}), static)
    return written if state is None else (written, state)


def _is_module(candidate: Any) -> bool:
    return is_of(candidate, "equinox", "Module")


def _with_state(eqx: Any, made: Any) -> tuple[Any, Any]:
    """(module, its state or None). The state of a module that still holds its own is taken out of it."""
    module, state = made if isinstance(made, tuple) else (made, None)
    if not _is_module(module):
        raise ModelError(
            f"from_equinox takes an Equinox module, a pair (module, state) or a function key -> module, "
            f"got {type(module).__name__}"
        )
    if state is None and _layers(module, eqx.nn.StateIndex):
        with one_line("the module's state is not in it; pass the pair (module, state) of eqx.nn.make_with_state"):
            return eqx.nn.delete_init_state(module), eqx.nn.State(module)
    return module, state


def _check(eqx: Any, module: Any) -> None:
    """Raises ModelError for layers with state or randomness."""
    for path, _ in _layers(module, eqx.nn.StateIndex):
        raise refusal("/".join(path.split("/")[:-1]) or type(module).__name__, "keeps state")
    for path, layer in _layers(module, eqx.nn.Dropout):
        if not layer.inference and not (isinstance(layer.p, int | float) and layer.p == 0):
            raise refusal(path or type(module).__name__, "draws random numbers")
    if _needs_key(module):
        raise refusal(type(module).__name__, "is called with a random key")


def _layers(module: PyTree, kind: type) -> list[tuple[str, Any]]:
    """The paths and nodes of a kind."""

    def is_kind(node: Any) -> bool:
        return isinstance(node, kind)

    leaves = jax.tree.leaves(module, is_leaf=is_kind)
    paths, _ = jax.tree_util.tree_flatten_with_path(module, is_leaf=is_kind)
    names = [jax.tree_util.keystr(path, simple=True, separator="/") for path, _ in paths]
    return [(name, leaf) for name, leaf in zip(names, leaves, strict=True) if is_kind(leaf)]


def _needs_key(module: Any) -> bool:
    key = inspect.signature(type(module).__call__).parameters.get("key")
    return key is not None and key.default is inspect.Parameter.empty
