"""One history on disk: after a crash at any operation, a resumed run is the uninterrupted one."""

import os
import random
import shutil
import signal
import time
from dataclasses import replace

import jax
import numpy as np
import pytest
from blobs import make_blobs
from crashes import MODES, crashing

from nograd.config.settings import TrainConfig
from nograd.core.interrupt import interruptible
from nograd.core.types import EngineError, RunError
from nograd.engines.inline import Inline
from nograd.runs.directory import RunDirectory, number_of
from nograd.training.job import build_job
from nograd.training.loop import Limits, Trainer
from nograd.training.restore import restore, resume_from
from runs import tensors

EVERY, CONFIG = 2, {"settings": {}}
LIMITS = Limits(7, None, None, None, eval_every=EVERY, checkpoint_every=2, keep_checkpoints=2)


def in_turn(mode):
    """All modes, of which one is quick enough for every day."""
    return [mode, *(pytest.param(other, marks=pytest.mark.slow) for other in MODES if other != mode)]


class Machine:
    """What trains, compiled once."""

    def __init__(self):
        config = replace(TrainConfig(), model="mlp:4", population=8, batch=8, lr=0.5, sigma=0.3)
        self.job = build_job(config, make_blobs())
        self.first, self.shapes = self.job.init_state(), self.job.state_shapes()
        self.engine = Inline(self.job.generation, self.first, self.job.keys)
        self.task = self.job.task
        scores, known = self.task.scores, {}

        def cached(params):  # the same few generations over and over
            key = b"".join(np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(params))
            known[key] = known.get(key) or scores(params)
            return known[key]

        class Task:
            measure = self.task.measure
            scores = staticmethod(cached)

        self.task = Task()

    def go_on(self, path, limits=LIMITS, checkpoint=None, observer=None):
        """One command on the run at `path`, as `nograd train --resume` does it; then its result is written."""
        directory = RunDirectory.open(path)
        directory.hold()
        try:
            state, progress, best = restore(directory, self.shapes, "id", checkpoint)
            resume_from(directory, progress, limits)
            trainer = Trainer(self.task, self.engine, directory, limits, "id", observer)
            ending = trainer.run(self.first if state is None else state, progress, best)
            best = ending.best and (ending.best.generation, ending.best.score)
            directory.write_result({"best": best, "generations": ending.progress.generation})
        finally:
            directory.release()
        return directory


@pytest.fixture(scope="module")
def machine():
    return Machine()


