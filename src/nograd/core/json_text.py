"""JSON that every reader accepts: without NaN and infinity, which JSON does not have but Python's writer writes."""

import json
import math
from collections.abc import Mapping
from typing import Any


def to_json(value: Any, **options: Any) -> str:
    """`value` as JSON text; null for a number that is not finite, a plain number for a NumPy scalar.

    Args:
        value: made of the types that JSON has, and of NumPy scalars.
        options: arguments of `json.dumps`, such as indent.
    """
    return json.dumps(finite(value), allow_nan=False, **options)


def finite(value: Any) -> Any:
    """`value` with None in place of every number in it that is NaN or infinite."""
    if isinstance(value, Mapping):
        return {key: finite(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [finite(part) for part in value]
    if isinstance(value, str | bytes) or value is None:
        return value
    if getattr(value, "ndim", None) == 0 and hasattr(value, "item"):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
