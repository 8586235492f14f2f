"""The process engine: the bits of the inline engine for any number of workers, whatever happens to them."""

import gc
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from blobs import make_blobs
from generations import DENSE, KINDS, LOCAL, after, bits, inline, job_of
from processes import alive, children_of, needs_proc

import nograd as ng
from nograd.core.types import ConfigError, EngineError
from nograd.engines import child_process
from nograd.engines import process_handle as children
from nograd.engines.autotune import Trial
from nograd.engines.create import make_engine
from nograd.engines.inline import Inline
from nograd.engines.pool import Pool
from nograd.engines.processes import process_engine
from nograd.engines.protocol import Request
from nograd.engines.worker_handle import WorkerHandle

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the process engine needs POSIX")


def process(job, workers, **options):
    engine = process_engine(job.generation, job.state_shapes(), job.keys, workers, **options)
    engine.wait_until_ready()
    return engine


@pytest.mark.parametrize(
    ("kind", "workers"),
    [
        ("node", 2),
        *(pytest.param(kind, workers, marks=pytest.mark.slow) for kind in KINDS for workers in (2, 3, 5)),
    ],
)
def test_any_number_of_workers_gives_the_same_bits(kind, workers):
    job = job_of(**KINDS[kind])
    assert job.generation.plan.chunks >= 5
    engine = process(job, workers)
    try:
        assert after(engine, job, 4) == inline(job)
        assert engine.bytes_up > 0 < engine.bytes_down
    finally:
        engine.close()


@pytest.mark.slow
def test_more_workers_than_chunks_are_no_harm():
    job = job_of(**LOCAL | {"perturbation": "node", "chunks": 2})
    engine = process(job, 3)
    try:
        assert job.generation.plan.chunks == 2
        assert after(engine, job, 3) == inline(job, 3)
    finally:
        engine.close()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_a_killed_worker_changes_nothing(seed):
    """At a random moment of a generation that takes some 10 ms, by SIGKILL from within or from outside."""
    job, draw = job_of(**DENSE | {"model": "mlp:256,256", "batch": 160}), random.Random(seed)
    expected = inline(job, 6)
    engine = process(job, 3)
    victims = []

    def kill(generation):
        if generation in (1, 3):
            victim = engine.handles[draw.randrange(2)].channel._process.pid
            victims.append(subprocess.Popen([sys.executable, "-S", "-c", KILL.format(draw.uniform(0, 0.02), victim)]))

    try:
        assert after(engine, job, 6, kill) == expected
        for victim in victims:
            victim.wait()
        time.sleep(0.1)
        assert after(engine, job, 6) == expected  # the replaced ones, or what is left
        engine.wait_until_ready()
        assert after(engine, job, 6) == expected
    finally:
        engine.close()


KILL = "import os, time; time.sleep({}); os.kill({}, 9)"


@pytest.mark.slow
def test_a_hanging_worker_counts_as_dead():
    job = job_of(**DENSE)
    engine = process(job, 2, deadline=0.3)
    hung = engine.handles[0].channel._process.pid
    try:
        expected = inline(job, 3)
        os.kill(hung, signal.SIGSTOP)
        assert after(engine, job, 3) == expected
        engine.wait_until_ready()
        assert engine.handles[0].channel._process.pid != hung
        assert after(engine, job, 3) == expected
    finally:
        engine.close()
    assert not alive(hung)


@pytest.mark.slow
def test_a_worker_that_keeps_dying_ends_the_run_with_its_state_saved(tmp_path, monkeypatch):
    send = children.Child.send

    def killed(self, *request):
        self._process.kill()
        self._process.wait()
        return send(self, *request)

    monkeypatch.setattr(children.Child, "send", killed)
    monkeypatch.setattr(WorkerHandle, "is_ready", lambda self: self.wait_until_ready(60))
    with pytest.raises(EngineError, match=r"worker 1 was ended by SIGKILL, 3 times in a row; .*--workers 1"):
        ng.train(make_blobs(), model="mlp:8", **DENSE, generations=20, workers="2", out=tmp_path / "run")
    monkeypatch.undo()
    run = ng.train(make_blobs(), resume=tmp_path / "run", generations=20, workers="1")
    whole = ng.train(make_blobs(), model="mlp:8", **DENSE, generations=20, workers="1", out=tmp_path / "whole")
    assert bits(run.params) == bits(whole.params)


def test_a_worker_that_cannot_start_says_why_once(monkeypatch, capfd):
    monkeypatch.setitem(child_process.ENVIRONMENT, "JAX_PLATFORMS", "abacus")
    job = job_of(**DENSE)
    engine = process_engine(job.generation, job.state_shapes(), job.keys, 3)
    try:
        with pytest.raises(EngineError, match=r"worker \d cannot start: .*abacus"):
            engine.wait_until_ready()
    finally:
        engine.close()
    assert capfd.readouterr().err.count("in _prepared") == 1


