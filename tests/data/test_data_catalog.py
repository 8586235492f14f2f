import ast
import math
from pathlib import Path

import numpy as np
import pytest

import nograd.data
from nograd.data import checksum, load, load_csv, load_digits, load_npz


@pytest.fixture
def files(tmp_path, monkeypatch):
    """A .npz and a .csv file in the working directory."""
    x, y = np.random.default_rng(0).normal(size=(20, 2)), np.arange(20) % 2
    np.savez(tmp_path / "a.npz", x_train=x, y_train=y)
    rows = [f"{a},{b},{c}" for (a, b), c in zip(x, y, strict=True)]
    (tmp_path / "a.csv").write_text("\n".join(["u,v,kind", *rows]))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_each_task_goes_to_its_loader(files):
    assert checksum(load("digits")) == checksum(load_digits())
    assert checksum(load("a.npz", seed=3)) == checksum(load_npz("a.npz", 3))
    assert checksum(load(files / "a.csv", label="kind", seed=3)) == checksum(load_csv("a.csv", "kind", 3))
    assert load("a.csv", label="kind", standardize="none").scale == 1


def test_mnist_takes_the_folder(tmp_path, tiny_mnist):
    for name, data in tiny_mnist.items():
        (tmp_path / name).write_bytes(data)
    data = load("mnist", data_dir=tmp_path)
    assert (data.name, len(data.x_train)) == ("mnist", 8)
    assert data.scale == np.float32(1 / 255)


def test_a_home_folder_is_understood(files, monkeypatch):
    monkeypatch.setenv("HOME", str(files))
    monkeypatch.chdir("/")
    assert load("~/a.npz").name == "a"


@pytest.mark.parametrize(("standardize", "largest"), [("auto", 1), ("none", 16)])
def test_named_tasks_can_be_scaled_otherwise(standardize, largest):
    data = load("digits", standardize=standardize)
    assert float(((data.x_train - data.offset) * data.scale).max()) == largest


def test_named_tasks_can_be_standardized():
    data = load("digits", standardize="standard")
    assert data.scale.shape == (8, 8)
    z = (data.x_train - data.offset) * data.scale
    assert math.isclose(z.reshape(len(z), -1).std(axis=0).max(), 1, abs_tol=1e-4)


@pytest.mark.parametrize(
    ("task", "words"),
    [
        (
            "mnits",
            "unknown task 'mnits', did you mean mnist?; the tasks are mnist, digits, iris, wine",
        ),
        ("DIGITS", "unknown task 'DIGITS', did you mean digits?; the tasks are mnist"),
        ("imagenet", "unknown task 'imagenet'; the tasks are mnist, digits, iris, wine"),
        ("x" * 5000, "unknown task 'xxx"),
        ("a.npy.csv", "a.npy.csv is not found, did you mean a.csv?; check the path"),
        ("none/such.npz", "none/such.npz is not found; check the path"),
        ("nofile.csv", "nofile.csv is not found; check the path"),  # a suffix in common is not near
        ("~nobody-here/such.npz", "~nobody-here/such.npz is not found; check the path"),
        ("folder.csv", "folder.csv is a folder; give a .npz or .csv file in it"),
        ("notes.doc", "notes.doc has a suffix that no reader knows; convert it to .csv or .npz, the tasks are mnist"),
    ],
)
def test_tasks_that_do_not_exist(files, refusal, task, words):
    (files / "folder.csv").mkdir()
    (files / "notes.doc").write_text("hello")
    assert refusal(load, task).startswith(words)


def test_options_that_do_not_fit(files, refusal):
    assert refusal(load, "a.npz", label="kind") == (
        "--label kind is for tables, such as .csv files, the task is a.npz; leave --label out"
    )
    assert "got 'maybe'; use auto" in refusal(load, "digits", standardize="maybe")


def test_every_public_name_exists_once():
    assert len(set(nograd.data.__all__)) == len(nograd.data.__all__)
    assert [name for name in nograd.data.__all__ if not hasattr(nograd.data, name)] == []


def test_the_package_imports_nothing_heavy_at_its_top():
    """NumPy only: a look at --help, or a worker, must not pay for JAX, scikit-learn or Rich."""
    for path in Path(nograd.data.__file__).parent.glob("*.py"):
        for node in ast.parse(path.read_text()).body:
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            heavy = [name for name in names if name.split(".")[0] in {"jax", "sklearn", "rich", "openpyxl", "PIL"}]
            assert not heavy, f"{path.name} imports {heavy}"
        assert "import jax" not in path.read_text()
