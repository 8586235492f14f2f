"""Parameters that are constant: those that reach the network's outputs only through stop_gradient."""

from functools import partial
from typing import Any

import jax
import numpy as np

from nograd.core.trees import shown_names
from nograd.core.types import InterpretError, Key, ModelError, Params
from nograd.models.base import Model
from nograd.models.memory import advanced, carry_of
from nograd.models.stopped import has_stops, reaching


def without_constants(model: Model, params: Params, example: Any) -> Model:
    """The model without its parameters behind stop_gradient, which are then constants of its `apply`.

    Where there are none, the model itself. In the parameters None stands in place of each constant.

    Args:
        model: any.
        params: of it, or their shapes.
        example: a batch, or its shape.

    Raises:
        ModelError: such a parameter depends on the key of `init`, so that it cannot be a constant.
    """

    def outputs(params: Params, example: Any) -> Any:
        whole = (params, model.prepare(params, example)) if model.prepare else params
        return advanced(model, whole, carry_of(model, len(example)), example)

    if not has_stops(outputs, params, example):
        return model
    try:
        used, moved = (reaching(outputs, params, example, through_stops=through) for through in (True, False))
    except InterpretError:  # a stop_gradient inside of a loop: nothing is known to be constant
        return model
    still = [a and not b for a, b in zip(used, moved, strict=True)]
    if not any(still):
        return model
    values, others = (jax.tree.leaves(jax.jit(model.init)(jax.random.key(seed))) for seed in (0, 1))
    for name, is_still, value, other in zip(shown_names(params), still, values, others, strict=True):
        if is_still and not np.array_equal(value, other, equal_nan=True):
            raise ModelError(
                f"parameter {name!r} reaches the outputs through stop_gradient alone, so that nothing would train it, "
                "and init draws it at random; keep it out of the parameters"
            )
    constants = [value if is_still else None for is_still, value in zip(still, values, strict=True)]
    return Model(
        partial(_init, model, still),
        partial(_apply, model, constants, jax.tree.structure(params)),
        partial(_prepare, model, constants, jax.tree.structure(params)) if model.prepare else None,
        model.initial_carry,
    )


def _init(model: Model, still: list[bool], key: Key) -> Params:
    leaves, structure = jax.tree.flatten(model.init(key))
    return jax.tree.unflatten(structure, [None if one else leaf for one, leaf in zip(still, leaves, strict=True)])


def _whole(constants: list[Any], structure: Any, params: Params) -> Params:
    moving = iter(jax.tree.leaves(params))
    return jax.tree.unflatten(structure, [next(moving) if leaf is None else leaf for leaf in constants])


def _apply(model: Model, constants: list[Any], structure: Any, given: Any, *rest: Any) -> Any:
    if model.prepare:
        return model.apply((_whole(constants, structure, given[0]), given[1]), *rest)
    return model.apply(_whole(constants, structure, given), *rest)


def _prepare(model: Model, constants: list[Any], structure: Any, params: Params, reference: Any) -> Any:
    assert model.prepare is not None
    return model.prepare(_whole(constants, structure, params), reference)