def test_a_share_that_fails_is_one_line(monkeypatch):
    job = job_of(**DENSE)
    engine = process(job, 2)
    try:
        engine.handles[0].ask(request := Request(1, "no such program", 0, (0, 1), {}))
        with pytest.raises(EngineError, match="worker 1 failed: KeyError: 'no such program'"):
            engine.handles[0].answer(request)
    finally:
        engine.close()


@needs_proc
@pytest.mark.parametrize("fails", [pytest.param(False, marks=pytest.mark.slow), True])
def test_nothing_is_left_behind(fails):
    def held():
        gc.collect()
        return len(list(Path("/proc/self/fd").iterdir())), children_of(os.getpid())

    job = job_of(**DENSE)
    inline(job)
    before = held()
    engine = process(job, 2)
    after(engine, job, 2)
    if fails:
        engine.handles[0].channel._process.kill()
    engine.close()
    del engine
    assert held() == before


DIGITS = {"model": "mlp:8", "population": 32, "eval_every": 100, "checkpoint_every": 5}


@needs_proc
@pytest.mark.parametrize("number", [signal.SIGKILL, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
@pytest.mark.slow
def test_the_end_of_the_parent_is_the_end_of_all(tmp_path, number):
    """kill −9 and Ctrl-C: no process remains, and the run goes on to the bits of an uninterrupted one."""
    flags = [word for name, value in DIGITS.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    command = [sys.executable, "-m", "nograd", "train", "digits", *flags, "--generations", "1000000"]
    out = tmp_path / "run"
    parent = subprocess.Popen([*command, "--workers", "3", "--out", out], stdout=subprocess.DEVNULL)
    end = time.monotonic() + 60
    while len(list(out.glob("checkpoints/*.safetensors"))) < 2 and time.monotonic() < end:
        time.sleep(0.05)
    workers = children_of(parent.pid)
    assert len(workers) == 2
    parent.send_signal(number)
    parent.wait(20)
    end = time.monotonic() + 5
    while any(map(alive, workers)) and time.monotonic() < end:
        time.sleep(0.05)
    assert not any(map(alive, workers))
    generations = int(max(out.glob("checkpoints/generation-*")).stem.partition("-")[2]) + 20
    ng.train(resume=out, generations=generations, workers="2")
    whole = ng.train("digits", **DIGITS, generations=generations, workers="1", out=tmp_path / "whole")
    assert bits(ng.load(out).params) == bits(whole.params)


@needs_proc
@pytest.mark.slow
def test_memory_is_constant_over_two_thousand_generations():
    def resident(process):
        return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    job = job_of(**DENSE)
    engine = process(job, 2)
    state = job.init_state()
    try:
        sizes = []
        for generation in range(2000):
            state, _ = engine.step(state)
            if generation in (499, 1999):
                sizes.append([resident(each) for each in (os.getpid(), engine.handles[0].channel._process.pid)])
    finally:
        engine.close()
    for before, later in zip(*sizes, strict=True):
        assert later < before + 8e6


def test_the_engine_follows_from_words():
    job = job_of(**DENSE)
    made = lambda *words: make_engine(job.generation, job.state_shapes(), job.keys, *words)  # noqa: E731
    for words in (("inline",), ("auto", "1"), ("process", "1")):
        assert type(made(*words)) is Inline
    engine = made("auto", "2")
    engine.close()
    assert type(engine) is Pool
    assert (engine.kind, engine.workers) == ("process", 2)


def test_several_threads_are_refused(monkeypatch):
    monkeypatch.delenv("NPROC")
    job = job_of(**DENSE)
    with pytest.raises(ConfigError, match="set NPROC=1"):
        make_engine(job.generation, job.state_shapes(), job.keys, "auto", "2")
    assert type(make_engine(job.generation, job.state_shapes(), job.keys)) is Inline


@pytest.mark.parametrize("shared_is_better", [True, False])
def test_the_quicker_way_is_kept_and_tried_again(shared_is_better):
    trial, chosen = Trial(), []
    for _ in range(1000):
        chosen.append(trial.shared())
        trial.note(1.0 if chosen[-1] == shared_is_better else 2.0)
    assert chosen[:10] == chosen[400:410] == [True, False] * 5
    assert set(chosen[10:400]) == set(chosen[410:800]) == {shared_is_better}


def test_working_alone_now_and_then_changes_nothing():
    job = job_of(**DENSE)
    engine = process(job, 2, may_work_alone=True)
    down = []
    try:
        assert after(engine, job, 14, lambda _: down.append(engine.bytes_down)) == inline(job, 14)
    finally:
        engine.close()
    assert 0 in down[2:]
    assert max(down) > 0
