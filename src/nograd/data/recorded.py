"""Reads what the config.json of a run says about its data."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nograd.core.types import DataError
from nograd.data.arrays_encoding import ArrayEncoding

if TYPE_CHECKING:
    from nograd.data.encoding import Encoding
    from nograd.data.targets import Target


def encoding_from_json(record: Mapping[str, Any]) -> "Encoding | ArrayEncoding":
    """The encoding that `to_json` wrote: of a table, or of arrays.

    Raises:
        DataError: it is of no kind that this version knows.
    """
    if record.get("kind") == "arrays":
        return ArrayEncoding.from_json(record)
    if record.get("kind") == "table":
        from nograd.data.encoding import Encoding

        return Encoding.from_json(record)
    raise DataError(f"the recorded encoding is of kind {record.get('kind')!r}; it was written by another version")


def target_from_json(record: Mapping[str, Any]) -> "Target":
    """The target that `Target.to_json` wrote."""
    from nograd.data.targets import Target

    return Target.from_json(record)
