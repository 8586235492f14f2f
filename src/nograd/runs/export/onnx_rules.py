"""The ONNX rule of each operation of a jaxpr: a function (graph, equation, operands) -> one value or several."""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from nograd.core.types import ConfigError
from nograd.runs.export.onnx_gather import gather
from nograd.runs.export.onnx_graph import Graph, Value, ints
from nograd.runs.export.onnx_products import PRODUCTS

Rule: TypeAlias = Callable[[Graph, Any, list[Value]], "Value | list[Value]"]

# JAX primitives with the same meaning as one ONNX operator.
_SAME = {
    "abs": "Abs", "acos": "Acos", "add": "Add", "add_any": "Add", "and": "And", "asin": "Asin", "atan": "Atan",
    "ceil": "Ceil", "copy": "Identity", "copy_p": "Identity", "cos": "Cos", "cosh": "Cosh", "div": "Div", "eq": "Equal",
    "erf": "Erf", "exp": "Exp", "floor": "Floor", "ge": "GreaterOrEqual", "gt": "Greater", "le": "LessOrEqual",
    "log": "Log", "logistic": "Sigmoid", "lt": "Less", "max": "Max", "min": "Min", "mul": "Mul", "neg": "Neg",
    "not": "Not", "or": "Or", "pow": "Pow", "sign": "Sign", "sin": "Sin", "sinh": "Sinh", "sqrt": "Sqrt",
    "stop_gradient": "Identity", "sub": "Sub", "tan": "Tan", "tanh": "Tanh", "xor": "Xor",
}  # fmt: skip


def _same(operation: str) -> Rule:
    return lambda graph, equation, operands: graph.add(operation, *operands)


def _one(equation: Any, value: float = 1.0) -> np.ndarray:
    """A constant of the result's type."""
    return np.array(value, equation.outvars[0].aval.dtype)


def _sizes(equation: Any, operand: int = 0) -> tuple[Any, ...]:
    return equation.invars[operand].aval.shape


def _round(graph: Graph, equation: Any, operands: list[Value]) -> Value:
    """Rounding: ties to even as ONNX does, or ties away from 0.

    Away from 0 it is sign(x) (n + [|x| − n ≥ 1/2]) with n = floor(|x|): |x| + 1/2 would itself be rounded.
    """
    if int(equation.params["rounding_method"]) == 1:
        return graph.add("Round", *operands)
    size = graph.add("Abs", *operands)
    whole = graph.add("Floor", size)
    up = graph.add("GreaterOrEqual", graph.add("Sub", size, whole), _one(equation, 0.5))
    found = graph.add("Add", whole, graph.cast(up, equation.outvars[0].aval.dtype))
    return graph.add("Mul", graph.add("Sign", *operands), found)


def _expm1(graph: Graph, equation: Any, operands: list[Value]) -> Value:
    """exp(x) − 1; near 0, where that loses its digits, 2t/(1 − t) with t = tanh(x/2)."""
    half = graph.add("Tanh", graph.add("Mul", *operands, _one(equation, 0.5)))
    near = graph.add("Div", graph.add("Mul", half, _one(equation, 2.0)), graph.add("Sub", _one(equation), half))
    far = graph.add("Sub", graph.add("Exp", *operands), _one(equation))
    return _if_small(graph, equation, operands[0], near, far)


def _log1p(graph: Graph, equation: Any, operands: list[Value]) -> Value:
    """log(1 + x); near 0, where that loses its digits, 2 artanh(x/(2 + x))."""
    ratio = graph.add("Div", operands[0], graph.add("Add", *operands, _one(equation, 2.0)))
    near = graph.add("Mul", graph.add("Atanh", ratio), _one(equation, 2.0))
    far = graph.add("Log", graph.add("Add", *operands, _one(equation)))
    return _if_small(graph, equation, operands[0], near, far)


