"""NumPy's own files, .npy and .npz, read without pickle: loading data never runs code."""

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np

from nograd.core.types import DataError
from nograd.data.arrays import Array
from nograd.data.messages import one_line
from nograd.data.read.compressed import check_zip

_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError)


def read_npz(path: Path) -> dict[str, Array]:
    """Every array of a .npz file, by key.

    Raises:
        DataError: not a .npz file, damaged, or with Python objects in it.
    """
    with _reading(path) as handle:
        check_zip(path)
        archive = np.load(handle, allow_pickle=False)
        if isinstance(archive, np.ndarray):
            raise DataError(f"{path} holds a single array, not named ones; write it with numpy.savez")
        with archive:
            return {key: archive[key] for key in archive.files}


def read_npy(path: Path) -> Array:
    """The array of a .npy file.

    Raises:
        DataError: not a .npy file, damaged, or with Python objects in it.
    """
    with _reading(path) as handle:
        array = np.load(handle, allow_pickle=False)
        if isinstance(array, np.ndarray):
            return array
        array.close()
        raise DataError(f"{path} is a .npz archive by its content; rename it to .npz")


@contextmanager
def _reading(path: Path) -> Iterator[IO[bytes]]:
    """The open file; what can go wrong on the way from disk to array becomes a DataError."""
    try:
        # Opened here: NumPy leaves a file open that it cannot make sense of.
        with path.open("rb") as handle:
            yield handle
    except FileNotFoundError as error:
        raise DataError(f"{path} is not found; check the path") from error
    except OSError as error:
        raise DataError(f"cannot read {path} ({error.strerror or error}); check path and permissions") from error
    except _DAMAGE as error:
        if "Object arrays" in str(error):
            raise DataError(
                f"{path} holds Python objects, which are never loaded; save plain arrays of numbers"
            ) from error
        raise DataError(
            f"{path} is damaged or not a NumPy file ({one_line(error)}); write it again with NumPy"
        ) from error
