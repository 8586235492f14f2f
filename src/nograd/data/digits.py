"""The digits that come with scikit-learn: 1,797 images of 8×8 pixels, no download."""

import numpy as np

from nograd.data.dataset import Dataset, scaling, sizes_note, split

SIZES = (1297, 250, 250)  # training, validation, test
SPLIT_SEED = 0  # fixed: results on digits are compared between runs of any seed
LARGEST = 16.0  # a pixel counts the set pixels of a 4×4 block of the scan


def load_digits() -> Dataset:
    """The embedded digits: x uint8 [examples, 8, 8] of 0..16, ten classes, 1,297/250/250 examples."""
    # Imported here: scikit-learn takes a second to import, and MNIST has no use for it.
    from sklearn.datasets import load_digits as embedded_digits

    bunch = embedded_digits()
    x, y = bunch.images.astype(np.uint8), bunch.target.astype(np.int32)
    parts = split(x, y, SPLIT_SEED, [size / sum(SIZES) for size in SIZES])
    (x_train, y_train), (x_val, y_val), (x_test, y_test) = parts
    offset, scale = scaling(x_train, "auto", LARGEST)
    note = sizes_note("scikit-learn's embedded digits", *SIZES)
    return Dataset("digits", x_train, y_train, x_val, y_val, x_test, y_test, 10, offset, scale, (), note)
