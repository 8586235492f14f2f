"""A PyTorch graph as plain data, and its evaluation by JAX: no PyTorch is needed from here on."""

import operator
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from nograd.core.types import ModelError
from nograd.models.adapters.aten import elementwise, layers, pooling, recurrent, reductions, shapes
from nograd.models.adapters.base import one_line

RULES: dict[str, Callable[..., Any]] = (
    elementwise.RULES | layers.RULES | pooling.RULES | recurrent.RULES | reductions.RULES | shapes.RULES
)
# What a graph computes with sizes, whole numbers by the time that JAX sees them.
SIZES: dict[str, Callable[..., Any]] = {
    name: getattr(operator, name) for name in ("add", "sub", "mul", "floordiv", "truediv", "mod", "neg", "pow")
} | {"sym_max": max, "sym_min": min, "sym_float": float, "sym_int": int}

_REMEDY = "write that part with other operations, or give the network as nograd.Model(init, apply) in JAX"
_REMEDIES = {
    "_native_batch_norm_legit": "it takes the statistics of the batch, and ES evaluates examples one by one; use "
    "a norm of single examples, such as LayerNorm or GroupNorm"
}


class Ref(NamedTuple):
    """The result of an earlier step, or an input, by its name."""

    name: str


class Step(NamedTuple):
    """result = operation(*arguments, **keywords)."""

    result: str
    operation: str  # "linear.default" of PyTorch's aten, or "size.mul"
    layer: str  # where in the module, for errors
    arguments: tuple[Any, ...]  # of `Ref`s, numbers, dtypes, and lists of these
    keywords: dict[str, Any]


class Program(NamedTuple):
    """What a module computes."""

    parameters: dict[str, str]  # an input's name in the graph → the parameter that it is
    constants: dict[str, np.ndarray]  # an input's name → its value
    inputs: tuple[str, ...]  # names: of x, and of what is carried
    steps: tuple[Step, ...]
    outputs: tuple[str, ...]


def rule_for(operation: str) -> Callable[..., Any] | None:
    """The rule of an overload, `max.dim`, or else of the operation, `max`; None where there is none."""
    if operation.startswith("size."):
        return SIZES.get(operation.removeprefix("size."))
    return RULES.get(operation) or RULES.get(operation.partition(".")[0])


def check_rules(program: Program, module: str) -> None:
    """Raises ModelError that names the first operation without a rule."""
    for step in program.steps:
        if rule_for(step.operation) is None:
            operation = step.operation.partition(".")[0]
            place = f"layer {step.layer!r}" if step.layer else f"forward of {module}"
            raise ModelError(
                f"from_torch has no rule for the operation {step.operation!r} in {place}; "
                f"{_REMEDIES.get(operation, _REMEDY)}"
            )


def evaluate(program: Program, params: Mapping[str, Array], *inputs: Array) -> list[Array]:
    """The module's outputs for a batch [batch, *features], and leaves [batch, …] of what is carried."""
    values: dict[str, Any] = {name: jnp.asarray(value) for name, value in program.constants.items()}
    values.update({name: params[target] for name, target in program.parameters.items()})
    values.update(zip(program.inputs, inputs, strict=True))

    def given(argument: Any) -> Any:
        if isinstance(argument, Ref):
            return values[argument.name]
        if isinstance(argument, list):
            return [given(part) for part in argument]
        # PyTorch counts in 64 bits whatever JAX has been told to use.
        return jax.dtypes.canonicalize_dtype(argument) if isinstance(argument, np.dtype) else argument

    for step in program.steps:
        rule = rule_for(step.operation)
        assert rule is not None
        with one_line(f"PyTorch's operation {step.operation!r} in layer {step.layer!r} fails in JAX"):
            arguments = [given(argument) for argument in step.arguments]
            values[step.result] = rule(*arguments, **{key: given(value) for key, value in step.keywords.items()})
    return [values[name] for name in program.outputs]
