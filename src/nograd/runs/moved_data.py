"""Finding the data file of a run, which may have moved, or may have been named relative to another folder."""

from pathlib import Path

from nograd.core.types import DataError
from nograd.data.paths import expand, is_file


def find_data(task: str, run: Path, data_dir: str | None) -> Path:
    """The present path of the data file of a run.

    It is looked for at the path `task`, then under its name in `data_dir`, the current folder, the run directory and
    the two folders above the run directory.

    Raises:
        DataError: it is in none of them.
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
