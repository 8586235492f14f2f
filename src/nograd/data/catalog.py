"""From the name of a task, or a path, to its data set."""

import difflib
from pathlib import Path

from nograd.core.types import DataError
from nograd.data.dataset import Dataset, check_standardize, scaling
from nograd.data.digits import load_digits
from nograd.data.files import load_csv, load_npz
from nograd.data.mnist import load_mnist
from nograd.data.paths import expand, is_file, is_folder

NAMES = ("mnist", "digits")
SUFFIXES = (".npz", ".csv")


def load(
    task: str | Path,
    *,
    data_dir: str | Path | None = None,
    label: str | None = None,
    seed: int = 0,
    standardize: str = "auto",
    progress: bool = True,
) -> Dataset:
    """The data set of a task.

    Args:
        task: "mnist", "digits", or the path of a .npz or .csv file.
        data_dir: the folder of MNIST's files; the other tasks do not need one.
        label: the label column of a .csv file.
        seed: of the split of a file; mnist and digits have splits of their own.
        standardize: "auto", "none", "center" or "standard"; see `scaling`.
        progress: show a download on stderr.
    Raises:
        DataError: no such task or file, or what its loader refuses.
    """
    check_standardize(standardize)
    suffix = Path(task).suffix.lower()
    if label is not None and suffix != ".csv":
        raise DataError(f"--label {label} is for .csv files, the task is {task}; leave --label out")
    if str(task) in NAMES:
        dataset = load_mnist(data_dir, progress=progress) if str(task) == "mnist" else load_digits()
        if standardize == "auto":
            return dataset
        offset, scale = scaling(dataset.x_train, standardize, unit=float(1.0 / dataset.scale))
        return dataset._replace(offset=offset, scale=scale)
    path = _existing(task)
    return load_csv(path, label, seed, standardize) if suffix == ".csv" else load_npz(path, seed, standardize)


def _existing(task: str | Path) -> Path:
    """The .npz or .csv file that `task` names."""
    path = expand(task)
    choices = "mnist, digits, FILE.npz or FILE.csv"
    if path.suffix.lower() in SUFFIXES:
        if is_file(path):
            return path
        if is_folder(path):
            raise DataError(f"{path} is a folder; give a .npz or .csv file in it")
        raise DataError(f"{path} is not found{_near(path.name, _neighbours(path))}; check the path")
    if is_file(path) or is_folder(path):
        raise DataError(f"{path} is neither .npz nor .csv; convert it, the tasks are {choices}")
    raise DataError(f"unknown task '{task}'{_near(str(task), list(NAMES))}; the tasks are {choices}")


def _near(word: str, words: list[str]) -> str:
    """ ", did you mean X?" for the closest of `words`, "" if none is close."""
    close = difflib.get_close_matches(word.lower(), words, n=1)
    return f", did you mean {close[0]}?" if close else ""


def _neighbours(path: Path) -> list[str]:
    """The data files beside a path that does not exist."""
    try:
        return sorted(p.name for p in path.parent.iterdir() if p.suffix.lower() in SUFFIXES)
    except OSError:
        return []
