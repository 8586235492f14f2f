import zipfile

import numpy as np
import pytest

from nograd.data import checksum, load_npz, validate

X = np.arange(60, dtype=np.float64).reshape(30, 2) / 7
Y = np.arange(30) % 3


@pytest.fixture
def save(tmp_path):
    def save(**arrays):
        path = tmp_path / "mine.npz"
        np.savez(path, **arrays)
        return path

    return save


def test_missing_parts_are_taken_from_the_training_examples(save):
    data = load_npz(save(x_train=X, y_train=Y))
    assert [len(y) for y in (data.y_train, data.y_val, data.y_test)] == [24, 3, 3]
    assert sorted(np.concatenate([data.x_train, data.x_val, data.x_test])[:, 0]) == sorted(X[:, 0].astype("f4"))
    assert (data.name, data.classes, data.columns) == ("mine", 3, ())
    assert data.note.endswith("mine.npz: 24 training, 3 validation and 3 test examples")


def test_given_parts_stay_as_they_are(save):
    data = load_npz(save(x_train=X, y_train=Y, x_val=X[:4], y_val=Y[:4], x_test=X[:5], y_test=Y[:5]))
    np.testing.assert_array_equal(data.x_train, X.astype(np.float32))
    assert (len(data.x_val), len(data.x_test)) == (4, 5)
    np.testing.assert_array_equal(data.y_test, Y[:5])


@pytest.mark.parametrize(("given", "sizes"), [("val", [27, 4, 3]), ("test", [27, 3, 4])])
def test_one_given_part_leaves_one_to_split_off(save, given, sizes):
    data = load_npz(save(x_train=X, y_train=Y, **{f"x_{given}": X[:4], f"y_{given}": Y[:4]}))
    assert [len(y) for y in (data.y_train, data.y_val, data.y_test)] == sizes


def test_the_seed_decides_the_split(save):
    path = save(x_train=X, y_train=Y)
    assert checksum(load_npz(path, 1)) == checksum(load_npz(path, 1))
    assert checksum(load_npz(path, 1)) != checksum(load_npz(path, 2))


@pytest.mark.parametrize(
    ("dtype", "standardize", "kept", "scale"),
    [
        ("uint8", "auto", "uint8", 1 / 8),  # bytes are no unit: the largest is 8
        ("uint8", "none", "uint8", 1),
        ("float64", "auto", "float32", 1),
        ("int64", "auto", "float32", 1),
        ("float32", "none", "float32", 1),
    ],
)
def test_types_and_scaling(save, dtype, standardize, kept, scale):
    data = load_npz(save(x_train=X.astype(dtype), y_train=Y), standardize=standardize)
    assert data.x_train.dtype == data.x_test.dtype == kept
    assert float(data.scale) == pytest.approx(scale)
    assert float(data.offset) == 0


@pytest.mark.parametrize("dtype", ["uint8", "float64"])
def test_standard_scaling_is_fitted_to_the_training_examples_only(save, dtype):
    path = save(x_train=X.astype(dtype), y_train=Y, x_val=X[:4].astype(dtype) + 9, y_val=Y[:4])
    data = load_npz(path, standardize="standard")
    z = (data.x_train - data.offset) * data.scale
    np.testing.assert_allclose(z.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(z.std(axis=0), 1, atol=1e-5)
    assert ((data.x_val - data.offset) * data.scale).mean() > 0.5


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        (
            {"x": X, "y_train": Y},
            "has unknown keys x; the keys are x_train, y_train, x_val, y_val, x_test, y_test",
        ),
        ({"x_train": X}, "has no y_train; save both x_train and y_train"),
        ({"x_test": X, "y_test": Y}, "has no x_train and no y_train; save both"),
        ({"x_train": X, "y_train": Y, "y_val": Y}, "has no x_val; save both x_val and y_val"),
        (
            {"x_train": X, "y_train": np.array(Y, object)},
            "holds Python objects, which are never loaded; save plain",
        ),
        (
            {"x_train": X[:2], "y_train": Y[:2]},
            "has 2 examples, too few to split into 3 parts; give at least 3",
        ),
    ],
)
def test_files_that_cannot_be(save, refusal, arrays, words):
    path = save(**arrays)
    assert refusal(load_npz, path).startswith(f"{path} {words}")


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        (
            {"x_train": X, "y_train": Y[:-1]},
            "x_train of FILE has 30 examples but y_train has 29 labels; give one",
        ),
        (
            {"x_train": X, "y_train": np.eye(30)},
            "labels of FILE have 30 different values, most of them once; give labels that come again",
        ),
        ({"x_train": X, "y_train": np.zeros((30, 2, 2))}, "labels y_train of FILE must have shape [examples] or"),
        ({"x_train": X, "y_train": Y * 0}, "every label of FILE is 0; classification needs at least two classes"),
        (
            {"x_train": X[:, 0], "y_train": Y},
            "x_train of FILE must have shape [examples, features, ...], got (30,)",
        ),
        ({"x_train": X[:0], "y_train": Y[:0]}, "x_train of FILE is empty, shape (0, 2); give at least one"),
        ({"x_train": X.astype("U3"), "y_train": Y}, "x_train of FILE must hold numbers, got type <U3"),
        (
            {"x_train": np.where(X > 8, np.nan, X), "y_train": Y},
            "x_train of FILE has 3 NaN or infinite values, the first at index (28, 1); clean or impute",
        ),
        (
            {"x_train": X, "y_train": Y, "x_test": X[:, :1], "y_test": Y},
            "x_test of FILE has examples of shape (1,) but x_train has (2,)",
        ),
        (
            {"x_train": X.astype("uint8"), "y_train": Y, "x_test": X, "y_test": Y},
            "x_test of FILE is float32 but x_train is uint8; store all parts in the same type and unit",
        ),
    ],
)
def test_arrays_that_cannot_be(save, refusal, arrays, words):
    path = save(**arrays)
    assert refusal(load_npz, path).startswith(words.replace("FILE", str(path)))


