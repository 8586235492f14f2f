"""Where a run's data file lies now: it may have moved since, or been named from another folder."""

from pathlib import Path

from nograd.core.types import DataError
from nograd.data.paths import expand, is_file


def find_data(task: str, run: Path, data_dir: str | None) -> Path:
    """Where the file of a run's task lies now.

    It is looked for as it was named, then under its name in `data_dir`, in the current folder, in the run directory and
    in the two folders above that.

    Raises:
        DataError: it lies in none of them.
    """
    named, absolute = expand(task), run.absolute()
    folders = [*([expand(data_dir)] if data_dir else []), Path(), absolute, absolute.parent, absolute.parent.parent]
    relative = [] if named.is_absolute() else [folder / named for folder in folders]
    for path in (named, *relative, *(folder / named.name for folder in folders)):
        if is_file(path):
            return path
    raise DataError(
        f"the data of {run}, {task}, are not found; say where they lie now: nograd train NEWPATH --resume {run}, or "
        f"nograd evaluate {run} --data NEWPATH"
    )
