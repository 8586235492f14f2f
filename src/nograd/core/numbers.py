"""What a user's function returned, as a number."""

import math
from typing import Any

import numpy as np

from nograd.core.types import EngineError

_HOW = "return one real number: NaN where there is no value"


def as_number(value: Any, name: str) -> float:
    """The value of the function `name`; NaN for an infinite one. Raises EngineError where it is no real number."""
    try:
        array = np.asarray(value)
    except Exception:
        array = np.asarray(None)
    if array.dtype.kind not in "biuf" or array.size != 1:
        what = f"an array of shape {array.shape}" if array.dtype.kind in "biuf" else repr(value)[:60]
        raise EngineError(f"the function {name} returned {what}; {_HOW}")
    number = float(array.reshape(()))
    return number if math.isfinite(number) else math.nan


def as_numbers(values: Any, count: int, name: str) -> np.ndarray:
    """The values of a vectorized function at `count` points. Raises EngineError where they are not so many numbers."""
    array = np.asarray(values)
    if array.shape != (count,) or array.dtype.kind not in "biuf":
        raise EngineError(
            f"the function {name} returned {array.dtype}{list(array.shape)} for {count} points; return [{count}], a "
            "real number a point"
        )
    numbers = array.astype(np.float64)
    return np.where(np.isfinite(numbers), numbers, np.nan)
