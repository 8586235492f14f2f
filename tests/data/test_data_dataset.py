import numpy as np
import pytest

from nograd.data import Dataset, checksum, scaling, split, standardization, validate


def small(**changes: object) -> Dataset:
    """Two classes, three features, five training examples, two of validation and two of test."""
    x = np.arange(27, dtype=np.float32).reshape(9, 3)
    y = (np.arange(9) % 2).astype(np.int32)
    zero, one = np.zeros((), np.float32), np.ones((), np.float32)
    data = Dataset("small", x[:5], y[:5], x[5:7], y[5:7], x[7:], y[7:], 2, zero, one, ("a", "b", "c"), "n")
    return data._replace(**changes)


def test_checksum_depends_on_content_only():
    digest = checksum(small())
    assert len(digest) == 64
    assert checksum(small(name="other", note="elsewhere")) == digest
    fortran = np.asfortranarray(small().x_train)
    swapped = small().y_train.astype(">i4")
    assert checksum(small(x_train=fortran, y_train=swapped)) == digest


@pytest.mark.parametrize("field", ["x_train", "y_train", "x_val", "y_val", "x_test", "y_test", "offset", "scale"])
def test_checksum_sees_every_array(field):
    changed = getattr(small(), field).copy()
    changed[(0,) * changed.ndim] += 1
    assert checksum(small(**{field: changed})) != checksum(small())


def test_checksum_sees_shape_type_classes_and_columns():
    x = small().x_train
    digests = [
        checksum(small()),
        checksum(small(x_train=x.reshape(5, 3, 1))),
        checksum(small(x_train=x.view(np.int32))),
        checksum(small(classes=3)),
        checksum(small(columns=("a", "b", "d"))),
    ]
    assert len(set(digests)) == len(digests)


def test_split_deals_every_example_once_and_keeps_pairs():
    x = np.arange(103, dtype=np.float32)[:, None]
    parts = split(x, np.arange(103), 7)
    assert [len(part_x) for part_x, _ in parts] == [83, 10, 10]
    assert sorted(np.concatenate([part_y for _, part_y in parts])) == list(range(103))
    for part_x, part_y in parts:
        np.testing.assert_array_equal(part_x[:, 0], part_y)


def test_split_is_a_function_of_the_seed_and_leaves_the_global_state_alone():
    x, y = np.arange(50.0)[:, None], np.arange(50)
    np.random.seed(3)
    before = np.random.get_state()[1].copy()
    first, again, other = (split(x, y, seed)[0][1] for seed in (4, 4, 5))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    np.testing.assert_array_equal(before, np.random.get_state()[1])


def test_split_gives_every_part_an_example():
    assert [len(y) for _, y in split(np.zeros((3, 1)), np.arange(3), 0)] == [1, 1, 1]


def test_split_refuses_too_few_examples_and_negative_seeds(refusal):
    message = refusal(split, np.zeros((2, 1)), np.arange(2), 0, source="a.csv")
    assert message == "a.csv has 2 examples, too few to split into 3 parts; give at least 3"
    assert "got -1; use --seed 0" in refusal(split, np.zeros((9, 1)), np.arange(9), -1)


@pytest.mark.parametrize("dtype", [np.float32, np.uint8])
def test_standardization_gives_mean_zero_and_deviation_one(dtype):
    # More examples than one chunk, so that the sum over chunks is put to the test.
    x = np.random.default_rng(0).integers(0, 200, (20_001, 2, 3)).astype(dtype)
    offset, scale = standardization(x)
    assert offset.shape == scale.shape == (2, 3)
    assert offset.dtype == scale.dtype == np.float32
    z = (x.astype(np.float64) - offset) * scale
    np.testing.assert_allclose(z.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(z.std(axis=0), 1, atol=1e-5)


def test_constant_features_get_scale_one():
    x = np.stack([np.full(7, 0.1), np.arange(7), np.array([0, 0, 0, 0, 0, 0, 1e-44])], axis=1).astype(np.float32)
    offset, scale = standardization(x)
    assert scale[0] == 1
    assert scale[2] == 1
    assert np.abs((x - offset) * scale)[:, 0].max() < 1e-6
    tenths = np.full((3, 1), 0.1)
    assert tenths.mean(axis=0) != 0.1  # so the deviation is not 0, but rounding error
    assert standardization(tenths)[1].tolist() == [1]


def test_scaling():
    x = np.array([[0], [4]], np.uint8)
    assert [float(v) for v in scaling(x, "auto", 255.0)] == [0, pytest.approx(1 / 255)]
    assert [float(v) for v in scaling(x, "none", 255.0)] == [0, 1]
    assert [float(v[0]) for v in scaling(x, "standard", 255.0)] == [2, 0.5]


def test_scaling_refuses_other_words(refusal):
    message = refusal(scaling, np.zeros((2, 1)), "minmax")
    assert message == "standardize must be one of auto, none, center, standard, got 'minmax'; use auto"


def test_validate_returns_what_it_was_given():
    data = small()
    assert validate(data) is data


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"x_val": np.zeros((2, 4), np.float32)},
            "x_val of F has examples of shape (4,) but x_train has (3,)",
        ),
        ({"x_val": np.zeros((2, 3), np.uint8)}, "x_val of F is uint8 but x_train is float32"),
        ({"x_test": np.zeros((0, 3), np.float32)}, "x_test of F is empty, shape (0, 3)"),
        ({"x_train": np.zeros((5, 3))}, "x_train of F is float64; convert it with x.astype('float32')"),
        ({"x_train": np.zeros((4, 3), np.float32)}, "x_train of F has 4 examples but y_train has 5 labels"),
        (
            {"x_train": np.zeros(5, np.float32)},
            "x_train of F must have shape [examples, features, ...], got (5,)",
        ),
        ({"x_train": np.full((5, 3), "a")}, "x_train of F must hold numbers, got type <U1"),
        ({"y_train": np.zeros(5)}, "labels y_train of F must be whole numbers, got type float64"),
        ({"y_train": np.array([2, 1, 0, 1, 2])}, "F holds 3 classes, not 2; set classes=3"),
        ({"y_val": np.array([0, -1])}, "labels y_val of F must be 0..k-1, got -1 (first at row 1)"),
    ],
)
def test_validate_names_the_fault(changes, words, refusal):
    assert refusal(validate, small(**changes), "F").startswith(words)


def test_validate_calls_the_data_by_its_name(refusal):
    x = small().x_train.copy()
    x[0, 1] = np.inf
    assert refusal(validate, small(x_train=x)) == (
        "x_train of small has 1 NaN or infinite value, the first at index (0, 1); clean or impute them before training"
    )
