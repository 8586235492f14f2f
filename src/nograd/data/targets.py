"""What is to be predicted: classes with their names, numbers in their unit, or several labels at once."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from nograd.config.axes import PROBLEMS
from nograd.core.types import DataError
from nograd.data.arrays import Array
from nograd.data.columns import as_text, level_codes
from nograd.data.frames import natural
from nograd.data.messages import name_list, one_line

_FEW = 20  # different whole numbers that are taken for classes
_ROWS_A_CLASS = 20  # whole numbers 0..k-1 are classes beyond that, if each occurs this often


class Target(NamedTuple):
    """What the label columns are."""

    problem: str  # "classification", "regression" or "multilabel"
    names: tuple[str, ...]  # of the label columns
    classes: tuple[str, ...] = ()  # the names of the classes, in the order of their numbers
    mean: tuple[float, ...] = ()  # of each target of a regression, over the training rows
    scale: tuple[float, ...] = ()  # their standard deviations: y = encoded · scale + mean

    @property
    def outputs(self) -> int:
        """Numbers that a network gives for an example."""
        return len(self.classes) if self.problem == "classification" else len(self.names)

    def encode(self, values: Sequence[pl.Series]) -> Array:
        """Labels as a task reads them.

        Returns:
            int32 [rows] for classes; float32 [rows, targets] for numbers, standardised; for several labels 0 and 1.
        """
        if self.problem == "classification":
            return level_codes(as_text(values[0]), self.classes).astype(np.int32)
        table = _matrix(values)
        if self.problem == "regression":
            table = (table - np.array(self.mean)) / np.array(self.scale)
        return table.astype(np.float32)

    def encode_known(self, values: Sequence[pl.Series], source: str) -> Array:
        """The labels of new examples, in canonical form and none of them missing.

        Raises:
            DataError: a class that training did not know, or a label that is no number where it was one.
        """
        if self.problem == "classification":
            text = as_text(values[0])
            codes = self.encode(values)
            if (codes < 0).any():
                raise DataError(
                    f"the label '{one_line(text[int((codes < 0).argmax())])}' of {source} (column "
                    f"'{one_line(self.names[0])}') is none of the classes of the training, {name_list(self.classes)}; "
                    "leave out its rows, or train with such examples"
                )
            return codes
        for column in values:
            _check_numbers(column, self.problem, source, "leave out its rows")
        return self.encode(values)

    def decode(self, outputs: Array) -> Array:
        """Outputs of a regression in the unit of the file, float64 [rows, targets]; others unchanged."""
        if self.problem != "regression":
            return outputs
        return outputs.astype(np.float64).reshape(len(outputs), -1) * np.array(self.scale) + np.array(self.mean)

    def to_json(self) -> dict[str, Any]:
        """Plain values for config.json."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in self._asdict().items()}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "Target":
        """The target that `to_json` wrote."""
        fields: dict[str, Any] = {n: tuple(value) if isinstance(value, list) else value for n, value in record.items()}
        return cls(**fields)


def find_problem(values: Sequence[pl.Series], problem: str, source: str) -> str:
    """The problem that label columns pose.

    Args:
        values: the label columns in canonical form, without missing values.
        problem: "auto" to find it.
    Raises:
        DataError: the labels do not suit the problem that is asked for.
    """
    if problem not in PROBLEMS.words:
        raise DataError(f"problem must be one of {', '.join(PROBLEMS.words)}, got {problem!r}; use auto")
    if problem == "auto":
        problem = _found(values)
    if problem == "classification" and len(values) > 1:
        raise DataError(
            f"{source} has {len(values)} label columns ({name_list([v.name for v in values])}), "
            "a classification has one; "
            "name one, or use --problem multilabel"
        )
    for column in values if problem != "classification" else ():
        alone = f"name '{one_line(column.name)}' as the only --label"
        _check_numbers(column, problem, source, "use --problem classification" if len(values) == 1 else alone)
    return problem


