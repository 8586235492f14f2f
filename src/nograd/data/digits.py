"""The digits that come with scikit-learn: 1,797 images of 8×8 pixels, no download."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np

from nograd.data.array_parts import sizes_note
from nograd.data.arrays_encoding import describe_arrays
from nograd.data.dataset import Dataset
from nograd.data.scaling import scaling
from nograd.data.splits import split

SIZES = (1297, 250, 250)  # training, validation, test
SPLIT_SEED = 0  # fixed: results on digits are compared between runs of any seed
LARGEST = 16.0  # a pixel counts the set pixels of a 4×4 block of the scan


def load_digits() -> Dataset:
    """The embedded digits: x uint8 [examples, 8, 8] of 0..16, ten classes, 1,297/250/250 examples."""
    x, y = _embedded()
    parts = split(x, y, SPLIT_SEED, [size / sum(SIZES) for size in SIZES])
    (x_train, y_train), (x_val, y_val), (x_test, y_test) = parts
    offset, scale = scaling(x_train, "auto", LARGEST)
    note = sizes_note("scikit-learn's embedded digits", *SIZES)
    data = Dataset("digits", x_train, y_train, x_val, y_val, x_test, y_test, 10, offset, scale, (), note)
    return data._replace(encoding=describe_arrays(x_train, LARGEST))


def _embedded() -> tuple[np.ndarray, np.ndarray]:
    """(x uint8 [1797, 8, 8], y int32 [1797]) from the file that lies in scikit-learn's package.

    Its own loader would import all of scikit-learn first, a second of every start; it serves where the file
    is not found in its place.
    """
    package = find_spec("sklearn")
    folders = list(package.submodule_search_locations or []) if package else []
    for path in (Path(folder, "datasets", "data", "digits.csv.gz") for folder in folders):
        if path.is_file():
            table = np.loadtxt(path, delimiter=",", dtype=np.int32)
            return table[:, :64].astype(np.uint8).reshape(-1, 8, 8), table[:, 64]
    from sklearn.datasets import load_digits as embedded_digits

    bunch = embedded_digits()
    return bunch.images.astype(np.uint8), bunch.target.astype(np.int32)