def _if_small(graph: Graph, equation: Any, x: Value, near: Value, far: Value) -> Value:
    """`near` if |x| < 1/2, else `far`."""
    return graph.add("Where", graph.add("Less", graph.add("Abs", x), _one(equation, 0.5)), near, far)


def _power(graph: Graph, equation: Any, operands: list[Value]) -> Value:
    if (exponent := equation.params["y"]) == 2:
        return graph.add("Mul", operands[0], operands[0])
    return graph.add("Pow", operands[0], _one(equation, exponent))


def _is_finite(graph: Graph, equation: Any, operands: list[Value]) -> Value:
    zero = graph.add("Sub", operands[0], operands[0])  # NaN if the operand is infinite or NaN
    return graph.add("Not", graph.add("IsNaN", zero))


def _not_equal(graph: Graph, equation: Any, operands: list[Value]) -> Value:
    """x ≠ x is how JAX tests for NaN."""
    if isinstance(operands[0], str) and operands[0] == operands[1] and equation.invars[0].aval.dtype.kind == "f":
        return graph.add("IsNaN", operands[0])
    return graph.add("Not", graph.add("Equal", *operands))


def _select(graph: Graph, equation: Any, operands: list[Value]) -> Value:
    which, *cases = operands
    if len(cases) != 2 or equation.invars[0].aval.dtype != np.bool_:
        raise ConfigError("the network chooses among more than two cases, which has no rule for ONNX; use jnp.where")
    return graph.add("Where", which, cases[1], cases[0])


def _clamp(graph: Graph, equation: Any, operands: list[Value]) -> Value:
    low, x, high = operands
    return graph.add("Min", graph.add("Max", x, low), high)


def _convert(graph: Graph, equation: Any, operands: list[Value]) -> Value:
    wanted = equation.outvars[0].aval.dtype
    return operands[0] if equation.invars[0].aval.dtype == wanted else graph.cast(operands[0], wanted)


def _reshape(graph: Graph, equation: Any, operands: list[Value]) -> Value:
    return graph.reshaped(operands[0], equation.outvars[0].aval.shape)


def _broadcast(graph: Graph, equation: Any, operands: list[Value]) -> Value:
    """Reshapes to the right number of axes, with size 1 where an axis is new, then expands to the sizes."""
    wanted, places = equation.params["shape"], equation.params["broadcast_dimensions"]
    sizes: list[Any] = [1] * len(wanted)
    for place, size in zip(places, _sizes(equation), strict=True):
        sizes[place] = size
    value = operands[0]
    if tuple(sizes) != tuple(_sizes(equation)):
        value = graph.reshaped(value, sizes)
    return value if tuple(sizes) == tuple(wanted) else graph.add("Expand", value, graph.sizes(wanted))


def _transpose(graph: Graph, equation: Any, operands: list[Value]) -> Value:
    return graph.add("Transpose", operands[0], perm=list(equation.params["permutation"]))


def _concatenate(graph: Graph, equation: Any, operands: list[Value]) -> Value:
    return graph.add("Concat", *operands, axis=equation.params["dimension"])


def _stack(graph: Graph, equation: Any, operands: list[Value]) -> Value:
    axis = equation.params["axis"]
    sizes = list(equation.outvars[0].aval.shape)
    sizes[axis] = 1
    return graph.add("Concat", *[graph.reshaped(operand, sizes) for operand in operands], axis=axis)


def _split(graph: Graph, equation: Any, operands: list[Value]) -> list[Value]:
    sizes, axis = equation.params["sizes"], equation.params["axis"]
    return graph.split("Split", len(sizes), operands[0], ints(sizes), axis=axis)


def _slice(graph: Graph, equation: Any, operands: list[Value]) -> Value:
    starts, stops = equation.params["start_indices"], equation.params["limit_indices"]
    strides = equation.params["strides"] or (1,) * len(starts)
    cut = [
        (axis, start, stop, stride)
        for axis, (start, stop, stride, size) in enumerate(zip(starts, stops, strides, _sizes(equation), strict=True))
        if start != 0 or stop != size or stride != 1
    ]
    if not cut:
        return operands[0]
    axes, first, last, steps = zip(*cut, strict=True)
    return graph.add("Slice", operands[0], ints(first), graph.sizes(last), ints(axes), ints(steps))