def _found(values: Sequence[pl.Series]) -> str:
    if len(values) > 1:
        return "multilabel" if all(map(_is_binary, values)) else "regression"
    (column,) = values
    if column.dtype == pl.Datetime or column.dtype != pl.Float64:
        return "classification"
    levels, sizes = np.unique(column.to_numpy(), return_counts=True)
    if (levels != np.floor(levels)).any():
        return "regression"
    counted = bool((levels == np.arange(len(levels))).all()) and len(levels) * _ROWS_A_CLASS <= len(column)
    # Where nearly every row has a number of its own, they are measured, not named.
    measured = len(levels) > 2 and _mostly_single(sizes)
    return "classification" if (len(levels) <= _FEW and not measured) or counted else "regression"


def _mostly_single(sizes: Array) -> bool:
    """Whether more than half of the rows are the only one of their value."""
    return 2 * int((sizes == 1).sum()) > int(sizes.sum())


def _is_binary(column: pl.Series) -> bool:
    return column.dtype == pl.Boolean or (column.dtype == pl.Float64 and set(column.unique()) <= {0.0, 1.0})


def _check_numbers(column: pl.Series, problem: str, source: str, remedy: str) -> None:
    """Raises DataError where a label column holds no numbers, or a label that is neither 0 nor 1."""
    name, first = one_line(column.name), one_line(column[0])
    if problem == "multilabel" and not _is_binary(column):
        raise DataError(
            f"the labels '{name}' of {source} must be 0 and 1, or true and false, with --problem multilabel, "
            f"but one is '{_other(column)}'; use --problem regression for numbers"
        )
    if problem == "regression" and column.dtype not in (pl.Float64, pl.Boolean):
        raise DataError(f"the label '{name}' of {source} is '{first}', not a number; give numbers, or {remedy}")


def _other(column: pl.Series) -> object:
    """The first value that is neither 0 nor 1."""
    return one_line(next((value for value in column if value not in (0.0, 1.0)), column[0]))


def learn_target(values: Sequence[pl.Series], train: Array, problem: str, source: str) -> Target:
    """The classes of all rows, or the mean and the deviation of the training rows.

    Args:
        values: the label columns of all rows. train: the numbers of the training rows.
    Raises:
        DataError: labels that are all one, or all different classes.
    """
    names = tuple(column.name for column in values)
    if problem == "classification":
        return Target(problem, names, _classes(values[0], source))
    table = np.sort(_matrix(values)[train], axis=0)
    for column, name in zip(table.T, names, strict=True):
        if column[0] == column[-1]:
            raise DataError(
                f"the label '{one_line(name)}' of {source} is {column[0]:g} in every training row; "
                "there is nothing to learn: choose another label, or give more rows"
            )
    if problem == "multilabel":
        return Target(problem, names, classes=names)
    mean = table.mean(axis=0)
    return Target(problem, names, mean=tuple(mean.tolist()), scale=tuple((table - mean).std(axis=0).tolist()))


def _classes(column: pl.Series, source: str) -> tuple[str, ...]:
    """The names of the classes: numbers in their order, text in the alphabet's.

    Raises:
        DataError: one class, or hardly two rows of any.
    """
    counts = as_text(column).value_counts()
    names, sizes = counts.to_series(0).to_list(), counts.to_series(1).to_numpy()
    label = one_line(column.name)
    if len(names) == 1:
        raise DataError(
            f"every label of {source} is {one_line(names[0])} (column '{label}'); "
            "classification needs at least two classes: choose another label, or give rows of other classes"
        )
    if len(names) > 2 and _mostly_single(sizes):
        raise DataError(
            f"the label '{label}' of {source} has {len(names):,} different values in {len(column):,} rows, such as "
            f"{name_list(sorted(names), 3)}; choose a label whose values come again"
            + (", or use --problem regression" if column.dtype == pl.Float64 else "")
        )
    return tuple(sorted(names, key=float if column.dtype == pl.Float64 else natural))


def _matrix(values: Sequence[pl.Series]) -> Array:
    """float64 [rows, columns]."""
    return np.stack([column.cast(pl.Float64).to_numpy() for column in values], axis=1)