@pytest.mark.parametrize("y", [Y[:, None], np.eye(3)[Y], Y.astype(float)], ids=["[n, 1]", "one-hot", "float"])
def test_classes_in_other_forms_are_the_same_classes(save, y):
    assert checksum(load_npz(save(x_train=X, y_train=y))) == checksum(load_npz(save(x_train=X, y_train=Y)))


@pytest.mark.parametrize(
    ("y", "names"),
    [
        (Y + 1, ("1", "2", "3")),
        (np.array([1, 2, 7])[Y], ("1", "2", "7")),
        (Y - 1, ("-1", "0", "1")),
        (np.array(["b", "a", "c"])[Y], ("a", "b", "c")),
        (Y > 0, ("false", "true")),
    ],
)
def test_classes_of_any_name(save, y, names):
    data = validate(load_npz(save(x_train=X, y_train=y)))
    assert (data.class_names, data.classes, data.y_train.dtype) == (names, len(names), np.int32)


def test_images_of_bytes_are_divided_by_255_and_flags_are_not(save):
    images = X.astype("uint8").reshape(15, 2, 2)
    assert float(load_npz(save(x_train=images, y_train=Y[:15])).scale) == pytest.approx(1 / 255)
    flags = load_npz(save(x_train=(X > 4).astype("uint8"), y_train=Y))
    assert float(flags.scale) == 1


def test_numbers_and_several_labels(save):
    numbers = validate(load_npz(save(x_train=X, y_train=X[:, 0] / 3 + 7)))
    assert (numbers.problem, numbers.y_train.shape) == ("regression", (24, 1))
    np.testing.assert_allclose(numbers.y_train.mean(), 0, atol=1e-6)
    np.testing.assert_allclose(numbers.target.decode(numbers.y_train)[:, 0], numbers.x_train[:, 0] / 3 + 7, rtol=1e-6)
    several = validate(load_npz(save(x_train=X, y_train=np.stack([Y > 0, Y > 1], 1))))
    assert (several.problem, several.classes, several.class_names) == ("multilabel", 2, ("y0", "y1"))


def test_a_class_missing_from_the_training_part_is_no_gap(save):
    assert load_npz(save(x_train=X, y_train=Y % 2, x_test=X, y_test=Y)).classes == 3


def test_damaged_files(tmp_path, refusal):
    path = tmp_path / "a.npz"
    np.savez(path, x_train=X, y_train=Y)
    whole = path.read_bytes()
    for data in (b"", b"hello", whole[:100], whole[:-30], b"\x80\x04N."):
        path.write_bytes(data)
        assert refusal(load_npz, path).startswith(f"{path} is damaged or not a NumPy file (")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x_train.npy", b"\x93NUMPY\1\0garbage")
    assert refusal(load_npz, path).startswith(f"{path} is damaged or not a NumPy file (")


def test_a_single_array_is_not_a_data_set(tmp_path, refusal):
    with (tmp_path / "a.npz").open("wb") as handle:
        np.save(handle, X)
    assert "holds a single array, not named ones; write it with numpy.savez" in refusal(load_npz, tmp_path / "a.npz")


def test_files_that_cannot_be_opened(tmp_path, refusal):
    assert refusal(load_npz, tmp_path / "a.npz") == f"{tmp_path}/a.npz is not found; check the path"
    assert f"cannot read {tmp_path} (Is a directory)" in refusal(load_npz, tmp_path)


def test_unknown_standardize_is_refused_before_reading(refusal):
    assert "got 'yes'; use auto" in refusal(load_npz, "not there.npz", standardize="yes")
