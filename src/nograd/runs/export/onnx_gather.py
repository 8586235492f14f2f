"""JAX's `gather` in ONNX: slices, indices, and rows of a table by their numbers."""

from typing import Any

import numpy as np

from nograd.core.types import ConfigError
from nograd.runs.export.onnx_graph import Graph, Value, ints

_MOST = 1000  # fixed windows; each becomes a node of the graph


def gather(graph: Graph, equation: Any, operands: list[Value]) -> Value:
    """Windows at fixed positions (so JAX writes a slice of an array of symbolic length), or whole rows by number.

    Raises:
        ConfigError: the positions of windows are computed by the network.
    """
    x, places = operands
    if isinstance(places, np.ndarray) and places.ndim == 1:
        return graph.reshaped(_window(graph, equation, x, places), equation.outvars[0].aval.shape)
    if isinstance(places, np.ndarray) and places.ndim == 2 and len(places) <= _MOST:
        return _windows(graph, equation, x, places)
    return _rows(graph, equation, x, places)


def _window(graph: Graph, equation: Any, x: Value, place: np.ndarray) -> Value:
    """The window that begins at a fixed position; each axis that the index removes has size 1."""
    sizes, axes = equation.params["slice_sizes"], equation.params["dimension_numbers"].start_index_map
    first = {axis: int(at) for axis, at in zip(axes, place, strict=True)}
    cut = [axis for axis in first if first[axis] or sizes[axis] != equation.invars[0].aval.shape[axis]]
    if not cut:
        return x
    last = [first[axis] + sizes[axis] for axis in cut]
    return graph.add("Slice", x, ints([first[axis] for axis in cut]), graph.sizes(last), ints(cut))


def _windows(graph: Graph, equation: Any, x: Value, places: np.ndarray) -> Value:
    """Several fixed windows, concatenated along the one axis of the result that is not part of a window."""
    shape = list(equation.outvars[0].aval.shape)
    (axis,) = set(range(len(shape))) - set(equation.params["dimension_numbers"].offset_dims)
    shape[axis] = 1
    pieces = [graph.reshaped(_window(graph, equation, x, place), shape) for place in places]
    return graph.add("Concat", *pieces, axis=axis)


def _rows(graph: Graph, equation: Any, x: Value, places: Value) -> Value:
    """Whole rows along one axis, as in an embedding. A row number out of range is an error when the graph runs."""
    numbers, shape = equation.params["dimension_numbers"], equation.invars[0].aval.shape
    axis = numbers.start_index_map[0]
    whole = [size == (1 if at == axis else shape[at]) for at, size in enumerate(equation.params["slice_sizes"])]
    if len(numbers.start_index_map) != 1 or numbers.collapsed_slice_dims != (axis,) or not all(whole):
        raise ConfigError(
            "the network takes parts of an array at places that it computes, which has no rule for ONNX; use --format "
            "stablehlo"
        )
    found = graph.add("Gather", x, graph.reshaped(places, equation.invars[1].aval.shape[:-1]), axis=axis)
    rank, indices = len(equation.outvars[0].aval.shape), len(equation.invars[1].aval.shape) - 1
    # ONNX puts the axes of the numbers where the indexed axis was; JAX says where the other axes go.
    others = iter([*range(axis), *range(axis + indices, rank)])
    counted = iter(range(axis, axis + indices))
    perm = [next(others) if at in numbers.offset_dims else next(counted) for at in range(rank)]
    return found if perm == sorted(perm) else graph.add("Transpose", found, perm=perm)
