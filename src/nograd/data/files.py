"""A user's own files as data sets: tables, .npz archives, pairs of .npy files."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nograd.config.name_lists import name_list as names_in
from nograd.core.types import DataError
from nograd.data.array_parts import ArrayParts
from nograd.data.arrays import PARTS, Array
from nograd.data.dataset import Dataset
from nograd.data.messages import name_list
from nograd.data.numpy_files import read_npy, read_npz
from nograd.data.read.formats import by_place, read_table, table_format
from nograd.data.scaling import check_standardize

_KEYS = tuple(f"{axis}_{part}" for part in PARTS for axis in "xy")
_PAIR_WORDS = (("x", "y"), ("X", "y"), ("X", "Y"), ("features", "labels"), ("images", "labels"), ("data", "target"))


def load_npz(
    path: str | Path, seed: int = 0, standardize: str = "auto", problem: str = "auto", split: str = "auto"
) -> Dataset:
    """The data set in a .npz file with x_train and y_train, and perhaps x_val, y_val, x_test, y_test.

    Args:
        path: the file, read without pickle. x: [examples, *features], uint8 or any real numbers;
            y: [examples] classes of any name or numbers, or [examples, labels]. Keys x and y alone will do.
        seed: of the split that takes missing parts, 10% each, from the training examples.
        standardize: "auto" divides images of bytes by 255, a table of bytes by its largest value, and leaves floats
            unchanged; "none"; "center"; "standard".
        problem: "auto", "classification", "regression" or "multilabel".
        split: "auto" and "random" deal at random, "stratified" by class.
    Raises:
        DataError: unreadable, foreign keys, or contents that cannot be trained on.
    """
    check_standardize(standardize)
    path = Path(path)
    return _from_arrays(path, read_npz(path), problem, split, seed, standardize)


def load_npy(
    path: str | Path, seed: int = 0, standardize: str = "auto", problem: str = "auto", split: str = "auto"
) -> Dataset:
    """The data set in x.npy and y.npy, or in x_train.npy, y_train.npy and the other parts beside them.

    Args:
        path: the file of the inputs; the labels are found beside it by its name.
    Raises:
        DataError: the labels are not there, or what `load_npz` refuses.
    """
    path = Path(path)
    for inputs, labels in _PAIR_WORDS:
        if path.stem == inputs or path.stem == f"{inputs}_train":
            names = {f"x{rest}": f"{inputs}{rest}" for rest in ("", "_train", "_val", "_test")}
            names |= {f"y{rest}": f"{labels}{rest}" for rest in ("", "_train", "_val", "_test")}
            keys = names if path.stem != inputs else {"x": inputs, "y": labels}
            found = {key: path.with_name(f"{name}.npy") for key, name in keys.items()}
            arrays = {key: read_npy(file) for key, file in found.items() if file.is_file()}
            if any(key in arrays for key in ("y", "y_train")):
                return _from_arrays(path, arrays, problem, split, seed, standardize)
    raise DataError(
        f"{path} has no file of labels beside it; name the two x.npy and y.npy, or x_train.npy and y_train.npy"
    )


def _from_arrays(
    path: Path, arrays: dict[str, Array], problem: str, split: str, seed: int, standardize: str
) -> Dataset:
    if set(arrays) == {"x", "y"}:
        arrays = {"x_train": arrays["x"], "y_train": arrays["y"]}
    _check_keys(path, arrays)
    parts = {part: (arrays[f"x_{part}"], arrays[f"y_{part}"]) for part in PARTS if f"x_{part}" in arrays}
    return Dataset(**ArrayParts(parts, str(path), path.stem).fields(problem, split, seed, standardize))


def load_csv(
    path: str | Path, label: str | Sequence[str] | None = None, seed: int = 0, standardize: str = "auto", **options: Any
) -> Dataset:
    """The data set in a file of delimited text; `load_table` without regard to the file's name."""
    from nograd.data.read.delimited import read_delimited

    check_standardize(standardize)
    given = {"label": label, "seed": seed, "standardize": standardize, **options}
    return _from_table(Path(path), read_delimited(Path(path), headless=by_place(_named(given))), given)


def load_table(path: str | Path, **options: Any) -> Dataset:
    """The data set in a file that holds a table.

    Args:
        path: .csv, .tsv, .parquet, .json, .jsonl or .xlsx; the text formats also with .gz.
        options: as in `load`.
    Raises:
        DataError: unreadable, or what is wrong with the table.
    """
    return _from_table(Path(path), read_table(Path(path), _named(options)), options)


def _named(options: Mapping[str, Any]) -> list[str]:
    """The columns that the options of a table name."""
    label = options.get("label") or ()
    labels = names_in(label) if isinstance(label, str) else label
    return [*labels, *options.get("columns", ()), *options.get("drop", ()), *(options.get("kinds") or {})]


def _from_table(path: Path, table: Any, options: dict[str, Any]) -> Dataset:
    # Imported here: Polars, which arrays do without.
    from nograd.data.own import table_fields
    from nograd.data.tables import TableOptions

    options = dict(options)
    others = [_other(options.pop(part, None), table.frame.columns) for part in ("val", "test")]
    name = path.name.removesuffix(".gz").rpartition(".")[0] or path.name
    return Dataset(**table_fields(table, TableOptions(**options), name, *others))


def _other(path: str | Path | None, names: Sequence[str]) -> Any:
    """The table of a part that has a file of its own, with the columns of the training data."""
    if path is None:
        return None
    if table_format(Path(path)) is None:
        raise DataError(f"{path} is no table by its name; give a file such as test.csv")
    return read_table(Path(path), names)


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
