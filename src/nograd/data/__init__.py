"""Data sets: MNIST, the embedded digits, and a user's own tables, arrays and images.

Importing it loads NumPy alone; Polars is imported when a table is read.
"""

from nograd.data.arrays_encoding import ArrayEncoding, describe_arrays
from nograd.data.catalog import NAMES, load
from nograd.data.dataset import Dataset, account_lines, checksum
from nograd.data.digits import load_digits
from nograd.data.download import MIRRORS, fetch
from nograd.data.files import load_csv, load_npy, load_npz, load_table
from nograd.data.idx import read_idx
from nograd.data.mnist import find_mnist, load_mnist, mirror_answers
from nograd.data.predict_inputs import load_inputs
from nograd.data.recorded import encoding_from_json, target_from_json
from nograd.data.scaling import scaling, standardization
from nograd.data.splits import split
from nograd.data.validate import validate

__all__ = [
    "MIRRORS",
    "NAMES",
    "ArrayEncoding",
    "Dataset",
    "account_lines",
    "checksum",
    "describe_arrays",
    "encoding_from_json",
    "fetch",
    "find_mnist",
    "load",
    "load_csv",
    "load_digits",
    "load_inputs",
    "load_mnist",
    "load_npy",
    "load_npz",
    "load_table",
    "mirror_answers",
    "read_idx",
    "scaling",
    "split",
    "standardization",
    "target_from_json",
    "validate",
]
