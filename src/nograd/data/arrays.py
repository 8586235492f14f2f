"""What all of the data folder calls an array, and the three parts of a data set."""

from typing import Any, TypeAlias

from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]

PARTS = ("train", "val", "test")
