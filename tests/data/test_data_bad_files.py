"""Files that are damaged, or made to do harm: one line each."""

import gzip

import numpy as np
import polars as pl
import pytest

from nograd.data import load, load_inputs, load_npz
from nograd.data.read import compressed

CSV = b"a,b,y\n" + b"".join(b"%d,%d,%d\n" % (i, i * i, i % 2) for i in range(400))


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.csv.gz", gzip.compress(CSV)[:-40], "FILE is cut off: its compressed content ends after"),
        ("a.csv.gz", CSV, "FILE is damaged or not gzip"),
        ("a.parquet", b"PAR1" + bytes(200), "FILE is cut off, damaged or not Parquet"),
        ("a.xlsx", CSV, "FILE is damaged or not .xlsx"),
        ("a.json", b'[{"a": 1},\n {"a" 2}]', "FILE line 2, column 7 is not JSON"),
        ("a.json", b'{"a": 1}', "FILE is JSON but no table"),
        ("a.json", b'[{"a": [1], "y": 0}]', "FILE row 1, column 'a' holds [1], not a number"),
        ("a.json", b'[{"a": 1, "a": 2, "y": 0}]', "the header of FILE has the column 'a' 2 times"),
        ("a.jsonl", b'{"a": 1}\n\n{"a"}', "FILE line 3 is not JSON"),
        ("a.csv", b",".join(b"c%d" % i for i in range(100_000)) + b"\n", "FILE has 100,000 columns, more than"),
        ("a.csv", CSV + b"1,2,0,4\n", "FILE line 402 has 4 cells but the header has 3"),
        ("a.csv", CSV + b"1,two,0\n", "FILE line 402, column 'b': 'two' is not a number"),
    ],
)
def test_one_line_with_the_place(tmp_path, refusal, name, content, words):
    path = tmp_path / name
    path.write_bytes(content)
    assert refusal(load, path).startswith(words.replace("FILE", str(path)))


def test_a_cut_parquet_file(tmp_path, refusal):
    path = tmp_path / "a.parquet"
    pl.DataFrame({"a": np.arange(1000), "y": np.arange(1000) % 2}).write_parquet(path)
    path.write_bytes(path.read_bytes()[:-9])
    assert refusal(load, path).startswith(f"{path} is cut off, damaged or not Parquet")


def test_a_bomb_is_refused_before_it_fills_the_memory(tmp_path, refusal, monkeypatch):
    monkeypatch.setattr(compressed, "_SMALL", 1 << 22)
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"0" * (1 << 25)))
    assert "a.csv.gz grows from 0.0 MB to more than" in refusal(load, tmp_path / "a.csv.gz")
    np.savez_compressed(tmp_path / "a.npz", x_train=np.zeros((1 << 20, 4)), y_train=np.zeros(4))
    assert "a.npz grows from" in refusal(load, tmp_path / "a.npz")


@pytest.fixture
def pictures(tmp_path):
    from PIL import Image

    rng = np.random.default_rng(0)
    for part in ("train", "test"):
        for name, base in (("cat", 0), ("dog", 120)):
            folder = tmp_path / "pets" / part / name
            folder.mkdir(parents=True)
            for i in range(20):
                Image.fromarray((base + rng.integers(0, 100, (6, 8))).astype(np.uint8)).save(folder / f"{i}.png")
    return tmp_path / "pets"


def test_a_folder_of_images(pictures, refusal):
    data = load(pictures)
    assert (data.x_train.shape, data.x_train.dtype, data.class_names) == ((36, 6, 8), np.uint8, ("cat", "dog"))
    assert (len(data.x_val), len(data.x_test)) == (4, 40)
    assert float(data.scale) == pytest.approx(1 / 255)
    assert load(pictures, size="4x4").x_train.shape == (36, 4, 4)
    assert load_inputs(pictures / "test" / "cat", (6, 8), encoding=data.encoding).shape == (20, 6, 8)
    (pictures / "train" / "cat" / "3.png").write_bytes(b"\x89PNG no")
    assert "3.png cannot be decoded as an image" in refusal(load, pictures)


def test_an_image_of_another_size(pictures, refusal):
    from PIL import Image

    Image.fromarray(np.zeros((3, 3), np.uint8)).save(pictures / "train" / "dog" / "7.png")
    assert "7.png has 3x3 pixels but" in refusal(load, pictures)


def test_inputs_in_another_unit_are_refused(tmp_path, refusal):
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 241, (60, 8)).astype(np.uint8), np.arange(60) % 3
    np.savez(tmp_path / "u8.npz", x_train=x, y_train=y)
    np.savez(tmp_path / "f.npz", x_train=x / 255, y_train=y)
    np.save(tmp_path / "u8.npy", x)
    np.save(tmp_path / "f.npy", x / 255)
    bytes_, floats = load_npz(tmp_path / "u8.npz").encoding, load_npz(tmp_path / "f.npz").encoding
    assert "whole numbers of 0 to 255; give the same" in refusal(load_inputs, tmp_path / "f.npy", (8,), encoding=bytes_)
    assert "x / 255" in refusal(load_inputs, tmp_path / "u8.npy", (8,), encoding=floats)
    assert len(load_inputs(tmp_path / "u8.npy", (8,), encoding=bytes_)) == 60
    np.save(tmp_path / "whole.npy", x.astype(np.float32))
    assert len(load_inputs(tmp_path / "whole.npy", (8,), encoding=bytes_)) == 60
