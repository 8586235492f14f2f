import gzip

import numpy as np
import pytest

from nograd.data import load_inputs

X = np.arange(48, dtype=np.float64).reshape(4, 3, 4)


def test_npz_with_key_x_or_a_single_array(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, x=X, y=np.arange(4))
    np.testing.assert_array_equal(load_inputs(path, (3, 4)), X)
    np.savez(path, anything=X)
    assert load_inputs(path, (3, 4)).dtype == np.float32


def test_npy_keeps_uint8(tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, X.astype(np.uint8))
    assert load_inputs(path, (3, 4)).dtype == np.uint8


@pytest.mark.parametrize(("name", "pack"), [("a.gz", gzip.compress), ("t10k-images-idx3-ubyte", bytes)])
def test_idx(tmp_path, idx, name, pack):
    (tmp_path / name).write_bytes(pack(idx(X.astype(np.uint8))))
    np.testing.assert_array_equal(load_inputs(tmp_path / name, (3, 4)), X)


def test_csv_rows_take_the_shape_of_the_model(tmp_path):
    path = tmp_path / "a.csv"
    lines = [",".join(f"p{i}" for i in range(12)), *(",".join(map(str, row)) for row in X.reshape(4, 12))]
    path.write_text("\n".join(lines))
    np.testing.assert_array_equal(load_inputs(path, (3, 4)), X)


def test_csv_columns_are_picked_by_name_and_the_others_may_be_text(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("name,b,a,note\nAda_L,1,2,x\nBob,3,4,\n")
    assert load_inputs(path, (2,), ("a", "b")).tolist() == [[2, 1], [4, 3]]


def test_csv_columns_in_another_order_than_the_models(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("b,a\n1,2\n3,4\n")
    assert load_inputs(path, (2,), ("a", "b")).tolist() == [[2, 1], [4, 3]]


def test_a_list_of_numbers_is_one_feature_each(tmp_path):
    np.save(tmp_path / "a.npy", np.arange(3.0))
    assert load_inputs(tmp_path / "a.npy", (1,)).tolist() == [[0], [1], [2]]


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (
            X[:, :2],
            "examples in FILE have shape (2, 4) but the model takes (3, 4); give exactly its 12 features",
        ),
        (X.reshape(4, 2, 6), "examples in FILE have shape (2, 6) but the model takes (3, 4)"),
        (X[0], "FILE holds one example of shape (3, 4) without a batch axis; save x[None]"),
        (X[:0], "x of FILE is empty, shape (0, 3, 4)"),
        (np.where(X == 5, np.nan, X), "x of FILE has 1 NaN or infinite value, the first at index (0, 1, 1)"),
        (X.astype("U4"), "x of FILE must hold numbers, got type <U4"),
        (np.array([[None]]), "FILE holds Python objects, which are never loaded"),
    ],
)
def test_inputs_that_cannot_be(tmp_path, refusal, array, words):
    path = tmp_path / "a.npy"
    np.save(path, array)
    assert refusal(load_inputs, path, (3, 4)).startswith(words.replace("FILE", str(path)))


def test_csv_that_does_not_fit(tmp_path, refusal):
    path = tmp_path / "a.csv"
    path.write_text("a,b,y\n1,2,0\n")
    assert refusal(load_inputs, path, (2,)) == (
        f"examples in {path} have shape (3,) but the model takes (2,); give exactly its 2 features, without labels"
    )
    assert refusal(load_inputs, path, (2,), ("a", "c")) == (
        f"{path} lacks the columns c that the model was trained on; it has a, b, y: add or rename them"
    )
    path.write_text("a,b,name\n1,2,Ada\n3,,Bob\n")
    assert f"{path} line 3, column 'b': '' is a missing value" in refusal(load_inputs, path, (2,), ("a", "b"))


def test_files_that_cannot_be(tmp_path, refusal):
    assert refusal(load_inputs, tmp_path / "a.npy", (1,)) == f"{tmp_path}/a.npy is not found; give a file of inputs"
    assert refusal(load_inputs, tmp_path, (1,)) == f"{tmp_path} is a folder; give a file of inputs"
    text = tmp_path / "a.doc"
    text.write_text("1 2 3")
    assert refusal(load_inputs, text, (1,)) == (
        f"{text} has suffix '.doc'; give inputs as .npz, .npy, .csv or IDX (.gz or not)"
    )
    np.savez(tmp_path / "b.npz", u=X, v=X)
    assert "b.npz has no key x among u, v; save the inputs as x" in refusal(load_inputs, tmp_path / "b.npz", (3, 4))
    (tmp_path / "b.npz").rename(tmp_path / "c.npy")
    assert "c.npy is a .npz archive by its content; rename" in refusal(load_inputs, tmp_path / "c.npy", (3, 4))
    (tmp_path / "d.npy").write_bytes(b"\x93NUMPY")
    assert "d.npy is damaged or not a NumPy file (" in refusal(load_inputs, tmp_path / "d.npy", (1,))
