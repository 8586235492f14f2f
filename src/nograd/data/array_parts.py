"""Arrays of examples as the fields of a data set: .npz and .npy files, folders of images, arrays of a program."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from nograd.core.types import DataError
from nograd.data.arrays import PARTS, Array
from nograd.data.arrays_encoding import byte_unit, describe_arrays
from nograd.data.checks import as_features, as_labels, check_alike, check_finite, check_pair, count_classes
from nograd.data.scaling import check_standardize, scaling
from nograd.data.splits import SHARE, part_sizes, random_rows, stratified_rows

if TYPE_CHECKING:
    from nograd.data.targets import Target

SPLITS = ("auto", "random", "stratified")


class ArrayParts(NamedTuple):
    """Inputs and labels by part: "train" always, "val" and "test" where they are given."""

    parts: Mapping[str, tuple[Array, Array]]
    source: str  # what messages call it
    name: str

    def fields(
        self, problem: str = "auto", split: str = "auto", seed: int = 0, standardize: str = "auto"
    ) -> dict[str, Any]:
        """The fields of a `Dataset`. Each part that is not given takes 10% of the training examples.

        Raises:
            DataError: what is wrong with the arrays.
        """
        check_standardize(standardize)
        if split not in SPLITS:
            raise DataError(f"--split cannot be {split!r} for arrays; use one of {', '.join(SPLITS)}")
        there = [part for part in PARTS if part in self.parts]
        x = {part: as_features(self.parts[part][0], f"x_{part} of {self.source}") for part in there}
        y, target = self._labels(there, problem, seed, split)
        for part in there:
            check_pair(x[part], y[part], part, self.source)
            check_alike(x["train"], x[part], part, self.source)
        missing = [part for part in PARTS if part not in there]
        rows = _deal(y["train"], len(missing), split, seed, self.source, target)
        dealt = dict(zip(["train", *missing], rows, strict=True))
        arrays = {
            f"{axis}_{part}": of["train"][rows] for axis, of in (("x", x), ("y", y)) for part, rows in dealt.items()
        }
        arrays |= {f"{axis}_{part}": of[part] for axis, of in (("x", x), ("y", y)) for part in there if part != "train"}
        target, arrays, classes = _finished(target, arrays, self.source)
        offset, scale = scaling(arrays["x_train"], standardize, byte_unit(arrays["x_train"]))
        sizes = [len(arrays[f"x_{part}"]) for part in PARTS]
        return {
            "name": self.name,
            **arrays,
            "classes": classes,
            "offset": offset,
            "scale": scale,
            "columns": (),
            "note": sizes_note(self.source, *sizes),
            "target": target,
            "encoding": describe_arrays(arrays["x_train"]),
        }

    def _labels(self, there: Sequence[str], problem: str, seed: int, split: str) -> tuple[dict[str, Array], Any]:
        """The labels of each part (whole numbers 0..k-1 unchanged, others as columns), and their problem."""
        y = {part: array_target(self.parts[part][1]) for part in there}
        if problem in ("auto", "classification") and all(_plain(array) for array in y.values()):
            present = np.unique(np.concatenate(list(y.values())))
            if len(present) == 1 or (present == np.arange(len(present))).all():
                if len(present) > 2 and 2 * _singles(y) > sum(map(len, y.values())):
                    raise DataError(
                        f"labels of {self.source} have {len(present):,} different values, most of them once; "
                        "give labels that come again, or --problem regression for numbers"
                    )
                labels = {
                    part: as_labels(a.astype(np.int64), f"labels y_{part} of {self.source}") for part, a in y.items()
                }
                return labels, None
        for part, array in y.items():
            _check_target(array, f"labels y_{part} of {self.source}")
        return y, problem


def _plain(y: Array) -> bool:
    """Whether labels are whole numbers, one per example."""
    if y.ndim != 1 or y.dtype.kind not in "uif" or not y.size:
        return False
    return y.dtype.kind != "f" or bool((np.isfinite(y) & (y == np.floor(y)) & (np.abs(y) < 2**53)).all())


def _singles(y: Mapping[str, Array]) -> int:
    _, counts = np.unique(np.concatenate(list(y.values())), return_counts=True)
    return int((counts == 1).sum())


def _check_target(y: Array, what: str) -> None:
    if y.ndim not in (1, 2) or not y.size:
        raise DataError(
            f"{what} must have shape [examples] or [examples, labels], got {y.shape}; give one label an example"
        )
    check_finite(y, what)


def array_target(y: Array) -> Array:
    """Labels of shape [n, 1] as [n], and one-hot rows as the numbers of their classes; others unchanged."""
    if y.ndim == 2 and y.shape[1] == 1:
        return y[:, 0]
    if y.ndim == 2 and y.dtype.kind in "buif" and y.shape[1] > 1 and len(y) > 1:
        binary = (y == 0) | (y == 1)
        if binary.all() and (y.sum(axis=1) == 1).all():
            return y.argmax(axis=1)
    return y


def _deal(y: Array, missing: int, split: str, seed: int, source: str, target: object) -> list[Array]:
    """The rows for training and for each part that is not given."""
    if not missing:
        return [np.arange(len(y))]
    sizes = part_sizes(len(y), [SHARE] * missing, seed, source)
    if split == "stratified" and y.ndim == 1:
        _, codes = np.unique(y, return_inverse=True)
        return stratified_rows(codes, sizes, seed)
    return random_rows(len(y), sizes, seed)


def _finished(problem: Any, arrays: dict[str, Array], source: str) -> "tuple[Target | None, dict[str, Array], int]":
    """The target, and the labels as a task reads them."""
    if problem is None:
        return None, arrays, count_classes([arrays[f"y_{part}"] for part in PARTS], source)
    # Imported here: labels 0..k-1 need no Polars.
    import polars as pl

    from nograd.data.columns import canonical
    from nograd.data.frames import array_columns
    from nograd.data.table import Table, row_place
    from nograd.data.targets import find_problem, learn_target

    table = Table(pl.DataFrame(), source, row_place)
    y = np.concatenate([arrays[f"y_{part}"] for part in PARTS])
    table = table._replace(frame=pl.DataFrame(array_columns(y, None, "y", table)))
    kinds = dict.fromkeys(table.frame.columns, "category") if problem == "classification" else {}
    values = canonical(table, kinds).frame.get_columns()
    if any(column.null_count() for column in values):
        raise DataError(f"labels of {source} have missing values; leave those examples out")
    problem = find_problem(values, problem, source)
    target = learn_target(values, np.arange(len(arrays["y_train"])), problem, source)
    bounds = np.cumsum([len(arrays[f"y_{part}"]) for part in PARTS])[:-1]
    encoded = np.split(target.encode(values), bounds)
    return target, arrays | {f"y_{part}": y for part, y in zip(PARTS, encoded, strict=True)}, target.outputs


def sizes_note(source: str, n_train: int, n_val: int, n_test: int) -> str:
    """The one line of `Dataset.note`: the source, then the numbers of examples."""
    return f"{source}: {n_train:,} training, {n_val:,} validation and {n_test:,} test examples"
