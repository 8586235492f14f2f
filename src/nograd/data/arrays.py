"""The type of the arrays in this folder, and the names of the three parts of a data set."""

from typing import Any, TypeAlias

from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]

PARTS = ("train", "val", "test")
