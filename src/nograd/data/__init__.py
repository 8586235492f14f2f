"""Data sets: MNIST, the embedded digits, and a user's own .npz and .csv files. NumPy only."""

from nograd.data.catalog import NAMES, load
from nograd.data.dataset import Dataset, checksum, scaling, split, standardization
from nograd.data.digits import load_digits
from nograd.data.download import MIRRORS, fetch
from nograd.data.files import load_csv, load_npz
from nograd.data.idx import read_idx
from nograd.data.mnist import find_mnist, load_mnist, mirror_answers
from nograd.data.predict_inputs import load_inputs
from nograd.data.validate import validate

__all__ = [
    "MIRRORS",
    "NAMES",
    "Dataset",
    "checksum",
    "fetch",
    "find_mnist",
    "load",
    "load_csv",
    "load_digits",
    "load_inputs",
    "load_mnist",
    "load_npz",
    "mirror_answers",
    "read_idx",
    "scaling",
    "split",
    "standardization",
    "validate",
]
