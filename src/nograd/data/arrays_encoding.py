"""The range of a training's inputs, so that new ones in another unit (0..1 in place of 0..255) are refused."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from nograd.core.types import DataError
from nograd.data.arrays import Array


class ArrayEncoding(NamedTuple):
    """The shape of the training inputs, and the range of their values."""

    shape: tuple[int, ...]  # of one example
    whole: bool  # all values were whole numbers
    low: float
    high: float
    limit: float | None = None  # the largest value that the unit has: 255 for bytes

    def to_json(self) -> dict[str, Any]:
        """Plain values for config.json."""
        return {"kind": "arrays", **self._asdict(), "shape": list(self.shape)}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "ArrayEncoding":
        """The encoding that `to_json` wrote."""
        fields = {name: value for name, value in record.items() if name != "kind"}
        return cls(**{**fields, "shape": tuple(fields["shape"])})

    def check(self, x: Array, what: str) -> Array:
        """`x`, once it is known to be in the same unit as the training inputs.

        Raises:
            DataError: fractions where the training had pixels of 0 to 255, or the other way round.
        """
        if not x.size:
            return x
        high, low = float(x.max()), float(x.min())
        whole = x.dtype.kind in "bui" or bool((x == np.floor(x)).all())
        if self.limit is not None:
            if not whole:
                fraction = float(x.reshape(-1)[int((x != np.floor(x)).argmax())])
                remedy = f"(x * {self.limit:g}).round()" if high <= 1 else "x.round()"
                raise DataError(
                    f"{what} holds {fraction:.6g}, but the model was trained on whole numbers of 0 to {self.limit:g}; "
                    f"give the same unit: {remedy}"
                )
            if high > self.limit or low < 0:
                beyond = high if high > self.limit else low
                raise DataError(
                    f"{what} holds {beyond:g}, but the model was trained on whole numbers of 0 to {self.limit:g}; "
                    "give the same unit"
                )
        elif not self.whole and self.low >= 0 and self.high <= 1 and whole and high >= 2:
            raise DataError(
                f"{what} holds whole numbers up to {high:g}, but the model was trained on fractions of 0 to 1; "
                f"give the same unit: x / {255 if high <= 255 else format(high, 'g')}"
            )
        return x


def describe_arrays(x_train: Array, limit: float | None = None) -> ArrayEncoding:
    """The encoding of training inputs [examples, *shape].

    Args:
        limit: the largest value of the unit; 255 for bytes that are more than flags, by default.
    """
    high, low = float(x_train.max()), float(x_train.min())
    whole = x_train.dtype.kind in "bui" or bool((x_train == np.floor(x_train)).all())
    if limit is None and x_train.dtype == np.uint8 and high > 1:
        limit = 255.0
    return ArrayEncoding(x_train.shape[1:], whole, low, high, limit)


def byte_unit(x_train: Array) -> float:
    """The number that bytes are divided by: 255 for images [examples, height, width, …]; else the largest value.

    Bytes in a table may be anything: flags of 0 and 1 must stay 0 and 1.
    """
    if x_train.dtype != np.uint8:
        return 1.0
    return 255.0 if x_train.ndim > 2 else max(1.0, float(x_train.max()))
