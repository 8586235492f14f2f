"""A data set in memory: its arrays, what they mean, and its checksum."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from nograd.data.arrays import Array
from nograd.data.arrays_encoding import ArrayEncoding

if TYPE_CHECKING:  # they import Polars, which a data set of arrays does without
    from nograd.data.encoding import Encoding
    from nograd.data.tables import ColumnReport
    from nograd.data.targets import Target

_ARRAYS = ("x_train", "y_train", "x_val", "y_val", "x_test", "y_test", "offset", "scale")


class Dataset(NamedTuple):
    """Labelled examples in three parts. Inputs keep their type, such as uint8, until a batch is drawn."""

    name: str  # "mnist", "digits", or the stem of the file
    x_train: Array  # uint8 or float32 [examples, *features]
    y_train: Array  # int32 [examples], 0..classes-1; float32 [examples, targets] of numbers and of several labels
    x_val: Array
    y_val: Array
    x_test: Array
    y_test: Array
    classes: int  # outputs of the network: the classes, or the targets
    offset: Array  # float32, () or [*features]: the model sees (x - offset) * scale
    scale: Array  # float32, () or [*features]
    columns: tuple[str, ...]  # the columns of a table that are used, in the network's order; () otherwise
    note: str  # where the data came from and the sizes of its parts, in one line
    target: "Target | None" = None  # what is predicted; None for classes 0..classes-1 without other names
    encoding: "Encoding | ArrayEncoding | None" = None  # from a file's values to x; what `predict` applies
    account: "tuple[ColumnReport, ...]" = ()  # what became of each column of a table
    remarks: tuple[str, ...] = ()  # for the user: rows left out, rare classes
    rows: tuple[Array, Array, Array] | None = None  # of training, validation, test: their rows in the table

    @property
    def problem(self) -> str:
        """ "classification", "regression" or "multilabel"."""
        return self.target.problem if self.target else "classification"

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes, or the several labels, by name; () for numbers."""
        return self.target.classes if self.target else tuple(map(str, range(self.classes)))

    @property
    def features(self) -> tuple[str, ...]:
        """A name for each number that the network gets of a table; () for arrays."""
        return () if self.encoding is None or isinstance(self.encoding, ArrayEncoding) else self.encoding.features

    @classmethod
    def from_frame(cls, frame: Any, label: str | Sequence[str] | None = None, **options: Any) -> "Dataset":
        """A data set from a frame of pandas, Polars, PyArrow …, or from a mapping of columns.

        Args:
            label: the label column, or several; by default the one named label, target, class or y.
            options: problem, columns, drop, kinds, split, seed, standardize, test, val and name, as in `load`.
        Raises:
            DataError: what is wrong with the frame.
        """
        from nograd.data.own import frame_fields

        return cls(**frame_fields(frame, label, options))

    @classmethod
    def from_arrays(cls, x: Any, y: Any, *, names: Sequence[str] | None = None, **options: Any) -> "Dataset":
        """A data set from arrays of any library, or from lists.

        Args:
            x: [examples] or [examples, features], numbers or text; images [examples, height, width, …].
            y: [examples] or [examples, labels]: numbers, text, or true and false.
            names: of the features.
            options: problem, drop, kinds, split, seed, standardize and name, as in `load`.
        Raises:
            DataError: what is wrong with the arrays.
        """
        from nograd.data.own import array_fields

        return cls(**array_fields(x, y, names, options))


def checksum(dataset: Dataset) -> str:
    """SHA-256 (64 hex digits) of what a training run sees: every array, the class count and the columns.

    The name and the note are left out, so a file that was moved or renamed keeps its checksum.
    """
    digest = hashlib.sha256(repr((dataset.classes, dataset.columns)).encode())
    if dataset.target is not None:
        digest.update(repr(_plain(dataset.target.to_json())).encode())
    for name in _ARRAYS:
        array = np.asarray(getattr(dataset, name))
        # Little-endian on every machine, so that the same data give the same digits everywhere.
        flat = np.ascontiguousarray(array.astype(array.dtype.newbyteorder("<"), copy=False)).reshape(-1)
        digest.update(f"{name} {array.shape} {array.dtype.name};".encode())
        digest.update(flat.view(np.uint8).data)
    return digest.hexdigest()


def _plain(record: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """A record in one order."""
    return sorted(record.items())


def account_lines(dataset: Dataset) -> list[str]:
    """One line per column of a table on what became of it, in three columns of text; then the remarks."""
    names = [" ".join(line.column.split())[:30] or "(no name)" for line in dataset.account]
    width = max(map(len, names), default=0)
    lines = [
        f"{name:{width}}  {line.kind:8}  {line.note}".rstrip()
        for name, line in zip(names, dataset.account, strict=True)
    ]
    return [*lines, *dataset.remarks]
