"""Keras 3 models on its JAX backend, unmodified."""

import inspect
import re
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from nograd.core.types import Key, ModelError, Params
from nograd.models.adapters.base import conform, fitted, is_of, library, one_line, refusal
from nograd.models.base import Builder, Model, Shape


def from_keras(model: Any, *, frozen: bool = False) -> Model | Builder:
    """A `Model` of a Keras model; a `Builder` for one without an input shape, which the data then give.

    The network is called as `model(x)` calls it, in inference mode. Where its last layer is a softmax, its outputs p
    are returned as log max(p, tiny): a model here returns logits, a fitness applies softmax to them, and
    softmax(log p) = p. A softmax within a subclassed model's own `call` cannot be seen: let that return logits.
    Data of another shape but the size of `model.input_shape` are reshaped: 28×28 images to 784 numbers.

    Args:
        model: a built Sequential or functional model, or any other. `init` returns its own values whatever the
            key; `keras.utils.set_random_seed` before it is made fixes them.
        frozen: accept layers with state: dropout off, batch norm with its stored statistics.

    Returns:
        Parameters are {path: array} of the trainable variables; names that Keras numbers are numbered within the
        model, so that the same code gives the same paths. Everything else is constant.

    Raises:
        ModelError: the model writes state in training (dropout, batch norm) and is not frozen; it has several
            inputs or outputs; or Keras runs on another backend than JAX.
    """
    keras = _keras()
    if not is_of(model, "keras", "Model"):
        raise ModelError(f"from_keras takes a keras.Model, got {type(model).__name__}")
    shape = _input_shape(model)
    if shape is not None and None not in shape:
        return _model(keras, model, shape, frozen)
    return Builder(None, lambda data, classes: _model(keras, model, data, frozen), source=model)


def write(model: Any, params: Params, shape: Shape) -> Any:
    """The Keras model itself, its trainable variables set to these values. On any backend of Keras.

    Raises:
        ModelError: it has other variables than the one that was trained; then nothing is written.
    """
    if not model.built:
        with one_line(f"the Keras model {model.name!r} fails on examples of shape {shape}"):
            model(np.zeros((1, *shape), np.float32))
    variables = model.trainable_variables
    own = dict(zip(own_names([variable.path for variable in variables]), variables, strict=True))
    forms = {name: jax.ShapeDtypeStruct(variable.shape, variable.dtype) for name, variable in own.items()}
    values = fitted(forms, params, f"the Keras model {model.name!r}")
    for name, variable in own.items():
        if not isinstance(values[name], jax.ShapeDtypeStruct):  # else it was held still
            variable.assign(np.asarray(values[name]))
    return model


def _keras() -> Any:
    """Keras. Raises ModelError where it is missing or runs on another backend."""
    keras = library("keras")
    if keras.backend.backend() != "jax":
        raise ModelError(
            f"Keras runs on {keras.backend.backend()}; set KERAS_BACKEND=jax in the environment, "
            "before keras is imported"
        )
    return keras


def _input_shape(model: Any) -> tuple[int | None, ...] | None:
    """The shape of one example, None where the model has none yet (or is subclassed)."""
    shape = getattr(model, "input_shape", None) if model.built else None
    if isinstance(shape, list | dict) or (shape and not isinstance(shape[0], int | None)):
        raise ModelError(f"the Keras model {model.name!r} has {len(shape)} inputs; nograd passes one array")
    return None if shape is None else tuple(shape[1:])


def _model(keras: Any, model: Any, shape: tuple[Any, ...], frozen: bool) -> Model:
    example = jax.ShapeDtypeStruct((1, *shape), _dtype(model))
    with one_line(f"the Keras model {model.name!r} fails on examples of shape {shape}"):
        if not model.built:
            model(jnp.zeros(example.shape, example.dtype))
        if not frozen:
            _check(model, example)
    trained, constants = model.trainable_variables, [v.value for v in model.non_trainable_variables]
    names = own_names([variable.path for variable in trained])
    values = {name: jnp.asarray(variable.value) for name, variable in zip(names, trained, strict=True)}
    is_softmax = _ends_in_softmax(keras, model)

    def init(key: Key) -> Params:
        return values

    def apply(params: Params, x: Array) -> Any:
        x = conform(x, shape, example.dtype)
        outputs, _ = _call(model, [params[name] for name in names], constants, x, training=False)
        return _log(outputs) if is_softmax else outputs

    return Model(init, apply, source=model)


