"""A world of its own for every test: no network, an empty cache, and mirrors that misbehave on demand."""

import gzip
import os
import struct
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from nograd.core.types import DataError

REAL_DATA = os.environ.get("NOGRAD_DATA")  # read before `sealed` takes it away


@pytest.fixture(autouse=True)
def sealed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No data of this machine, and no mirror but one that refuses."""
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    monkeypatch.delenv("NOGRAD_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("NOGRAD_MIRRORS", "http://127.0.0.1:9/nothing")


@pytest.fixture
def real_data() -> str:
    """The folder of the real MNIST."""
    if not REAL_DATA:
        pytest.skip("set NOGRAD_DATA to the folder of MNIST's files to run this")
    return REAL_DATA


@pytest.fixture
def refusal() -> Callable[..., str]:
    """Calls a function that must raise DataError; gives its message, which must be one line."""

    def call(function: Callable, *args: object, **kwargs: object) -> str:
        with pytest.raises(DataError) as caught:
            function(*args, **kwargs)
        message = str(caught.value)
        assert message == message.strip() != ""
        assert len(message.splitlines()) == 1
        return message

    return call


def idx_bytes(array: np.ndarray) -> bytes:
    """`array` (uint8) in the IDX format."""
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    return header + array.tobytes()


@pytest.fixture
def idx() -> Callable[[np.ndarray], bytes]:
    return idx_bytes


class Mirror:
    """A web server of `files`, and of the faults that its attributes ask for."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files
        self.ranges = True  # False: answers 200 with everything, whatever range is asked for
        self.shift = 0  # a 206 answer starts so many bytes later than asked for
        self.cut: list[int] = []  # the next answers stop after so many bytes
        self.silent = threading.Event()  # set: takes requests and never answers
        self.log: list[tuple[str, str | None, int]] = []  # file, Range header, bytes of body sent
        self.stop = threading.Event()
        mirror = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                mirror.answer(self)

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        if self.silent.is_set():
            self.stop.wait(30)
            return
        name = request.path.lstrip("/")
        wanted = request.headers.get("Range")
        data, start = self.files.get(name), 0
        if data is not None and wanted and self.ranges:
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
        if data is None or (start and start >= len(data)):
            self.log.append((name, wanted, 0))
            request.send_error(404 if data is None else 416)
            return
        request.send_response(206 if start else 200)
        if start:
            start += self.shift
            request.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        body = data[start:]
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        body = body[: self.cut.pop(0)] if self.cut else body
        self.log.append((name, wanted, len(body)))
        request.wfile.write(body)

    def close(self) -> None:
        self.stop.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def serve() -> Iterator[Callable[[dict[str, bytes]], Mirror]]:
    """Starts a mirror of the given files; all are stopped at the end of the test."""
    running: list[Mirror] = []

    def start(files: dict[str, bytes]) -> Mirror:
        running.append(Mirror(files))
        return running[-1]

    yield start
    for mirror in running:
        mirror.close()


@pytest.fixture
def tiny_mnist(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """Twelve training and six test images under MNIST's names, gzipped; nograd takes them for MNIST."""
    import hashlib

    from nograd.data import mnist

    rng = np.random.default_rng(1)
    files, digests = {}, {}
    for name in mnist.FILES:
        n = 12 if name.startswith("train") else 6
        shape = (n, 28, 28) if "images" in name else (n,)
        raw = idx_bytes(rng.integers(0, 256 if "images" in name else 10, shape).astype(np.uint8))
        files[f"{name}.gz"] = gzip.compress(raw, mtime=0)
        digests[name] = hashlib.sha256(raw).hexdigest()
    monkeypatch.setattr(mnist, "FILES", digests)
    monkeypatch.setattr(mnist, "VALIDATION", 4)
    return files
