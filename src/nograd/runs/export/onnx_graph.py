"""An ONNX graph while it is built: its nodes and constants."""

import re
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from nograd.core.types import ConfigError

Value: TypeAlias = str | np.ndarray  # the name of a tensor, or a constant
_MULTIPLE = re.compile(r"(?:(\d+)\*)?(\w+)")


class Graph:
    """Nodes in order of execution, and the constants that they use."""

    def __init__(self, helper: Any, arrays: Any, examples: Any) -> None:
        """
        Args:
            helper, arrays: `onnx.helper` and `onnx.numpy_helper`.
            examples: the symbol of the first dimension, the number of examples.
        """
        self.nodes: list[Any] = []
        self.initializers: list[Any] = []
        self._helper, self._arrays, self._symbol = helper, arrays, str(examples)
        self._known: dict[Any, str] = {}
        self._count: Value | None = None  # the number of examples, int64 [1]

    def add(self, operation: str, *operands: Value, **attributes: Any) -> Value:
        """Adds a node with one result; returns the name of the result."""
        return self.split(operation, 1, *operands, **attributes)[0]

    def split(self, operation: str, results: int, *operands: Value, **attributes: Any) -> list[Value]:
        """Adds a node with several results; returns their names."""
        names: list[Value] = [f"{operation.lower()}_{len(self.nodes)}_{number}" for number in range(results)]
        read = [self.named(operand) for operand in operands]
        self.nodes.append(self._helper.make_node(operation, read, names, **attributes))
        return names

    def named(self, value: Value) -> str:
        """The name of a tensor; an array is added as a constant and gets a name."""
        if isinstance(value, str):
            return value
        key = (value.dtype.str, value.shape, value.tobytes())
        if key not in self._known:
            self._known[key] = f"constant_{len(self._known)}"
            self.initializers.append(self._arrays.from_array(np.array(value, order="C"), self._known[key]))
        return self._known[key]

    def output(self, name: str, value: Value) -> str:
        """Makes a value an output of the graph with this name."""
        self.nodes.append(self._helper.make_node("Identity", [self.named(value)], [name]))
        return name

    def cast(self, value: Value, dtype: Any) -> Value:
        """Converts a value to another type."""
        return self.add("Cast", value, to=int(self._helper.np_dtype_to_tensor_dtype(np.dtype(dtype))))

    def reshaped(self, value: Value, sizes: Sequence[Any]) -> Value:
        """Reshapes a value; sizes may depend on the number of examples."""
        open_ = [size for size in sizes if not isinstance(size, int)]
        if len(open_) > 1 or (open_ and 0 in sizes):
            return self.add("Reshape", value, self.sizes(sizes))
        return self.add("Reshape", value, ints([size if isinstance(size, int) else -1 for size in sizes]))

    def sizes(self, sizes: Sequence[Any]) -> Value:
        """A shape as an int64 tensor; sizes may depend on the number of examples."""
        if all(isinstance(size, int) for size in sizes):
            return ints(sizes)
        return self.add("Concat", *[ints([s]) if isinstance(s, int) else self._multiple(s) for s in sizes], axis=0)

    def _multiple(self, size: Any) -> Value:
        """A size that is a multiple of the number of examples, as an int64 tensor [1]."""
        match = _MULTIPLE.fullmatch(str(size))
        if match is None or match[2] != self._symbol:
            raise ConfigError(
                f"the network has an array of {size} rows, which the ONNX export cannot follow; use --format stablehlo"
            )
        if self._count is None:
            self._count = self.add("Shape", "x", start=0, end=1)
        return self.add("Mul", self._count, ints([int(match[1])])) if match[1] else self._count


def ints(values: Sequence[int]) -> np.ndarray:
    """Integers as int64, the type of axes and sizes in ONNX."""
    return np.array(values, np.int64)