def _reverse(graph: Graph, equation: Any, operands: list[Value]) -> Value:
    axes = equation.params["dimensions"]
    ends = [-1] * len(axes), [np.iinfo(np.int64).min] * len(axes)
    return graph.add("Slice", operands[0], ints(ends[0]), ints(ends[1]), ints(axes), ints(ends[0]))


def _pad(graph: Graph, equation: Any, operands: list[Value]) -> Value:
    config = equation.params["padding_config"]
    if any(low < 0 or high < 0 or within for low, high, within in config):
        raise ConfigError("the network pads within an array or by negative numbers, which has no rule for ONNX")
    pads = ints([low for low, _, _ in config] + [high for _, high, _ in config])
    return graph.add("Pad", operands[0], pads, operands[1], mode="constant")


def _reduced(operation: str) -> Rule:
    """A reduction whose axes are an attribute; up to opset 17 that is so for all but ReduceSum."""

    def rule(graph: Graph, equation: Any, operands: list[Value]) -> Value:
        return graph.add(operation, operands[0], axes=list(equation.params["axes"]), keepdims=0)

    return rule


def _sum(graph: Graph, equation: Any, operands: list[Value]) -> Value:
    return graph.add("ReduceSum", operands[0], ints(equation.params["axes"]), keepdims=0)


def _truths(operation: str) -> Rule:
    def rule(graph: Graph, equation: Any, operands: list[Value]) -> Value:
        numbers = graph.cast(operands[0], np.int32)
        found = graph.add(operation, numbers, axes=list(equation.params["axes"]), keepdims=0)
        return graph.cast(found, np.bool_)

    return rule


def _best(operation: str) -> Rule:
    def rule(graph: Graph, equation: Any, operands: list[Value]) -> Value:
        (axis,) = equation.params["axes"]
        return graph.cast(graph.add(operation, operands[0], axis=axis, keepdims=0), equation.params["index_dtype"])

    return rule


def _cumulated(graph: Graph, equation: Any, operands: list[Value]) -> Value:
    axis, back = np.array(equation.params["axis"], np.int64), int(equation.params["reverse"])
    return graph.add("CumSum", operands[0], axis, reverse=back)


RULES: dict[str, Rule] = {
    **{name: _same(operation) for name, operation in _SAME.items()},
    "argmax": _best("ArgMax"),
    "argmin": _best("ArgMin"),
    "broadcast_in_dim": _broadcast,
    "clamp": _clamp,
    "concatenate": _concatenate,
    "convert_element_type": _convert,
    "cumsum": _cumulated,
    "exp2": lambda graph, equation, operands: graph.add("Pow", _one(equation, 2.0), operands[0]),
    "expand_dims": _reshape,
    "expm1": _expm1,
    "gather": gather,
    "integer_pow": _power,
    "is_finite": _is_finite,
    "log1p": _log1p,
    "ne": _not_equal,
    "pad": _pad,
    "reduce_and": _truths("ReduceMin"),
    "reduce_max": _reduced("ReduceMax"),
    "reduce_min": _reduced("ReduceMin"),
    "reduce_or": _truths("ReduceMax"),
    "reduce_prod": _reduced("ReduceProd"),
    "reduce_sum": _sum,
    "reshape": _reshape,
    "rev": _reverse,
    "round": _round,
    "rsqrt": lambda graph, equation, operands: graph.add("Reciprocal", graph.add("Sqrt", *operands)),
    "select_n": _select,
    "slice": _slice,
    "split": _split,
    "stack": _stack,
    "square": lambda graph, equation, operands: graph.add("Mul", operands[0], operands[0]),
    "squeeze": _reshape,
    "transpose": _transpose,
    **PRODUCTS,
}
