"""Turns what a user gives as the model into a `Model` that fits the data."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from nograd.core.precision import as_floats, is_real, widened
from nograd.core.trees import shown_names
from nograd.core.types import ModelError, NogradError, Params
from nograd.models.adapters.base import adopt, summary
from nograd.models.base import Builder, Model, Shape
from nograd.models.constants import without_constants
from nograd.models.memory import carry_of, check_step, over_time


def build_model(model: Model | Builder | Callable[[Shape, int], Any] | Any, shape: Shape, classes: int) -> Model:
    """A `Model` as it is, a builder for this data, or a model of another library; checked by a dry run of shapes.

    A network with memory becomes one of whole examples [time, *features]; its builder then gets the shape of one step.

    Raises:
        ModelError: `init` or `apply` fails, the outputs are not [batch, classes] of real numbers, or a carry changes
            its shape.
    """
    steps = shape[1:]
    built = _built(model, shape, classes, steps)
    if built.initial_carry is None:
        return _checked(built, shape, classes)
    _check_sequences(shape)
    return over_time(_checked(_built(model, steps, classes), steps, classes))


def build_policy(model: Model | Builder | Callable[[Shape, int], Any] | Any, shape: Shape, outputs: int) -> Model:
    """As `build_model`, for observations: a network with memory stays one of single steps. Raises ModelError."""
    return _checked(_built(model, shape, outputs), shape, outputs)


def _check_sequences(shape: Shape) -> None:
    if len(shape) < 2 or not shape[0]:
        raise ModelError(
            f"a network with memory needs examples [time, features], and these have the shape {shape}; give sequences, "
            "or use mlp:128"
        )


def _checked(built: Model, shape: Shape, classes: int) -> Model:
    """The model without its constants, with outputs in float32. Raises ModelError where it does not fit."""
    example = jax.ShapeDtypeStruct((2, *shape), jnp.float32)
    try:
        params = jax.eval_shape(built.init, jax.eval_shape(lambda: jax.random.key(0)))
        given = (params, jax.eval_shape(built.prepare, params, example)) if built.prepare else params
        carries = () if built.initial_carry is None else (jax.eval_shape(lambda: carry_of(built, 2)),)
        outputs = jax.eval_shape(built.apply, given, *carries, example)
    except Exception as error:
        called = (
            "" if built.initial_carry is None else "; with an initial_carry it is called as apply(params, carry, x)"
        )
        raise ModelError(f"the model fails on examples of shape {shape}: {summary(error)}{called}") from error
    _check_leaves(params)
    if carries:
        outputs = check_step(outputs, *carries)
    if getattr(outputs, "shape", None) != (2, classes):
        raise ModelError(
            f"the model must return [batch, {classes}] for this data, got {getattr(outputs, 'shape', outputs)} "
            "for a batch of 2; set its last layer to the number of classes"
        )
    return _widened(without_constants(built, params, example), outputs.dtype)


def _widened(model: Model, kind: Any) -> Model:
    """The model with outputs in float32, if they are booleans, whole numbers or half-precision floats."""
    if not is_real(kind):
        raise ModelError(f"the model must return real numbers, got {kind}; return their real part or size")
    if widened(kind) == kind:
        return model
    return model._replace(apply=partial(_floats if model.initial_carry is None else _floats_first, model.apply))


def _floats(apply: Callable[..., Array], *given: Any) -> Array:
    return as_floats(apply(*given))


def _floats_first(apply: Callable[..., tuple[Array, Any]], *given: Any) -> tuple[Array, Any]:
    outputs, carry = apply(*given)
    return as_floats(outputs), carry


def _built(model: Any, shape: Shape, classes: int, steps: Shape | None = None) -> Model:
    """A function of (shape, classes) may return a model from outside, and that may need the shape in its turn.

    Args:
        steps: the shape that a builder of a network with memory takes instead, where examples are sequences.
    """
    for _ in range(2):
        model = adopt(model) or model
        if isinstance(model, Model) or not callable(model):
            break
        if steps is not None and isinstance(model, Builder) and model.of_steps:
            _check_sequences(shape)
            shape = steps
        try:
            model = model(shape, classes)
        except NogradError:
            raise
        except Exception as error:
            raise ModelError(f"the model's builder fails for examples of shape {shape}: {summary(error)}") from error
    if not isinstance(model, Model):
        raise ModelError(f"a model must be nograd.Model(init, apply), got {type(model).__name__}")
    return model


def _check_leaves(params: Params) -> None:
    leaves = jax.tree.leaves(params)
    if not leaves:
        raise ModelError("the model has no parameters to train; its init must return a tree of float arrays")
    for name, leaf in zip(shown_names(params), leaves, strict=True):
        if not jnp.issubdtype(leaf.dtype, jnp.floating):
            raise ModelError(
                f"parameter {name!r} is {leaf.dtype}, and ES perturbs floating-point arrays only; "
                "convert it or keep it out of the parameters"
            )