@pytest.fixture(scope="module")
def whole(machine, tmp_path_factory):
    """The uninterrupted run."""
    path = tmp_path_factory.mktemp("runs") / "whole"
    RunDirectory.create(path, CONFIG).release()
    machine.go_on(path)
    return path


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """The disk need not be waited for: what it would hold is simulated."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


def story(path):
    """All that a run says, but for the clock."""
    directory = RunDirectory.open(path)
    lines = [{name: value for name, value in line.items() if name != "seconds"} for line in directory.metrics()]
    kept = {file.name: tensors(file) for file in directory.checkpoints.iterdir()}
    left = {file.name for file in path.iterdir() if file.is_file()}
    return lines, kept, directory.result(), left


def test_the_run_has_what_the_tests_below_need(whole):
    """Several bests, one of which only a checkpoint before the last needs, and an evaluation at the very end."""
    lines, kept, result, left = story(whole)
    assert [line["generation"] for line in lines if "val_accuracy" in line] == [2, 4, 6, 7]
    assert [line["generation"] for line in lines] == list(range(1, 8))
    assert set(kept) >= {"generation-00000006.safetensors", "generation-00000007.safetensors", "best.safetensors"}
    assert left == {"config.json", "metrics.jsonl", "result.json"}
    assert result["generations"] == 7


@pytest.mark.parametrize("mode", in_turn("power"))
def test_a_crash_at_any_operation_loses_nothing_but_time(machine, whole, tmp_path, mode):
    at, ended = 0, False
    while not ended:
        path = tmp_path / str(at)
        RunDirectory.create(path, CONFIG).release()
        with crashing(path, at, mode) as disk:
            machine.go_on(path)
        ended = not disk.dead
        machine.go_on(path)
        assert story(path) == story(whole), f"a crash at operation {at}"
        shutil.rmtree(path)
        at += 1
    assert at > 50


@pytest.mark.parametrize("mode", in_turn("kill"))
def test_a_crash_while_an_older_checkpoint_is_gone_back_to(machine, whole, tmp_path, mode):
    limits = LIMITS._replace(keep_checkpoints=9)
    full = tmp_path / "full"
    RunDirectory.create(full, CONFIG).release()
    machine.go_on(full, limits)
    at, ended = 0, False
    while not ended:
        path = shutil.copytree(full, tmp_path / str(at))
        with crashing(path, at, mode) as disk:
            machine.go_on(path, limits, RunDirectory.open(path).numbered()[1])
        ended = not disk.dead
        machine.go_on(path, limits)
        assert story(path)[:3] == story(full)[:3], f"a crash at operation {at}"
        shutil.rmtree(path)
        at += 1


@pytest.mark.parametrize("seed", [*range(10), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(10, 200))])
def test_crash_upon_crash(machine, whole, tmp_path, seed):
    draw, path = random.Random(seed), tmp_path / "run"
    RunDirectory.create(path, CONFIG).release()
    for _ in range(draw.randint(2, 6)):
        with crashing(path, draw.randint(0, 40), draw.choice(MODES)):
            machine.go_on(path)
    machine.go_on(path)
    assert story(path) == story(whole)


def test_a_shorter_run_that_goes_on_is_the_longer_one(machine, whole, tmp_path):
    for first in range(1, 7):
        path = tmp_path / str(first)
        RunDirectory.create(path, CONFIG).release()
        machine.go_on(path, LIMITS._replace(generations=first))
        machine.go_on(path, LIMITS._replace(generations=first))  # and once more, to the same end
        machine.go_on(path)
        assert story(path)[0] == story(whole)[0]
        assert story(path)[2] == story(whole)[2]


def test_what_is_later_than_an_older_checkpoint_is_moved_to_a_run_of_its_own(machine, whole, tmp_path, capsys):
    path = tmp_path / "run"
    RunDirectory.create(path, CONFIG).release()
    machine.go_on(path, LIMITS._replace(keep_checkpoints=9))
    before = story(path)
    older = RunDirectory.open(path).numbered()[1]
    machine.go_on(path, LIMITS._replace(generations=5), older)
    lines, kept, result, _ = story(path)
    assert [line["generation"] for line in lines] == [1, 2, 3, 4, 5]
    assert max(number_of(RunDirectory.open(path).checkpoints / name) for name in kept) == 5
    assert result["generations"] == 5
    assert result["best"][0] <= 5
    aside = path / "later-than-generation-4"
    assert str(aside) in capsys.readouterr().err
    machine.go_on(aside)
    assert story(aside)[0] == before[0]
    assert story(aside)[2] == before[2]


def test_metrics_cut_anywhere_are_whole_again_or_told(machine, whole, tmp_path, capsys):
    content = (whole / "metrics.jsonl").read_bytes()
    ends = [i + 1 for i, byte in enumerate(content) if byte == 10]
    for length in sorted({0, *ends, *range(ends[-2] - 3, len(content), 7), *(end - 9 for end in ends)}):
        path = shutil.copytree(whole, tmp_path / str(length))
        (path / "metrics.jsonl").write_bytes(content[:length])
        machine.go_on(path)
        told = capsys.readouterr().err
        lines = story(path)[0]
        assert story(path)[1:] == story(whole)[1:]
        if lines != story(whole)[0]:
            missing = 7 - len(lines)
            assert told.count("has no lines of generations") == 1
            assert told.count("\n") == 1
            assert missing > 0
        else:
            assert told == ""


@pytest.mark.parametrize(
    "junk", [b"\xff\xfe\x00\n", b"null\n", b"[1]\n", b'{"generation": "x"}\n', b"[" * 9999 + b"\n"]
)
def test_foreign_bytes_in_the_metrics_are_passed_over(machine, whole, tmp_path, junk):
    path = shutil.copytree(whole, tmp_path / "run")
    (path / "metrics.jsonl").write_bytes(junk + (whole / "metrics.jsonl").read_bytes() + junk)
    assert RunDirectory.open(path).metrics() == RunDirectory.open(whole).metrics()
    machine.go_on(path)
    assert story(path) == story(whole)


class Raises:
    """An observer that raises at one generation."""

    def __init__(self, error, at=5):
        self.error, self.at = error, at

    def generation(self, progress, line):
        if progress.generation == self.at:
            raise self.error


@pytest.mark.parametrize(
    "error", [ValueError("x"), MemoryError(), OSError(28, "x"), KeyboardInterrupt(), SystemExit(1)]
)
def test_whatever_ends_the_loop_the_state_is_saved(machine, whole, tmp_path, error):
    path = tmp_path / "run"
    RunDirectory.create(path, CONFIG).release()
    with pytest.raises(type(error)):
        machine.go_on(path, observer=Raises(error))
    assert number_of(RunDirectory.open(path).numbered()[-1]) == 5
    machine.go_on(path)
    assert story(path)[0] == story(whole)[0]
    assert story(path)[2] == story(whole)[2]


ERRORS = [MemoryError, KeyboardInterrupt, jax.errors.JaxRuntimeError, EngineError, RunError, OSError, SystemExit]


@pytest.mark.parametrize("part", ["step", "log", "save", "save_best"])
@pytest.mark.parametrize("error", ERRORS)
def test_whatever_fails_once_the_last_whole_generation_is_saved(machine, whole, tmp_path, monkeypatch, part, error):
    """Once, wherever it comes: also within the writing of a checkpoint."""
    path, calls = tmp_path / "run", []
    RunDirectory.create(path, CONFIG).release()
    owner = machine.engine if part == "step" else RunDirectory
    real = getattr(owner, part)

    def failing(*arguments, **named):
        calls.append(1)
        if len(calls) == 2:
            raise error("out of luck")
        return real(*arguments, **named)

    with monkeypatch.context() as patch:
        patch.setattr(owner, part, failing)
        with pytest.raises(error):
            machine.go_on(path)
    directory = RunDirectory.open(path)
    assert number_of(directory.numbered()[-1]) >= len(directory.metrics()) - 1
    machine.go_on(path)
    assert story(path)[0] == story(whole)[0]
    assert story(path)[2] == story(whole)[2]


def test_a_third_ctrl_c_within_the_save_leaves_what_was_there(machine, whole, tmp_path, monkeypatch):
    path = tmp_path / "run"
    RunDirectory.create(path, CONFIG).release()

    def interrupted(*arguments, **named):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("nograd.runs.checkpoint.write_atomically", interrupted)
        with pytest.raises(KeyboardInterrupt):
            machine.go_on(path)
    machine.go_on(path)
    assert story(path)[0] == story(whole)[0]
    assert story(path)[2] == story(whole)[2]


@pytest.mark.parametrize("part", ["step", "log", "save_best", "scores"])
@pytest.mark.parametrize("call", [1, 2, 3])
def test_wherever_the_loop_fails_the_last_whole_generation_is_saved(machine, whole, tmp_path, monkeypatch, part, call):
    path = tmp_path / "run"
    RunDirectory.create(path, CONFIG).release()
    owner = {"step": machine.engine, "scores": machine.task}.get(part, RunDirectory)
    real, calls = getattr(owner, part), []

    def failing(*arguments, **named):
        calls.append(1)
        if len(calls) == call:
            raise RuntimeError("out of luck")
        return real(*arguments, **named)

    with monkeypatch.context() as patch:
        patch.setattr(owner, part, failing)
        with pytest.raises(RuntimeError, match="out of luck"):
            machine.go_on(path)
    directory = RunDirectory.open(path)
    last = number_of(directory.numbered()[-1]) if directory.numbered() else 0
    assert last >= len(directory.metrics()) - 1
    machine.go_on(path)
    assert story(path)[0] == story(whole)[0]
    assert story(path)[2] == story(whole)[2]


def test_a_signal_is_followed_by_another_where_the_work_does_not_end():
    def endless():
        with interruptible(grace=0.2) as event:
            signal.raise_signal(signal.SIGTERM)
            assert event.is_set()
            time.sleep(20)

    with pytest.raises(KeyboardInterrupt):
        endless()
    with interruptible(grace=0.05):
        signal.raise_signal(signal.SIGHUP)
    time.sleep(0.1)  # nothing comes after the block


def test_nohup_stays_in_force():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with interruptible() as event:
            signal.raise_signal(signal.SIGHUP)
            assert not event.is_set()
    finally:
        signal.signal(signal.SIGHUP, before)
