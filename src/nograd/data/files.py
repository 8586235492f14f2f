"""A user's own arrays and tables: .npz and .csv files as data sets."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from nograd.core.types import DataError
from nograd.data.csv import Header, line_of, name_list, one_line, read_header, read_numbers
from nograd.data.dataset import Array, Dataset, check_standardize, scaling, sizes_note, split
from nograd.data.numpy_files import read_npz
from nograd.data.validate import PARTS, as_features, as_labels, check_pair, count_classes, validate

LABEL_NAMES = ("label", "target", "class", "y")
_KEYS = tuple(f"{axis}_{part}" for part in PARTS for axis in "xy")
_SHARE = 0.1  # of the examples, for a part that the file does not bring


def load_npz(path: str | Path, seed: int = 0, standardize: str = "auto") -> Dataset:
    """The data set in a .npz file with x_train and y_train, and perhaps x_val, y_val, x_test, y_test.

    Args:
        path: the file, read without pickle. x: [examples, *features], uint8 or any real numbers;
            y: whole numbers [examples], 0..k-1.
        seed: of the split that takes missing parts, 10% each, from the training examples.
        standardize: "auto" divides uint8 by 255 and leaves floats unchanged; "none"; "center"; "standard".
    Raises:
        DataError: unreadable, foreign keys, or contents that `validate` refuses.
    """
    path = Path(path)
    check_standardize(standardize)
    arrays = read_npz(path)
    _check_keys(path, arrays)
    parts: dict[str, tuple[Array, Array]] = {}
    for part in (part for part in PARTS if f"x_{part}" in arrays):
        x = as_features(arrays[f"x_{part}"], f"x_{part} of {path}")
        y = as_labels(arrays[f"y_{part}"], f"labels y_{part} of {path}")
        check_pair(x, y, part, str(path))
        parts[part] = x, y
    missing = [part for part in PARTS if part not in parts]
    shares = [1 - _SHARE * len(missing), *(_SHARE for _ in missing)]
    dealt = split(*parts["train"], seed, shares, str(path)) if missing else [parts["train"]]
    parts |= dict(zip(["train", *missing], dealt, strict=True))
    return _assemble(path, [parts[part] for part in PARTS], standardize, ())


def load_csv(path: str | Path, label: str | None = None, seed: int = 0, standardize: str = "auto") -> Dataset:
    """The data set in a .csv file: a header, one row an example, one column of labels, numbers all over.

    Args:
        path: UTF-8 text, delimited by commas, semicolons or tabs.
        label: the column of labels; by default the one named label, target, class or y.
        seed: of the 80/10/10 split.
        standardize: "auto" and "standard" bring each feature to mean 0 and standard deviation 1, since
            columns differ in unit; "none" leaves them as they are.
    Raises:
        DataError: unreadable, no label column, or a cell or row that is not what it should be.
    """
    path = Path(path)
    check_standardize(standardize)
    header = read_header(path)
    label = _label_column(path, header.columns, label)
    features = tuple(name for name in header.columns if name != label)
    if not features:
        raise DataError(f"{path} has no column but the label '{label}'; add at least one column of features")
    table = read_numbers(path, header, (*features, label), label)
    y = _whole_labels(path, header, table[:, -1])
    x = as_features(table[:, :-1], f"x of {path}")
    count_classes([y], str(path))
    parts = split(x, y, seed, (1 - 2 * _SHARE, _SHARE, _SHARE), str(path))
    return _assemble(path, parts, "standard" if standardize == "auto" else standardize, features)


def _assemble(path: Path, parts: Sequence[tuple[Array, Array]], standardize: str, columns: tuple[str, ...]) -> Dataset:
    """The checked data set made of three (x, y) parts."""
    (x_train, y_train), (x_val, y_val), (x_test, y_test) = parts
    classes = count_classes([y_train, y_val, y_test], str(path))
    offset, scale = scaling(x_train, standardize, 255.0 if x_train.dtype == np.uint8 else 1.0)
    note = sizes_note(str(path), len(x_train), len(x_val), len(x_test))
    arrays = (x_train, y_train, x_val, y_val, x_test, y_test)
    return validate(Dataset(path.stem, *arrays, classes, offset, scale, columns, note), str(path))


def _check_keys(path: Path, arrays: dict[str, Array]) -> None:
    """Raises DataError unless the keys are the allowed ones, and x and y come in pairs."""
    unknown = [key for key in arrays if key not in _KEYS]
    if unknown:
        raise DataError(f"{path} has unknown keys {name_list(unknown)}; the keys are {', '.join(_KEYS)}")
    for part in PARTS:
        pair = [key for key in (f"x_{part}", f"y_{part}") if key in arrays]
        if len(pair) == 1 or (part == "train" and not pair):
            missing = [key for key in (f"x_{part}", f"y_{part}") if key not in arrays]
            raise DataError(
                f"{path} has no {' and no '.join(missing)}; save both x_{part} and y_{part} with numpy.savez"
            )


def _label_column(path: Path, columns: tuple[str, ...], label: str | None) -> str:
    """The name of the label column: `label` if it exists, else the one that is called like one."""
    if label is not None:
        if label in columns:
            return label
        raise DataError(f"{path} has no column '{one_line(label)}'; pass --label NAME with one of {name_list(columns)}")
    found = [name for name in columns if name.lower() in LABEL_NAMES]
    if len(found) == 1:
        return found[0]
    fault = f"columns {' and '.join(found)} may all be labels" if found else "no column is named like a label"
    raise DataError(f"{path}: {fault}; pass --label NAME with one of {name_list(columns)}")


def _whole_labels(path: Path, header: Header, column: Array) -> Array:
    """A float column as int32 labels; messages tell the line in the file."""
    fractional = np.flatnonzero(column != np.floor(column))
    if fractional.size:
        row = int(fractional[0])
        raise DataError(
            f"labels of {path} must be whole numbers 0..k-1, got {column[row]} "
            f"({line_of(path, header, row)}); map them to 0..k-1"
        )
    # Beyond 2**53 a float64 is no longer exact; as_labels refuses anything near.
    clipped = np.clip(column, -(2.0**53), 2.0**53).astype(np.int64)
    return as_labels(clipped, f"labels of {path}", lambda row: line_of(path, header, row))
