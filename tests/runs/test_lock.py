"""One process a directory: of many that want it one has it, and the lock ends with its process."""

import errno
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nograd.core.types import RunError
from nograd.runs.directory import LOCK, RunDirectory
from nograd.runs.lock import DirectoryLock

HOLD = """
import sys, time
from nograd.runs.directory import RunDirectory
run = RunDirectory.open(sys.argv[1])
run.hold()
print("held", flush=True)
time.sleep(60)
"""


def holder(path):
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    return process


def attempt(barrier, number, name, queue):
    barrier.wait()
    try:
        queue.put(str(RunDirectory.create(name, {"number": number}).path))
    except RunError:
        queue.put("")


@pytest.mark.filterwarnings("ignore:os.fork")  # the child neither computes nor waits for a thread
@pytest.mark.parametrize("tries", [5, pytest.param(100, marks=pytest.mark.slow)])
def test_of_two_processes_one_gets_the_directory(tmp_path, tries):
    context = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    for number in range(tries):
        barrier, queue = context.Barrier(2), context.Queue()
        arguments = [(barrier, i, str(tmp_path / str(number)), queue) for i in range(2)]
        processes = [context.Process(target=attempt, args=given) for given in arguments]
        for process in processes:
            process.start()
        assert sorted(map(bool, (queue.get(), queue.get()))) == [False, True]
        for process in processes:
            process.join()


def test_default_names_are_numbered_where_they_are_taken(tmp_path):
    runs = [RunDirectory.create_new(tmp_path / "digits-1", {}) for _ in range(3)]
    assert [run.path.name for run in runs] == ["digits-1", "digits-1-2", "digits-1-3"]


def test_the_second_is_told_who_the_first_is_and_a_killed_one_holds_nothing(tmp_path):
    RunDirectory.create(tmp_path / "a", {}).release()
    first = holder(tmp_path / "a")
    try:
        second = RunDirectory.open(tmp_path / "a")
        with pytest.raises(RunError, match=f"process {first.pid} on {socket.gethostname()}") as caught:
            second.hold()
        assert "\n" not in str(caught.value)
        assert second.config() == {}  # reading needs no lock
    finally:
        first.send_signal(signal.SIGKILL)
        first.communicate()
    second.hold()
    second.release()
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["checkpoints", "config.json"]


def test_a_second_training_of_the_same_process_is_refused_too(tmp_path):
    run = RunDirectory.create(tmp_path / "a", {})
    with pytest.raises(RunError, match="in use"):
        RunDirectory.open(tmp_path / "a").hold()
    run.hold()  # its own lock, once more
    run.release()
    RunDirectory.open(tmp_path / "a").hold()


def test_a_training_that_is_forgotten_holds_nothing(tmp_path):
    RunDirectory.create(tmp_path / "a", {})
    RunDirectory.open(tmp_path / "a").hold()


@pytest.mark.filterwarnings("ignore:os.fork")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_neither_keeps_the_lock_nor_removes_it(tmp_path):
    lock = DirectoryLock(tmp_path / LOCK)
    queue, child = os.pipe(), os.fork()
    if child == 0:
        lock.release()
        os.write(queue[1], b"x")
        time.sleep(30)
        os._exit(0)
    try:
        os.read(queue[0], 1)
        with pytest.raises(RunError):
            DirectoryLock(tmp_path / LOCK)
        lock.release()
        DirectoryLock(tmp_path / LOCK)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def test_what_a_crash_left_goes_when_the_run_is_held(tmp_path):
    run = RunDirectory.create(tmp_path / "a", {})
    run.release()
    left = [run.path / ".config.json.123.tmp", run.checkpoints / ".best.safetensors.123.tmp"]
    another = run.path / ".report.html.123.tmp"  # somebody may be writing it
    for path in (*left, another):
        path.write_bytes(b"x")
    run.hold()
    assert not any(path.exists() for path in left)
    assert another.exists()
    os.utime(another, (0, 0))
    run.hold()
    assert not another.exists()


