"""New examples in the form that a run's network takes: columns by name, arrays in the unit of the training data."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from nograd.config.name_lists import name_list
from nograd.config.settings import TrainConfig
from nograd.core.types import DataError
from nograd.data import ArrayEncoding, encoding_from_json


def inputs_of(data: Mapping[str, Any], config: TrainConfig, x: Any) -> np.ndarray:
    """New inputs, [examples, *shape], encoded as the run's data set was.

    Args:
        data: the "data" of config.json.
        x: a frame, a mapping of columns, or an array.
    Raises:
        DataError: a column is missing or unknown, or the values are not in the unit or shape of the training data.
    """
    encoding = encoding_from_json(data["encoding"]) if data.get("encoding") else None
    if encoding is None or isinstance(encoding, ArrayEncoding):
        return _array(np.asarray(x), tuple(data["input_shape"]), encoding)
    # Imported here because it loads Polars, which is not needed for arrays.
    from nograd.data.frames import array_table, frame_table, is_frame

    table = frame_table(x, "x") if is_frame(x) else array_table(x, "x")
    # Columns that the training left out (the setting `drop`) are allowed here.
    return encoding.encode(table, None if config.columns else name_list(config.drop))


def _array(x: np.ndarray, shape: tuple[int, ...], encoding: ArrayEncoding | None) -> np.ndarray:
    if x.shape[1:] != shape or not x.ndim:
        raise DataError(f"x must have shape [examples, {', '.join(map(str, shape))}], got {x.shape}")
    return encoding.check(x, "x") if encoding else x
