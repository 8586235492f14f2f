"""MNIST: 70,000 images of handwritten digits, from the disk or from a mirror, checked by SHA-256."""

import hashlib
import os
import queue
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np

from nograd.core.cache import user_cache
from nograd.core.types import DataError
from nograd.data.array_parts import sizes_note
from nograd.data.arrays import Array
from nograd.data.arrays_encoding import describe_arrays
from nograd.data.dataset import Dataset
from nograd.data.download import MirrorError, fetch, mirrors
from nograd.data.idx import parse_idx, read_bytes
from nograd.data.paths import expand, is_file
from nograd.data.scaling import scaling

# SHA-256 of the uncompressed content: gzip streams may differ between mirrors, the images do not.
FILES = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
VALIDATION = 5000  # the first training images, as in TensorFlow's MNIST tutorial of 2017


def load_mnist(data_dir: str | Path | None = None, download: bool = True, progress: bool = True) -> Dataset:
    """MNIST as x uint8 [examples, 28, 28], scale 1/255: 55,000 to train, 5,000 to validate, 10,000 to test.

    Args:
        data_dir: the folder to take the files from, FILE or mnist/FILE in it; no other place is tried then.
            By default NOGRAD_DATA, the user's cache, and the mirrors, in this order.
        download: False stops before the mirrors.
        progress: show the download on stderr.
    Raises:
        DataError: the files are nowhere, damaged, or not MNIST.
    """
    folder, origin = find_mnist(data_dir), ""
    if folder is None:
        if data_dir is not None:
            raise DataError(_absent_from(data_dir))
        if not download:
            raise DataError(_three_ways("the download is switched off"))
        folder = cache_folder()
        origin = _download(folder, progress)
    images, labels, x_test, y_test = (_read_checked(folder, name) for name in FILES)
    labels, y_test = labels.astype(np.int32), y_test.astype(np.int32)
    x_val, x_train = images[:VALIDATION], images[VALIDATION:]
    y_val, y_train = labels[:VALIDATION], labels[VALIDATION:]
    offset, scale = scaling(x_train, "auto", unit=255.0)
    source = f"MNIST in {folder}" + (f", downloaded from {origin}" if origin else "")
    note = sizes_note(source, len(x_train), len(x_val), len(x_test))
    data = Dataset("mnist", x_train, y_train, x_val, y_val, x_test, y_test, 10, offset, scale, (), note)
    return data._replace(encoding=describe_arrays(x_train, 255.0))


def find_mnist(data_dir: str | Path | None = None) -> Path | None:
    """The folder that holds all four files, None if there is none. Looks on the disk only.

    Args:
        data_dir: if given, the only place to look; else NOGRAD_DATA, then the user's cache.
    """
    if data_dir is not None:
        places = _inside(data_dir)
    else:
        shared = os.environ.get("NOGRAD_DATA")
        places = [*(_inside(shared) if shared else []), cache_folder()]
    return next((place for place in places if all(_locate(place, name) for name in FILES)), None)


def cache_folder() -> Path:
    """Where downloads are kept: the user's cache."""
    return user_cache("mnist")


def mirror_answers(timeout: float = 5.0) -> bool:
    """Whether any mirror answers within `timeout` seconds in all, even where the name server is silent."""
    answers: queue.SimpleQueue[bool] = queue.SimpleQueue()
    deadline = time.monotonic() + timeout
    bases = mirrors()
    for base in bases:
        # Daemons: a name look-up knows no time limit, and must not keep the interpreter from leaving.
        threading.Thread(target=_probe, args=(base, timeout, answers), daemon=True).start()
    for _ in bases:
        try:
            if answers.get(timeout=max(0.0, deadline - time.monotonic())):
                return True
        except queue.Empty:
            return False
    return False


def _probe(base: str, timeout: float, answers: "queue.SimpleQueue[bool]") -> None:
    """Put into `answers` whether the mirror at `base` has the smallest of the files."""
    try:
        # GET, not HEAD: not every server knows HEAD, and the file is 5 kB.
        with urllib.request.urlopen(f"{base}t10k-labels-idx1-ubyte.gz", timeout=timeout):
            answers.put(True)
    except Exception as error:  # whatever it is, this mirror is of no use
        if isinstance(error, urllib.error.HTTPError):
            error.close()
        answers.put(False)


def _download(folder: Path, progress: bool) -> str:
    """Fetch what `folder` lacks. Returns the base URL that served last."""
    origin = ""
    try:
        for name, digest in FILES.items():
            if not _locate(folder, name):
                url = fetch(f"{name}.gz", mirrors(), folder, digest, progress)
                origin = url.rpartition("/")[0] or origin
    except MirrorError as error:
        raise DataError(_three_ways(str(error))) from error
    return origin


def _three_ways(reason: str) -> str:
    """One line: why MNIST is not here, and the ways on."""
    return (
        f"MNIST is not on this machine: {reason}. Three ways on: (1) put the four files "
        f"{', '.join(FILES)} (.gz or not) in a folder and pass --data-dir DIR or set NOGRAD_DATA=DIR, "
        "(2) connect to the network and run again, it downloads 11 MB from "
        f"{' or '.join(mirrors())}, (3) train on the embedded set instead: nograd train digits"
    )


def _absent_from(data_dir: str | Path) -> str:
    """What `data_dir` lacks, in one line."""
    places = _inside(data_dir)
    missing = min(([name for name in FILES if not _locate(place, name)] for place in places), key=len)
    return (
        f"{places[1]} lacks {', '.join(missing)} of MNIST (.gz or not, there or in mnist/); put them there, "
        "or leave out --data-dir to use the cache and the mirrors"
    )


def _inside(data_dir: str | Path) -> list[Path]:
    """The two folders where the files of a data directory may lie."""
    base = expand(data_dir)
    return [base / "mnist", base]


def _locate(folder: Path, name: str) -> Path | None:
    """FOLDER/NAME.gz or FOLDER/NAME, whichever is a file."""
    return next((path for path in (folder / f"{name}.gz", folder / name) if is_file(path)), None)


def _read_checked(folder: Path, name: str) -> Array:
    """The array of one file, once its content is known to be MNIST's."""
    path = _locate(folder, name)
    if path is None:
        raise DataError(f"{folder / name} has just vanished; run again")
    data = read_bytes(path)
    found, expected = hashlib.sha256(data).hexdigest(), FILES[name]
    if found != expected:
        cached = folder == cache_folder()
        remedy = "delete it, it will be fetched again" if cached else "replace it with a good copy"
        raise DataError(f"{path} has checksum {found[:12]}, expected {expected[:12]}; {remedy}")
    return parse_idx(data, str(path))