def test_a_folder_with_parts_of_a_run_is_not_taken_for_a_new_one(tmp_path):
    (tmp_path / "metrics.jsonl").write_text('{"generation": 1}\n')
    with pytest.raises(RunError, match=r"metrics\.jsonl of a run without its config\.json; choose another --out"):
        RunDirectory.create(tmp_path, {})


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_can_be_read(tmp_path):
    RunDirectory.create(tmp_path / "a", {}).release()
    (tmp_path / "a").chmod(0o500)
    try:
        run = RunDirectory.open(tmp_path / "a")
        assert run.config() == {}
        with pytest.raises(RunError, match="permit it"):
            run.hold()
    finally:
        (tmp_path / "a").chmod(0o700)


def attempt_to_go_on(barrier, number, name, queue):
    run = RunDirectory.open(name)
    barrier.wait()
    try:
        run.hold()
        queue.put(True)
        barrier.wait()  # until the other one has tried
        run.release()
    except RunError as error:
        queue.put(str(error))
        barrier.wait()


@pytest.mark.filterwarnings("ignore:os.fork")
@pytest.mark.parametrize("tries", [5, pytest.param(200, marks=pytest.mark.slow)])
def test_of_two_processes_that_go_on_at_the_same_moment_one_does(tmp_path, tries):
    context = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    RunDirectory.create(tmp_path / "a", {}).release()
    for number in range(tries):
        barrier, queue = context.Barrier(2), context.Queue()
        given = (barrier, number, str(tmp_path / "a"), queue)
        processes = [context.Process(target=attempt_to_go_on, args=given) for _ in range(2)]
        for process in processes:
            process.start()
        said = [queue.get(timeout=60), queue.get(timeout=60)]
        for process in processes:
            process.join()
        assert True in said
        (other,) = [words for words in said if words is not True]
        assert "is in use" in other
        assert not (tmp_path / "a" / LOCK).exists()


@pytest.mark.parametrize("left", [b"process 1 on elsewhere\n", b"", b"\xff\xfe\x00", b"x" * 9999])
def test_a_file_that_another_host_has_left_is_no_lock(tmp_path, left):
    (tmp_path / LOCK).write_bytes(left)
    lock = DirectoryLock(tmp_path / LOCK)
    assert (tmp_path / LOCK).read_text() == f"process {os.getpid()} on {socket.gethostname()}\n"
    with pytest.raises(RunError, match=f"process {os.getpid()}"):
        DirectoryLock(tmp_path / LOCK)
    lock.release()
    assert not (tmp_path / LOCK).exists()


def test_a_lock_whose_words_are_no_text_is_a_lock_all_the_same(tmp_path):
    lock = DirectoryLock(tmp_path / LOCK)
    (tmp_path / LOCK).write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RunError, match="another process works in it"):
        DirectoryLock(tmp_path / LOCK)
    lock.release()


def failing_with(number):
    def flock(descriptor, operation):
        raise OSError(number, os.strerror(number))

    return flock


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_told_and_used(tmp_path, monkeypatch, capsys, number):
    monkeypatch.setattr("nograd.runs.lock.fcntl.flock", failing_with(number))
    run = RunDirectory.create(tmp_path / "a", {})
    run.release()
    said = capsys.readouterr().err
    assert "a file system without locks: start no second training there" in said
    assert said.count("\n") == 1


def descriptors():
    """How many this process has open, where the system tells."""
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.is_dir() else 0


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.EACCES])
def test_a_lock_that_fails_is_one_line_and_leaves_no_descriptor(tmp_path, monkeypatch, number):
    monkeypatch.setattr("nograd.runs.lock.fcntl.flock", failing_with(number))
    before = descriptors()
    with pytest.raises(RunError, match="cannot lock") as caught:
        RunDirectory.create(tmp_path / "a", {})
    assert "\n" not in str(caught.value)
    assert descriptors() == before


def test_on_a_full_disk_nobody_is_told_who_holds_it_but_it_is_held(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "pwrite", full)
    lock = DirectoryLock(tmp_path / LOCK)
    with pytest.raises(RunError, match="another process works in it"):
        DirectoryLock(tmp_path / LOCK)
    lock.release()
    DirectoryLock(tmp_path / LOCK)
