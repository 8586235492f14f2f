import gzip
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from nograd.data import checksum, find_mnist, load_mnist, mirror_answers, mnist, validate


def put(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder


@pytest.mark.parametrize("sub", ["", "mnist"])
@pytest.mark.parametrize("unpack", [False, True])
def test_data_dir_holds_the_files_or_a_folder_of_them(tmp_path, tiny_mnist, sub, unpack):
    files = {k.removesuffix(".gz"): gzip.decompress(v) for k, v in tiny_mnist.items()} if unpack else tiny_mnist
    folder = put(tmp_path / "d" / sub, files)
    assert find_mnist(tmp_path / "d") == folder
    data = load_mnist(str(tmp_path / "d"))
    assert (data.x_train.shape, data.x_val.shape, data.x_test.shape) == (
        (8, 28, 28),
        (4, 28, 28),
        (6, 28, 28),
    )
    assert data.note == f"MNIST in {folder}: 8 training, 4 validation and 6 test examples"


def test_the_first_training_images_are_the_validation_set(tmp_path, tiny_mnist):
    data = load_mnist(put(tmp_path, tiny_mnist))
    raw = gzip.decompress(tiny_mnist["train-images-idx3-ubyte.gz"])[16:]
    assert data.x_val.tobytes() + data.x_train.tobytes() == raw
    labels = gzip.decompress(tiny_mnist["train-labels-idx1-ubyte.gz"])[8:]
    assert [*data.y_val, *data.y_train] == list(labels)
    assert data.x_train.dtype == np.uint8
    assert data.y_train.dtype == data.y_val.dtype == data.y_test.dtype == np.int32
    assert (data.offset.shape, data.scale.shape, data.scale.dtype) == ((), (), np.float32)
    assert float(data.offset) == 0
    assert float(data.scale) == pytest.approx(1 / 255)
    assert data.classes == 10


def test_order_of_the_places(tmp_path, tiny_mnist, monkeypatch):
    given, shared = put(tmp_path / "given", tiny_mnist), put(tmp_path / "shared", tiny_mnist)
    assert find_mnist() is None
    cache = put(tmp_path / "cache" / "nograd" / "mnist", tiny_mnist)
    assert find_mnist() == cache
    monkeypatch.setenv("NOGRAD_DATA", str(shared))
    assert find_mnist() == shared
    assert find_mnist(given) == given
    (shared / "t10k-labels-idx1-ubyte.gz").unlink()
    assert find_mnist() == cache  # NOGRAD_DATA lacks a file: go on


def test_data_dir_is_the_only_place(tmp_path, tiny_mnist, serve, monkeypatch, refusal):
    put(tmp_path / "cache" / "nograd" / "mnist", tiny_mnist)
    mirror = serve(tiny_mnist)
    monkeypatch.setenv("NOGRAD_MIRRORS", mirror.url)
    folder = put(tmp_path / "d" / "mnist", tiny_mnist)
    (folder / "t10k-labels-idx1-ubyte.gz").unlink()
    assert find_mnist(tmp_path / "d") is None
    message = refusal(load_mnist, tmp_path / "d")
    assert message.startswith(f"{tmp_path}/d lacks t10k-labels-idx1-ubyte of MNIST (.gz or not, ")
    assert message.endswith("or leave out --data-dir to use the cache and the mirrors")
    assert mirror.log == []


def test_cache_folder_follows_xdg(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "/elsewhere")
    assert mnist.cache_folder() == Path("/elsewhere/nograd/mnist")
    monkeypatch.setenv("HOME", str(tmp_path))
    for value in ("", "relative"):
        monkeypatch.setenv("XDG_CACHE_HOME", value)
        assert mnist.cache_folder() == tmp_path / ".cache" / "nograd" / "mnist"


def test_a_user_without_a_home_still_has_a_cache(monkeypatch):
    def no_home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(mnist.Path, "home", no_home)
    assert mnist.cache_folder().is_absolute()


def test_download_into_the_cache_then_no_more_network(tmp_path, tiny_mnist, serve, monkeypatch, capsys):
    mirror = serve(tiny_mnist)
    monkeypatch.setenv("NOGRAD_MIRRORS", mirror.url)
    monkeypatch.setenv("NOGRAD_DATA", str(tmp_path / "nothing here"))
    cache = tmp_path / "cache" / "nograd" / "mnist"
    first = load_mnist(progress=False)
    assert capsys.readouterr() == ("", "")
    assert sorted(path.name for path in cache.iterdir()) == sorted(tiny_mnist)
    assert f"MNIST in {cache}, downloaded from {mirror.url.rstrip('/')}: 8 training" in first.note
    second = load_mnist()
    assert "downloaded" not in second.note
    assert checksum(first) == checksum(second)
    assert len(mirror.log) == 4


def test_only_what_the_cache_lacks_is_fetched(tmp_path, tiny_mnist, serve, monkeypatch):
    mirror = serve(tiny_mnist)
    monkeypatch.setenv("NOGRAD_MIRRORS", mirror.url)
    cache = put(tmp_path / "cache" / "nograd" / "mnist", tiny_mnist)
    (cache / "t10k-images-idx3-ubyte.gz").unlink()
    load_mnist(progress=False)
    assert [name for name, _, _ in mirror.log] == ["t10k-images-idx3-ubyte.gz"]


@pytest.mark.parametrize("kwargs", [{}, {"download": False}])
def test_without_data_and_network_there_are_three_ways(refusal, kwargs):
    message = refusal(load_mnist, progress=False, **kwargs)
    reason = (
        "the download is switched off. "
        if kwargs
        else "cannot download train-images-idx3-ubyte.gz "
        "(http://127.0.0.1:9/nothing/train-images-idx3-ubyte.gz: Connection refused); "
    )
    assert message.startswith(f"MNIST is not on this machine: {reason}")
    assert "(1) put the four files train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images" in message
    assert "pass --data-dir DIR or set NOGRAD_DATA=DIR, (2) connect to the network and run again" in message
    assert "11 MB from http://127.0.0.1:9/nothing/, (3) train on the embedded set" in message
    assert message.endswith("nograd train digits")


@pytest.mark.parametrize("place", ["cache/nograd/mnist", "elsewhere"])
def test_a_wrong_checksum_names_file_digests_and_remedy(tmp_path, tiny_mnist, monkeypatch, refusal, place, idx):
    folder = put(tmp_path / place, tiny_mnist)
    if place == "elsewhere":
        monkeypatch.setenv("NOGRAD_DATA", str(folder))
    path = folder / "train-labels-idx1-ubyte.gz"
    path.write_bytes(gzip.compress(idx(np.zeros(12, np.uint8))))
    expected = mnist.FILES["train-labels-idx1-ubyte"][:12]
    message = refusal(load_mnist)
    assert message.startswith(f"{path} has checksum ")
    assert f", expected {expected}; " in message
    remedy = "replace it with a good copy" if place == "elsewhere" else "delete it, it will be fetched again"
    assert message.endswith(remedy)


def test_a_truncated_file_is_refused(tmp_path, tiny_mnist, refusal):
    path = put(tmp_path, tiny_mnist) / "train-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-100])
    assert f"{path} is a damaged or truncated gzip file" in refusal(load_mnist, tmp_path)


def test_a_mirror_answers(tiny_mnist, serve, monkeypatch):
    good, empty = serve(tiny_mnist), serve({})
    monkeypatch.setenv("NOGRAD_MIRRORS", f"{empty.url} {good.url}")
    assert mirror_answers() is True
    monkeypatch.setenv("NOGRAD_MIRRORS", f"{empty.url} http://127.0.0.1:9/ nonsense")
    assert mirror_answers() is False


def test_silent_mirrors_take_no_more_than_the_time_given(tiny_mnist, serve, monkeypatch):
    silent = [serve(tiny_mnist) for _ in range(3)]
    for mirror in silent:
        mirror.silent.set()
    monkeypatch.setenv("NOGRAD_MIRRORS", " ".join(mirror.url for mirror in silent))
    start = time.monotonic()
    assert mirror_answers(timeout=0.3) is False
    assert 0.2 < time.monotonic() - start < 2  # of 30 s that the mirrors would stay silent


def test_a_name_server_that_hangs_keeps_nobody_from_leaving():
    code = (
        "import socket, time; socket.getaddrinfo = lambda *args, **kwargs: time.sleep(60)\n"
        "from nograd.data import mirror_answers\n"
        "print(mirror_answers(timeout=0.2))"
    )
    environment = {**os.environ, "NOGRAD_MIRRORS": "http://nowhere.invalid/"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout == "False\n"


def test_the_real_mnist(real_data):
    data = validate(load_mnist(real_data))
    assert (data.x_train.shape, data.x_val.shape, data.x_test.shape) == (
        (55000, 28, 28),
        (5000, 28, 28),
        (10000, 28, 28),
    )
    # Counted by others before us: LeCun's test set begins 7 2 1 0 4 and holds 1,135 ones.
    assert data.y_test[:5].tolist() == [7, 2, 1, 0, 4]
    assert int((data.y_test == 1).sum()) == 1135
    assert data.y_val[:5].tolist() == [5, 0, 4, 1, 9]
    assert float(np.concatenate([data.x_train, data.x_val]).mean()) / 255 == pytest.approx(0.1307, abs=5e-5)
