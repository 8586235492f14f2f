"""Converts what a user's function returned to numbers."""

import math
from typing import Any

import numpy as np

from nograd.core.types import EngineError

_HOW = "return one real number: NaN where there is no value"


def as_number(value: Any, name: str) -> float:
    """What the function `name` returned, as a float; NaN for an infinity. Raises EngineError for no real number."""
    if isinstance(value, float):  # most often, and much quicker than by an array
        return float(value) if math.isfinite(value) else math.nan
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
    """What a vectorized function returned for `count` points. Raises EngineError unless it is `count` real numbers."""
    array = np.asarray(values)
    if array.shape != (count,) or array.dtype.kind not in "biuf":
        raise EngineError(
            f"the function {name} returned {array.dtype}{list(array.shape)} for {count} points; return [{count}], a "
            "real number a point"
        )
    numbers = array.astype(np.float64)
    return np.where(np.isfinite(numbers), numbers, np.nan)
