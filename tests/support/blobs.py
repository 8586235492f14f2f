"""A small data set that any network learns at once."""

import numpy as np

from nograd.data import Dataset


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
