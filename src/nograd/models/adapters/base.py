"""Recognises models of other libraries, and holds what their adapters have in common.

An adapter is a module with two functions: `from_NAME(model) -> Model`, and
`write(model, params, shape) -> model`, which puts parameters into a model of its library.
"""

import inspect
import math
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array

from nograd.core.trees import leaf_names, plain_names
from nograd.core.types import ModelError, NogradError, Params, PyTree
from nograd.models.base import Builder, Model, Shape

_ADAPTERS = {
    ("flax", "Module"): ("nograd.models.adapters.flax", "from_flax"),
    ("equinox", "Module"): ("nograd.models.adapters.equinox", "from_equinox"),
    ("keras", "Model"): ("nograd.models.adapters.keras", "from_keras"),
    ("torch", "Module"): ("nograd.models.adapters.torch", "from_torch"),
}


def adopt(candidate: Any) -> Model | Builder | None:
    """The `Model` of another library's model, by `from_flax`, `from_equinox`, `from_keras` or `from_torch`; else None.

    A `Model` and a `Builder` are returned as they are, an Equinox pair (module, state) goes with its module. The
    classes are told by the names of their modules, so that nothing is imported for a model that is not there.

    Raises:
        ModelError: a model of these libraries that cannot be trained as it is, such as one with dropout.
    """
    if isinstance(candidate, Model | Builder):
        return candidate
    module = candidate[0] if isinstance(candidate, tuple) and len(candidate) == 2 else candidate
    for (library, name), (home, adapter) in _ADAPTERS.items():
        if is_of(module, library, name):
            return getattr(import_module(home), adapter)(candidate)
    return None


def write(candidate: Any, params: Params, shape: Shape) -> Any:
    """A model of another library with these parameters: see `write` of its adapter.

    Args:
        candidate: a model of Flax, Equinox, Keras or PyTorch, of the form that was trained.
        params: of the `Model` that `adopt` makes of it.
        shape: of one example that it was trained on.
    Raises:
        ModelError: it is of none of these libraries, or its parameters have other names or shapes.
    """
    module = candidate[0] if isinstance(candidate, tuple) and len(candidate) == 2 else candidate
    for (library, name), (home, _) in _ADAPTERS.items():
        if is_of(module, library, name):
            return import_module(home).write(candidate, params, shape)
    libraries = ", ".join(dict.fromkeys(name.capitalize() for name, _ in _ADAPTERS))
    raise ModelError(
        f"parameters can be written into a model of {libraries}, got {type(candidate).__name__}; "
        "give the model object that was trained, or one like it"
    )


def source_of(candidate: Any, shape: Shape, outputs: int) -> Any:
    """The object of another library behind a network, so that it can be written into; None where there is none.

    Args:
        candidate: such an object, what an adapter made of it, or a function of (shape, outputs) that returns either.
        shape: of one example.
        outputs: of the network.
    """
    for _ in range(2):
        if isinstance(candidate, Model | Builder):
            return candidate.source
        if any(is_of(candidate, library, name) for library, name in _ADAPTERS) or not callable(candidate):
            return candidate
        candidate = candidate(shape, outputs)
    return candidate


def fitted(own: PyTree, params: Params, what: str) -> PyTree:
    """The trained parameters in the tree structure of a model; constants of the training keep the model's own values.

    Args:
        own: the parameters of a model, or their shapes, as its `Model` has them.
        params: the trained ones: None stands in place of each that was a constant.
        what: names the model in errors.
    Raises:
        ModelError: a name or a shape differs; the line says the first.
    """
    trained = _by_name(params)
    held = _by_name(jax.tree.map(lambda leaf: 0, params, is_leaf=lambda leaf: leaf is None)).keys() - trained.keys()
    wanted = _by_name(own)
    names = [*wanted, *(name for name in trained if name not in wanted)]
    for name, shown in zip(names, plain_names(names), strict=True):
        there = _form(trained[name]) if name in trained else "missing"
        here = _form(wanted[name]) if name in wanted else "missing"
        if there != here and not (name in wanted and name in held):
            raise ModelError(
                f"{what} is another model than the one that was trained: parameter {shown!r} is {there} in the run and "
                f"{here} in the model; give a model like the trained one"
            )
    return jax.tree.unflatten(jax.tree.structure(own), [trained.get(name, leaf) for name, leaf in wanted.items()])


