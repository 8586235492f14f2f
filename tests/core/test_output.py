"""A job outlives whoever reads its lines."""

import errno
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from nograd.core.output import SteadyStream, steady_output

TRAIN = (
    "train", "digits", "--model", "mlp:4", "--generations", "4", "--batch", "8", "--population", "8",
    "--eval-every", "1", "--workers", "1", "--out", "r",
)  # fmt: skip


class Failing(io.StringIO):
    def __init__(self, error, after=0):
        super().__init__()
        self.failure, self.left = error, after

    def write(self, text):
        if self.left == 0:
            raise self.failure
        self.left -= 1
        return super().write(text)


@pytest.mark.parametrize("after", [0, 2])
@pytest.mark.parametrize(
    ("error", "lost"),
    [
        (BrokenPipeError(errno.EPIPE, "Broken pipe"), False),
        (OSError(errno.EIO, "the terminal has gone"), False),
        (OSError(errno.ENOSPC, "No space left on device"), True),
        (ValueError("I/O operation on closed file"), True),
    ],
)
def test_a_steady_stream_never_raises_and_says_what_was_lost(error, lost, after):
    below = Failing(error, after)
    stream = SteadyStream(below)
    for _ in range(5):
        assert stream.write("a line\n") == 7
        stream.flush()
    assert below.getvalue() == "a line\n" * after
    assert (stream.lost is error) == lost


def test_streams_are_put_back():
    before = sys.stdout, sys.stderr
    with pytest.raises(KeyError), steady_output():
        raise KeyError
    assert (sys.stdout, sys.stderr) == before


def command(shell, folder, **environment):
    line = f"{sys.executable} -m nograd {shell}"
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", line],
        cwd=folder, capture_output=True, text=True, check=False, env={**os.environ, **environment},
    )  # fmt: skip


def test_a_pipe_that_closes_ends_quietly(tmp_path):
    done = command("presets | head -n 1", tmp_path)
    assert (done.returncode, done.stderr, len(done.stdout.splitlines())) == (0, "", 1)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_full_disk_under_the_output_is_an_error(tmp_path):
    done = command("presets > /dev/full", tmp_path)
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "nograd: standard output could not be written: [Errno 28] No space left on device"
    ]


def test_a_terminal_of_another_encoding_gets_what_it_can_show(tmp_path):
    done = command("presets", tmp_path, PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    "how",
    [
        "| head -n 1",
        pytest.param(">&-", marks=pytest.mark.slow),
        pytest.param("<&- >&- 2>&-", marks=pytest.mark.slow),
        pytest.param("> /dev/full", marks=pytest.mark.slow),
    ],
)
def test_a_training_goes_on_to_its_end(how, tmp_path):
    command(f"{' '.join(TRAIN)} {how}", tmp_path, MPLBACKEND="module://not_installed_here")
    assert len((tmp_path / "r/metrics.jsonl").read_text().splitlines()) == 4
    assert (tmp_path / "r/result.json").is_file()
    assert (tmp_path / "r/curves.png").read_bytes().startswith(b"\x89PNG")
