"""Products, convolutions and pooling in ONNX."""

import string
from collections.abc import Callable
from typing import Any

import numpy as np

from nograd.core.types import ConfigError
from nograd.runs.export.onnx_graph import Graph, Value, ints


def _product(graph: Graph, equation: Any, operands: list[Value]) -> Value:
    """dot_general: MatMul if it is a plain matrix product, else Einsum."""
    (left, right), (left_batch, right_batch) = equation.params["dimension_numbers"]
    wanted = equation.outvars[0].aval.dtype
    given = [
        graph.cast(value, wanted) if atom.aval.dtype != wanted else value
        for value, atom in zip(operands, equation.invars, strict=True)
    ]
    ranks = [len(atom.aval.shape) for atom in equation.invars]
    if not left_batch and tuple(left) == (ranks[0] - 1,) and tuple(right) == (0,) and ranks[1] == 2:
        return graph.add("MatMul", *given)
    letters = iter(string.ascii_letters)
    first = [next(letters) for _ in range(ranks[0])]
    second = [next(letters) for _ in range(ranks[1])]
    for a, b in zip((*left, *left_batch), (*right, *right_batch), strict=True):
        second[b] = first[a]
    batch = [first[axis] for axis in left_batch]
    rest = [name for names, summed, shared in ((first, left, left_batch), (second, right, right_batch))
            for axis, name in enumerate(names) if axis not in summed and axis not in shared]  # fmt: skip
    return graph.add("Einsum", *given, equation=f"{''.join(first)},{''.join(second)}->{''.join(batch + rest)}")


def _convolution(graph: Graph, equation: Any, operands: list[Value]) -> Value:
    """ONNX wants [examples, channels, ...] and kernels [output channels, input channels, ...]."""
    params, layout = equation.params, equation.params["dimension_numbers"]
    if set(params["lhs_dilation"]) != {1} or params["batch_group_count"] != 1:
        raise ConfigError(
            "the network has a transposed convolution, which has no rule for ONNX; use --format stablehlo"
        )
    x = graph.add("Transpose", operands[0], perm=list(layout.lhs_spec))
    kernel = graph.add("Transpose", operands[1], perm=list(layout.rhs_spec))
    made = graph.add(
        "Conv",
        x,
        kernel,
        strides=list(params["window_strides"]),
        pads=[low for low, _ in params["padding"]] + [high for _, high in params["padding"]],
        dilations=list(params["rhs_dilation"]),
        group=params["feature_group_count"],
    )
    return graph.add("Transpose", made, perm=np.argsort(layout.out_spec).tolist())


def _pooled(operation: str) -> Callable[[Graph, Any, list[Value]], Value]:
    """Pooling windows. ONNX wants two axes without a window first (examples, channels); the others are moved back."""

    def rule(graph: Graph, equation: Any, operands: list[Value]) -> Value:
        params = equation.params
        window, strides, padding = (params[name] for name in ("window_dimensions", "window_strides", "padding"))
        dilated = {*params["base_dilation"], *params["window_dilation"]} != {1}
        still = [axis for axis, size in enumerate(window) if size == strides[axis] == 1 and padding[axis] == (0, 0)][:2]
        if len(still) < 2 or dilated:
            raise ConfigError("the network has windows that ONNX has no rule for; use --format stablehlo")
        moved = [axis for axis in range(len(window)) if axis not in still]
        perm, pads = [*still, *moved], [padding[axis] for axis in moved]
        x = graph.add("Transpose", operands[0], perm=perm)
        kernel, steps = [window[axis] for axis in moved], [strides[axis] for axis in moved]
        if operation == "MaxPool":
            sides = [low for low, _ in pads] + [high for _, high in pads]
            made = graph.add("MaxPool", x, kernel_shape=kernel, strides=steps, pads=sides)
        else:
            zeros = ints([0, 0, *(low for low, _ in pads), 0, 0, *(high for _, high in pads)])
            mean = graph.add("AveragePool", graph.add("Pad", x, zeros), kernel_shape=kernel, strides=steps)
            made = graph.add("Mul", mean, np.array(np.prod(kernel), equation.outvars[0].aval.dtype))
        return graph.add("Transpose", made, perm=np.argsort(perm).tolist())

    return rule


PRODUCTS: dict[str, Callable[[Graph, Any, list[Value]], Value]] = {
    "conv_general_dilated": _convolution,
    "dot_general": _product,
    "reduce_window_max": _pooled("MaxPool"),
    "reduce_window_sum": _pooled("AveragePool"),
}