def _by_name(tree: PyTree) -> dict[str, Any]:
    return dict(zip(leaf_names(tree), jax.tree.leaves(tree), strict=True))


def _form(array: Any) -> str:
    return f"{np.dtype(array.dtype)}{list(array.shape)}"


def is_of(candidate: Any, package: str, name: str) -> bool:
    """Whether an object's class descends from a class of this name that is defined in this package."""
    return any(
        cls.__name__ == name and (cls.__module__ + ".").startswith(package + ".") for cls in type(candidate).__mro__
    )


def library(name: str) -> Any:
    """The module of this name. Raises ModelError with the install line where it is not installed."""
    root = name.partition(".")[0]
    try:
        return import_module(name)
    except ImportError as error:
        raise ModelError(f"from_{root} needs {root}, which cannot be imported ({error}); {_INSTALL[root]}") from error


_INSTALL = {
    "flax": "pip install 'nograd[flax]'",
    "equinox": "pip install 'nograd[equinox]'",
    "keras": "pip install 'nograd[keras]' and set KERAS_BACKEND=jax",
    "torch": "pip install 'nograd[torch]'",
}


def refusal(layer: str, reason: str) -> ModelError:
    """The error for a layer that keeps or draws what ES does not train."""
    return ModelError(
        f"layer {layer!r} {reason}, and ES trains parameters only; pass frozen=True (inference mode: dropout off, "
        "stored statistics stay as they are), or use a norm without state such as LayerNorm or GroupNorm"
    )


@contextmanager
def one_line(what: str) -> Iterator[None]:
    """A context in which any error becomes a ModelError of one line that begins with `what`."""
    try:
        yield
    except NogradError:
        raise
    except Exception as error:
        raise ModelError(f"{what}: {summary(error)}") from error


def summary(error: Exception) -> str:
    """The first line of an error's text that says something; Keras says which call failed first, then why."""
    lines = [re.sub(r"\x1b\[\d*m", "", line).strip() for line in str(error).splitlines()]
    told = [line for line in lines if line] or [type(error).__name__]
    return " ".join(told[: 2 if told[0].startswith("Exception encountered when calling") else 1])


def draw(factory: Callable[..., Any], argument: str, value: Any) -> Any:
    """factory(value); by keyword where the factory names the argument, as a module's class does."""
    with one_line(f"the function from {argument} to a module fails"):
        # Of a class its __init__: a metaclass may hide the arguments.
        called: Any = vars(factory).get("__init__", factory) if isinstance(factory, type) else factory
        names = inspect.signature(called).parameters
        return factory(**{argument: value}) if argument in names else factory(value)


def conform(x: Array, shape: Shape | None, dtype: Any) -> Array:
    """The batch in a model's own shape and type: 28×28 images as 784 numbers, floats as token numbers.

    Args:
        x: [batch, *features] of the data.
        shape: the features that the model expects; another number of them is left for the model to refuse.
        dtype: of the model's example; an integer type is cast to, and so is a floating one.
    """
    if shape is not None and x.shape[1:] != shape and math.prod(x.shape[1:]) == math.prod(shape):
        x = x.reshape(x.shape[0], *shape)
    return x.astype(dtype)


class Named(NamedTuple):
    """A tree of another library's own classes as a plain dictionary from path to array, and the way back."""

    names: list[str]
    structure: Any

    def arrays(self, tree: PyTree) -> dict[str, Array]:
        """`{"layers/0/weight": array, …}` of a tree of this structure."""
        return dict(zip(self.names, jax.tree.leaves(tree), strict=True))

    def tree(self, arrays: dict[str, Array]) -> PyTree:
        """The tree of these arrays."""
        return jax.tree.unflatten(self.structure, [arrays[name] for name in self.names])


def named(tree: PyTree) -> Named:
    """The names and the structure of a tree.

    Checkpoints and update rules then see dictionaries only: the structure of a module may hold functions, which
    are equal to nothing but themselves. NNX keeps each array under a key `value`, which is left out where that leaves
    all names different.
    """
    names = leaf_names(tree)
    short = [name.removesuffix("/value") for name in names]
    return Named(short if len(set(short)) == len(names) else names, jax.tree.structure(tree))
