"""From the name of a task, or a path, to its data set."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nograd.core.types import DataError
from nograd.data.dataset import Dataset
from nograd.data.digits import load_digits
from nograd.data.files import load_npy, load_npz, load_table
from nograd.data.images import image_fields
from nograd.data.messages import near, near_file
from nograd.data.mnist import load_mnist
from nograd.data.paths import expand, is_file, is_folder
from nograd.data.read.formats import SUFFIXES as TABLES
from nograd.data.read.formats import table_format
from nograd.data.scaling import check_standardize, scaling

BUNDLES = ("breast_cancer", "diabetes", "iris", "linnerud", "wine")  # of scikit-learn
NAMES = ("mnist", "digits", *BUNDLES)
_ARRAYS = {".npz": load_npz, ".npy": load_npy}
SUFFIXES = (*_ARRAYS, *TABLES)
_CHOICES = "mnist, digits, iris, wine …, a table (FILE.csv, .parquet, .json, .xlsx …), FILE.npz or a folder of images"


def load(
    task: str | Path,
    *,
    data_dir: str | Path | None = None,
    label: str | Sequence[str] | None = None,
    seed: int = 0,
    standardize: str = "auto",
    progress: bool = True,
    problem: str = "auto",
    columns: Sequence[str] = (),
    drop: Sequence[str] = (),
    kinds: Mapping[str, str] | None = None,
    split: str = "auto",
    test: str | Path | None = None,
    val: str | Path | None = None,
    size: str | None = None,
) -> Dataset:
    """The data set of a task.

    Args:
        task: "mnist", "digits", a set that comes with scikit-learn, as "iris", the path of a table, of a .npz or .npy
            file, or of a folder of images.
        data_dir: the folder of MNIST's files; the other tasks do not need one.
        label: the label column of a table, or several: a sequence, or names with commas between them.
        seed: of the split, 0 or more; mnist and digits have fixed splits.
        standardize: "auto", "none", "center" or "standard"; see `scaling`.
        progress: show a download on stderr.
        problem: "auto", "classification", "regression" or "multilabel".
        columns: the features of a table to use, all by default; drop: those to leave out.
        kinds: by column name, the kind to read it as (number, category, flag or date) in place of the one found.
        split: "auto" is "stratified" for a table of classes, else "random"; "time:COLUMN", "group:COLUMN".
        test, val: further tables that are these parts.
        size: "28x28", the width and height in pixels that images are resized to.
    Raises:
        DataError: there is no such task or file, an option does not suit it, or its content cannot be read.
    """
    check_standardize(standardize)
    table: dict[str, Any] = {
        "label": label,
        "columns": columns,
        "drop": drop,
        "kinds": dict(kinds or {}),
        "test": test,
        "val": val,
    }
    common: dict[str, Any] = {"problem": problem, "split": split, "seed": seed, "standardize": standardize}
    if str(task) in ("mnist", "digits"):
        _refuse({**table, "size": size, "problem": problem, "split": split}, str(task))
        return _named(str(task), data_dir, standardize, progress)
    if str(task) in BUNDLES:
        _refuse({"test": test, "val": val, "size": size}, str(task))
        return _bundle(str(task), {**{k: v for k, v in table.items() if k not in ("test", "val")}, **common})
    path = _existing(task)
    if is_folder(path):
        _refuse(table, str(path))
        return Dataset(**image_fields(path, size, common))
    if path.suffix.lower() in _ARRAYS:
        _refuse({**table, "size": size}, str(task))
        return _ARRAYS[path.suffix.lower()](path, **common)
    _refuse({"size": size}, str(task))
    return load_table(path, **{**table, **common})


_TABLE_OPTIONS = {"label", "columns", "drop", "kinds", "test", "val"}


def _refuse(options: Mapping[str, Any], task: str) -> None:
    """Raises DataError at the first option that is given although the task has no use for it."""
    for name, value in options.items():
        if value is None or value == "auto" or not len(value if not isinstance(value, Path) else str(value)):
            continue
        flag = "as" if name == "kinds" else name
        for_what = (
            "tables, such as .csv files"
            if name in _TABLE_OPTIONS
            else "folders of images"
            if name == "size"
            else "files"
        )
        shown = value if isinstance(value, str | Path) else ",".join(map(str, value))
        raise DataError(f"--{flag} {shown} is for {for_what}, the task is {task}; leave --{flag} out")


def _named(task: str, data_dir: str | Path | None, standardize: str, progress: bool) -> Dataset:
    dataset = load_mnist(data_dir, progress=progress) if task == "mnist" else load_digits()
    if standardize == "auto":
        return dataset
    offset, scale = scaling(dataset.x_train, standardize, unit=float(1.0 / dataset.scale))
    return dataset._replace(offset=offset, scale=scale)


def _bundle(name: str, options: dict[str, Any]) -> Dataset:
    from nograd.data.bundles import bundle_fields
    from nograd.data.tables import TableOptions

    return Dataset(**bundle_fields(name, TableOptions(**options)))


def _existing(task: str | Path) -> Path:
    """The file or the folder of images that `task` names."""
    path = expand(task)
    if path.suffix.lower() in _ARRAYS or table_format(path):
        if is_file(path):
            return path
        if is_folder(path):
            raise DataError(f"{path} is a folder; give a .npz or .csv file in it")
        raise DataError(f"{path} is not found{near_file(path.name, _neighbours(path))}; check the path")
    if is_folder(path):
        if any(child.is_dir() for child in path.iterdir()):
            return path
        raise DataError(
            f"{path} has no subfolders; give one a class with its images in it, or a file: the tasks are {_CHOICES}"
        )
    if is_file(path):
        raise DataError(
            f"{path} has a suffix that no reader knows; convert it to .csv or .npz, the tasks are {_CHOICES}"
        )
    raise DataError(f"unknown task '{task}'{near(str(task), list(NAMES))}; the tasks are {_CHOICES}")


def _neighbours(path: Path) -> list[str]:
    """The data files beside a path that does not exist."""
    try:
        return sorted(p.name for p in path.parent.iterdir() if p.suffix.lower() in _ARRAYS or table_format(p))
    except OSError:
        return []
