"""New labelled examples from a file or a frame, in the form that a run's network and metrics take."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nograd.config.name_lists import kinds_of, name_list
from nograd.config.settings import TrainConfig
from nograd.core.types import DataError
from nograd.data import ArrayEncoding, encoding_from_json, load_inputs, target_from_json
from nograd.data.messages import one_line
from nograd.data.numpy_files import read_npz
from nograd.data.paths import expand, is_file
from nograd.data.read.formats import read_table, table_format

if TYPE_CHECKING:  # imports Polars, which arrays do not need
    from nograd.data.table import Table
    from nograd.data.targets import Target


def labelled_examples(
    data: Mapping[str, Any], config: TrainConfig, source: Any, any_column: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """(x, y) of new examples, encoded as the run's training data were. Rows without a label are left out.

    Args:
        data: the "data" entry of config.json.
        config: the settings of the run.
        source: the path of a table or of a .npz file with x and y, or a frame.
        any_column: whether the table may have columns that the training data did not have.

    Returns:
        x, [examples, *shape], and y, [examples] or [examples, labels].

    Raises:
        DataError: a column or the labels are missing, or a label did not occur in the training data.
    """
    recorded = encoding_from_json(data["encoding"]) if data.get("encoding") else None
    if recorded is None or isinstance(recorded, ArrayEncoding):
        return _of_arrays(data, recorded, source)
    from nograd.data.frames import frame_table, is_frame

    target = target_from_json(data["target"])
    if is_frame(source):
        table = frame_table(source, "the frame")
    else:
        path = _existing(source)
        if table_format(path) is None:
            raise DataError(f"{path} is no table by its name, and the run was trained on one; give a file such as .csv")
        table = read_table(path, target.names)
    there, y = _labels(table, target, config)
    inputs = table._replace(frame=table.frame.drop(*target.names))
    x = recorded.encode(inputs, None if any_column or config.columns else name_list(config.drop))
    return x[there], y


def _existing(source: Any) -> Path:
    path = expand(source)
    if not is_file(path):
        raise DataError(f"{path} is not found; give a file of labelled examples")
    return path


def _labels(table: "Table", target: "Target", config: TrainConfig) -> tuple[np.ndarray, np.ndarray]:
    """Which rows have a label, as booleans, and the labels of these rows."""
    import polars as pl

    from nograd.data.columns import canonical, is_code

    missing = [name for name in target.names if name not in table.frame.columns]
    if missing:
        raise DataError(
            f"{table.source} lacks the label column '{one_line(missing[0])}', which a score needs; "
            "add it, or use nograd predict"
        )
    kinds = kinds_of(config.kinds)
    if config.problem == "classification" or is_code(pl.Series(target.classes, dtype=pl.String)):
        kinds |= dict.fromkeys(target.names, "category")
    labels = table._replace(frame=table.frame.select(target.names))
    values = canonical(labels, kinds).frame.get_columns()
    there = ~np.any([column.is_null().to_numpy() for column in values], axis=0)
    if not there.any():
        raise DataError(f"{table.source} has no row with a label in column '{one_line(target.names[0])}'; fill it in")
    return there, target.encode_known([column.filter(there) for column in values], table.source)


def _of_arrays(data: Mapping[str, Any], encoding: ArrayEncoding | None, source: Any) -> tuple[np.ndarray, np.ndarray]:
    """(x, y) of a .npz file, for a run that was trained on arrays."""
    path = _existing(source)
    if path.suffix.lower() != ".npz":
        raise DataError(f"{path} cannot be scored: this run was trained on arrays; give a .npz file with x and y")
    y = read_npz(path).get("y")
    x = load_inputs(path, tuple(data["input_shape"]), (), encoding)
    if y is None or len(y) != len(x):
        raise DataError(f"{path} has {'no' if y is None else f'{len(y):,}'} labels y for {len(x):,} examples x")
    if data.get("target"):
        import polars as pl

        from nograd.data.frames import array_columns
        from nograd.data.table import Table, row_place

        table = Table(pl.DataFrame(), str(path), row_place)
        columns = array_columns(y, None, "y", table)
        return x, target_from_json(data["target"]).encode_known(columns, str(path))
    if y.ndim != 1 or not len(y) or y.dtype.kind not in "ui" or y.min() < 0 or y.max() >= data["classes"]:
        raise DataError(f"labels y of {path} must be classes 0 to {data['classes'] - 1}; correct them")
    return x, y.astype(np.int32)
