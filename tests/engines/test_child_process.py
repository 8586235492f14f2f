"""A child process imports what its parent does, and ends with it."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
from processes import alive, needs_proc

from nograd.engines.child_process import ChildProcess, module_folders, search_path

# Modules of the standard library, of what nograd stands on, and nograd itself, as a user may name a file by mistake.
NAMES = ("random", "types", "logging", "queue", "secrets", "jax", "numpy", "optax", "nograd", "multiprocessing")


@pytest.fixture
def shadows(tmp_path, monkeypatch):
    """A current folder in which files have these names."""
    for name in NAMES:
        (tmp_path / f"{name}.py").write_text("raise SystemExit(f'{__file__} is not meant')\n")
    (tmp_path / "of_the_user.py").write_text("def serve(link, pinned, *words):\n    link.send((words, pinned))\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def started():
    """Starts children, and ends them with the test."""
    children = []

    def start(*words, **options):
        children.append(ChildProcess(*words, **options))
        return children[-1]

    yield start
    for child in children:
        child.close()


def test_files_in_the_current_folder_shadow_nothing_and_can_be_imported(shadows, started, monkeypatch):
    monkeypatch.setattr(sys, "path", ["", *sys.path])  # as in a notebook
    child = started("nograd.tuning.worker_main")
    assert child.link.poll(60)
    assert child.link.recv() == ("ready",), child.last_words()
    other = started("of_the_user", ["a", 1])
    assert other.link.poll(60)
    assert other.link.recv() == (("a", "1"), False)


def test_the_current_folder_is_looked_into_last(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", "/a", str(tmp_path), "b", "/c", "/a"])
    assert search_path() == ["/a", f"{tmp_path}/b", "/c", str(tmp_path)]
    monkeypatch.setattr(sys, "path", ["/a", "/c"])
    assert search_path() == ["/a", "/c"]


def test_the_current_folder_may_be_gone(tmp_path, monkeypatch):
    folder = tmp_path / "gone"
    folder.mkdir()
    monkeypatch.chdir(folder)
    folder.rmdir()
    monkeypatch.setattr(sys, "path", ["", "/a"])
    assert search_path() == ["/a"]


def test_modules_are_taken_from_where_this_process_has_them():
    folders = module_folders()
    for name in ("nograd", "subprocess", "pytest"):
        file = Path(sys.modules[name].__file__)
        assert Path(folders[name]) in (file.parent, file.parents[1])
    assert "__main__" not in folders
    assert not any("." in name for name in folders)


def test_an_end_and_last_words(started):
    child = started("no_such_module")
    assert child.process.wait(60) == 1
    assert child.end() == "ended with exit code 1"
    assert child.last_words().strip().endswith("No module named 'no_such_module'")
    other = started("nograd.tuning.worker_main")
    assert other.end(0.0) == "was ended by SIGKILL"


PARENT = """
import os, signal, sys
from nograd.engines.child_process import ChildProcess
child = ChildProcess("nograd.tuning.worker_main")
child.link.recv()
if {stopped}:
    os.kill(child.process.pid, signal.SIGSTOP)
print(child.process.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@needs_proc
@pytest.mark.parametrize("stopped", [False, True])
def test_a_child_ends_with_its_parent_also_while_it_is_stopped(stopped):
    code = PARENT.format(stopped=stopped)
    parent = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=False, timeout=120)
    assert parent.returncode == -9
    child, end = int(parent.stdout), time.monotonic() + 10
    while alive(child) and time.monotonic() < end:
        time.sleep(0.05)
    assert not alive(child)


@needs_proc
def test_nothing_is_left_open():
    def held():
        return len(list(Path("/proc/self/fd").iterdir()))

    before = held()
    ChildProcess("nograd.tuning.worker_main").close()
    assert held() == before