def _dtype(model: Any) -> Any:
    """The type of the model's input: whole numbers for an embedding that says so."""
    inputs = getattr(model, "inputs", None)
    return jnp.dtype(inputs[0].dtype) if inputs else jnp.dtype(jnp.float32)


def _call(model: Any, trained: list[Array], others: list[Array], x: Array, training: bool) -> tuple[Any, list[Array]]:
    """(outputs, the non-trainable variables afterwards) of one call that changes nothing in the model itself."""
    names = inspect.signature(model.call).parameters
    return model.stateless_call(trained, others, x, **({"training": training} if "training" in names else {}))


def _check(model: Any, example: jax.ShapeDtypeStruct) -> None:
    """Raises ModelError for a layer whose variables a call in training mode writes, the keys of dropout among them."""
    variables = model.non_trainable_variables
    written: list[Any] = []

    def call(trained: list[Array], others: list[Array], x: Array) -> Any:
        outputs, after = _call(model, trained, others, x, training=True)
        written.extend(v for v, old, new in zip(variables, others, after, strict=True) if new is not old)
        return outputs

    for path, layer in _layers(model):
        if getattr(layer, "stateful", False):  # a recurrent layer, whose carry Keras keeps from these variables
            raise refusal(path, "keeps state (its carry)")
    arrays = ([v.value for v in group] for group in (model.trainable_variables, variables))
    jax.eval_shape(call, *arrays, example)
    for variable in written:
        name = variable.path.rpartition("/")[2]
        reason = "draws random numbers" if name.startswith("seed_generator") else f"keeps state ({name})"
        raise refusal(_owner(model, variable), reason)


def _layers(model: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """(path, layer) of all layers of a model and of the models in it, the outer ones first."""
    for layer in getattr(model, "layers", ()):
        yield path + layer.name, layer
        yield from _layers(layer, f"{path}{layer.name}/")


def _owner(model: Any, variable: Any) -> str:
    """The path of the innermost layer that holds a variable; the path of a seed does not say it."""
    owners = [path for path, layer in _layers(model) if any(variable is own for own in layer.variables)]
    return max(owners, key=len, default=model.name)


def _ends_in_softmax(keras: Any, model: Any) -> bool:
    """Whether the last layer is a softmax, or has one as its activation."""
    layers = getattr(model, "operations", None) or getattr(model, "layers", None)
    if not layers or not hasattr(model, "outputs"):
        return False
    last = layers[-1]
    if is_of(last, "keras", "Model"):
        return _ends_in_softmax(keras, last)
    return type(last).__name__ == "Softmax" or getattr(last, "activation", None) is keras.activations.softmax


def _log(probabilities: Array) -> Array:
    """log max(p, tiny), whose softmax is p."""
    p = probabilities.astype(jnp.float32)
    return jnp.log(jnp.maximum(p, jnp.finfo(jnp.float32).tiny))


def own_names(paths: list[str]) -> list[str]:
    """Paths with Keras's own numbers replaced: it counts layers over the whole program, here over the model.

    `sequential_3/dense_7/kernel` and `sequential_3/dense_8/kernel` become `dense/kernel` and `dense_1/kernel`, so
    that a checkpoint fits the model that the same code makes another time.
    """
    split = [path.split("/") for path in paths]
    if len({parts[0] for parts in split if len(parts) > 1}) == 1 and all(len(parts) > 2 for parts in split):
        split = [parts[1:] for parts in split]  # the model's own name
    renamed: dict[tuple[str, ...], str] = {}  # the first parts of a path as Keras has them → as they are here
    taken: set[str] = set()
    for parts in split:
        for depth in range(1, len(parts) + 1):
            prefix = tuple(parts[:depth])
            if prefix not in renamed:
                parent = renamed[prefix[:-1]] + "/" if depth > 1 else ""
                renamed[prefix] = _free(parent + re.sub(r"_\d+$", "", prefix[-1]), taken)
    names: list[str] = []
    for parts in split:  # Keras lets two layers of one name live side by side in a subclassed model
        name = renamed[tuple(parts)]
        names.append(_free(name, taken) if name in names else name)
    return names


def _free(name: str, taken: set[str]) -> str:
    """The name, or the first of name_1, name_2, … that is not taken."""
    number = 0
    while (candidate := f"{name}_{number}" if number else name) in taken:
        number += 1
    taken.add(candidate)
    return candidate
