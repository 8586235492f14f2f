"""Shared by all tests: one XLA thread as in the command line, small data sets, the folder of real MNIST."""

import os
import tempfile
from pathlib import Path

os.environ.setdefault("NPROC", "1")  # before JAX starts
# Many tests compile the same programs; the folder goes with the interpreter.
_CACHE = tempfile.TemporaryDirectory(prefix="nograd-xla-")
os.environ["JAX_COMPILATION_CACHE_DIR"] = _CACHE.name
os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
os.environ["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "-1"

import numpy as np  # noqa: E402
import pytest  # noqa: E402

from nograd.data import Dataset  # noqa: E402


@pytest.fixture
def mnist_dir() -> Path:
    """The folder of real MNIST, where there is one."""
    folder = os.environ.get("NOGRAD_DATA")
    if not folder or not list(Path(folder).glob("**/train-images-idx3-ubyte*")):
        pytest.skip("set NOGRAD_DATA to the folder of the MNIST files to test on them")
    return Path(folder).resolve()


def make_blobs(examples: int = 240, classes: int = 3, features: int = 4, seed: int = 0) -> Dataset:
    """Gaussian blobs that a linear network separates, as a data set with three splits."""
    rng = np.random.default_rng(seed)
    y = np.arange(examples, dtype=np.int32) % classes
    x = (rng.normal(size=(examples, features)) + 8.0 * rng.normal(size=(classes, features))[y]).astype("f4")
    a, b = examples * 8 // 12, examples * 10 // 12
    return Dataset(
        name="blobs",
        x_train=x[:a],
        y_train=y[:a],
        x_val=x[a:b],
        y_val=y[a:b],
        x_test=x[b:],
        y_test=y[b:],
        classes=classes,
        offset=np.float32(0).reshape(()),
        scale=np.float32(1).reshape(()),
        columns=(),
        note="blobs",
    )


@pytest.fixture
def blobs() -> Dataset:
    return make_blobs()
