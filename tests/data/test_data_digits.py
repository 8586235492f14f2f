import numpy as np
from sklearn.datasets import load_digits as embedded

from nograd.data import checksum, load_digits, validate


def test_digits_are_all_of_scikit_learns_once():
    data = validate(load_digits())
    assert (data.x_train.shape, data.x_val.shape, data.x_test.shape) == (
        (1297, 8, 8),
        (250, 8, 8),
        (250, 8, 8),
    )
    assert (data.x_train.dtype, data.y_train.dtype, data.classes) == (np.uint8, np.int32, 10)

    def rows(x, y):
        return sorted((*image.ravel().tolist(), int(label)) for image, label in zip(x, y, strict=True))

    x = np.concatenate([data.x_train, data.x_val, data.x_test])
    y = np.concatenate([data.y_train, data.y_val, data.y_test])
    assert rows(x, y) == rows(embedded().images.astype(int), embedded().target)


def test_digits_reach_one_after_scaling():
    data = load_digits()
    assert float(((data.x_train - data.offset) * data.scale).max()) == 1
    assert data.note == "scikit-learn's embedded digits: 1,297 training, 250 validation and 250 test examples"


def test_the_split_of_digits_never_changes():
    # Published results depend on it: if this fails, NumPy's generator has changed, not the test.
    assert checksum(load_digits()) == "92633c947f0329cb96b666485725e8d0ff58a5e7d7af6eb1908e3f6be5107a8a"
