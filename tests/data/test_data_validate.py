import numpy as np
import pytest

from nograd.data.checks import as_features, as_labels, count_classes


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int64", "uint16", "bool", ">f4"])
def test_features_become_float32(dtype):
    x = np.array([[0, 1], [1, 0]]).astype(dtype)
    assert as_features(x, "x").dtype == np.float32
    np.testing.assert_array_equal(as_features(x, "x"), x)


def test_uint8_features_stay():
    x = np.array([[0, 255]], np.uint8)
    assert as_features(x, "x") is x


def test_non_finite_features_are_counted_and_located(refusal):
    x = np.zeros((3, 8))
    x[0, 5], x[1, 0], x[2, 7] = np.nan, np.inf, -np.inf
    assert refusal(as_features, x, "x_train of a.npz") == (
        "x_train of a.npz has 3 NaN or infinite values, the first at index (0, 5); clean or impute them before training"
    )


def test_values_beyond_float32_are_refused(refusal):
    message = refusal(as_features, np.array([[0.0, 1.0], [0.0, 1e39]]), "x of F")
    assert message == "x of F holds 1e+39 at index (1, 1), beyond float32 (3.4e38); rescale it"


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int64", "uint64", "bool"])
def test_labels_become_int32(dtype):
    y = as_labels(np.array([0, 1, 1]).astype(dtype), "labels")
    assert y.dtype == np.int32
    assert y.tolist() == [0, 1, 1]


@pytest.mark.parametrize(
    ("y", "words"),
    [
        (
            np.array([0] * 17 + [-1]),
            "labels of F must be 0..k-1, got -1 (first at row 17); subtract the smallest",
        ),
        (np.array([0, 2**40]), "labels of F must be 0..k-1, got 1099511627776 (first at row 1); subtract"),
        (np.eye(3), "labels of F must have shape [examples], one label each, got (3, 3); pass y.argmax(axis=1)"),
        (np.array(["cat"]), "labels of F must be whole numbers, got text (type <U3); map it to 0..k-1"),
        (np.array([0.5]), "labels of F must be whole numbers, got type float64; pass y.astype('int32')"),
    ],
)
def test_labels_that_cannot_be(y, words, refusal):
    assert refusal(as_labels, y, "labels of F").startswith(words)


def test_classes_are_counted_over_all_parts():
    assert count_classes([np.array([0, 2]), np.array([1])], "F") == 3


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (
            [0, 2],
            "labels of F must be 0..k-1, but no example has label 1 and the largest is 2; map them to 0..1",
        ),
        ([1, 2], "labels of F must be 0..k-1, but they start at 1; subtract 1 from every label"),
        ([0, 0], "every label of F is 0; classification needs at least two classes"),
        # Found by comparison, not by counting up to it: that would take 8 GB.
        (
            [0, 2**31 - 1],
            "labels of F must be 0..k-1, but no example has label 1 and the largest is 2147483647",
        ),
    ],
)
def test_classes_that_cannot_be(labels, words, refusal):
    assert refusal(count_classes, [np.array(labels)], "F").startswith(words)
