"""When a worker counts as dead, by a clock that the test moves; and real processes that are stopped."""

import os
import signal
import subprocess
import sys
import time

import pytest
from generations import DENSE, after, inline, job_of

from nograd.core.types import EngineError
from nograd.engines import worker_handle
from nograd.engines.create import make_engine
from nograd.engines.pool import Pool
from nograd.engines.processes import process_engine
from nograd.engines.protocol import Alive, Answer, Epoch, EpochError, Ready, Refused, Request, require
from nograd.engines.server import Held, Server, copied
from nograd.engines.worker_handle import Patience, WorkerHandle


class Silent:
    """A channel to a worker that says what it is told to say, and a clock."""

    def __init__(self):
        self.now, self.says, self.started, self.placed = 0.0, [], 0, True

    def start(self):
        self.started += 1

    def is_placed(self):
        return self.placed

    def send(self, request):
        return 1

    def receive(self, seconds):
        if self.says:
            return self.says.pop(0)
        self.now += seconds
        return None

    def end(self):
        pass

    close = end


@pytest.fixture
def silent():
    return Silent()


@pytest.fixture
def handle(silent):
    return WorkerHandle(1, silent, Patience(20.0, 2.0), lambda: "use less", clock=lambda: silent.now)


def looked_at(handle, silent, seconds):
    """Looks every second, as a driver does between generations."""
    for _ in range(seconds):
        silent.now += 1.0
        handle.is_ready()


def test_a_worker_that_hangs_while_it_starts_is_replaced_and_then_given_up(handle, silent):
    looked_at(handle, silent, 25)
    assert silent.started == 0
    looked_at(handle, silent, 10)  # the deadline and five times the driver's own compilation
    assert silent.started == 1
    looked_at(handle, silent, 50)
    assert silent.started == 1  # it is given twice the time: the machine may be slow
    looked_at(handle, silent, 15)
    assert silent.started == 2
    with pytest.raises(EngineError, match="worker 1 has not started within 120 s, 3 times in a row"):
        looked_at(handle, silent, 130)


def test_a_sign_of_life_while_it_starts_is_worth_as_long_again(handle, silent):
    looked_at(handle, silent, 25)
    silent.says = [Alive()]
    looked_at(handle, silent, 25)
    assert silent.started == 0


def test_an_actor_without_a_core_is_waited_for_as_long_as_it_takes(handle, silent):
    silent.placed = False
    looked_at(handle, silent, 1000)
    assert silent.started == 0


def test_an_hour_in_which_the_driver_was_stopped_is_not_the_workers(handle, silent):
    silent.now += 3600.0
    handle.is_ready()
    handle.is_ready()
    assert silent.started == 0
    silent.says = [Ready()]
    assert handle.is_ready()
    request = Request(7, "evaluate", 0, (0, 1), {})
    handle.ask(request)
    silent.says = [None, Answer(7, "done", 0.0)]  # the first wait ran out while nobody looked
    assert handle.answer(request).result == "done"


def test_late_answers_and_those_that_come_twice_are_thrown_away(handle, silent):
    silent.says = [Ready()]
    assert handle.is_ready()
    first, second = (Request(number, "evaluate", 0, (0, 1), {}) for number in (7, 8))
    handle.ask(first)
    silent.says = [Answer(7, "first", 0.1)]
    assert handle.answer(first).result == "first"
    handle.ask(second)
    silent.says = [Answer(7, "first", 0.1), Refused(6, "late"), Answer(8, "second", 0.1)]
    assert handle.answer(second).result == "second"


def test_one_that_owes_an_answer_is_not_asked_again(handle, silent):
    silent.says = [Ready()]
    assert handle.is_free()
    handle.ask(Request(7, "evaluate", 0, (0, 1), {}))
    assert not handle.is_free()
    silent.says = [Answer(7, "late", 0.1)]
    assert handle.is_free()


def test_what_was_not_sent_is_refused():
    sent = Epoch(5, 1, 0)
    for other in (Epoch(4, 1, 0), Epoch(5, 2, 0), Epoch(5, 1, 1)):
        with pytest.raises(
            EpochError, match=r"params of run 5, generation 1, phase 0 are to be read, but those of run"
        ):
            require({"params": sent}, {"params": other})
    with pytest.raises(EpochError, match="no generation"):
        require({"params": sent, "fitness": sent}, {"params": sent})


def served(epoch, program):
    """What a worker with these parameters answers; the program may do something in between."""
    held = Held()
    held.put("params", epoch, [])
    server = Server({"estimate": lambda *_: program(server, held) or [1.0]}, [], 2, held, copied)
    return server.serve(Request(7, "estimate", 0, (0, 2), {"params": Epoch(5, 1, 0)}))


def test_what_is_published_while_a_share_is_done_makes_it_worthless():
    epoch = Epoch(5, 1, 0)
    assert isinstance(served(epoch, lambda server, held: None), Answer)
    assert isinstance(served(Epoch(5, 2, 0), lambda server, held: None), Refused)
    assert isinstance(served(epoch, lambda server, held: held.put("params", Epoch(5, 2, 0), [])), Refused)


def test_a_share_in_which_its_process_was_stopped_has_no_duration():
    def stopped(server, held):
        server.stops += 1

    assert served(Epoch(5, 1, 0), lambda server, held: None).seconds > 0
    assert served(Epoch(5, 1, 0), stopped).seconds == 0


@pytest.mark.slow
def test_no_more_workers_are_started_than_there_are_chunks():
    job = job_of(**DENSE | {"chunks": 2})
    engine = make_engine(job.generation, job.state_shapes(), job.keys, "process", "6")
    engine.close()
    assert type(engine) is Pool
    assert engine.workers == 2


# Real processes ------------------------------------------------------------------------------------------

needs_signals = pytest.mark.skipif(os.name != "posix", reason="stops processes")


@pytest.mark.slow
@needs_signals
def test_a_process_that_is_stopped_while_it_starts_is_replaced(monkeypatch):
    monkeypatch.setattr(worker_handle, "_START", 1.0)
    monkeypatch.setattr(worker_handle, "_COMPILING", 0.0)
    job = job_of(**DENSE)
    engine = process_engine(job.generation, job.state_shapes(), job.keys, 2, deadline=0.5)
    try:
        stopped = engine.handles[0].channel._process
        os.kill(stopped.pid, signal.SIGSTOP)
        end = time.monotonic() + 30
        while engine.handles[0].channel._process is stopped and time.monotonic() < end:
            after(engine, job, 1)
            time.sleep(0.05)
        assert stopped.returncode == -signal.SIGKILL
        monkeypatch.setattr(worker_handle, "_START", 60.0)
        engine.wait_until_ready()
        assert after(engine, job, 2) == inline(job, 2)
    finally:
        engine.close()


@pytest.mark.slow
@needs_signals
def test_the_time_in_which_a_process_was_stopped_is_no_part_of_its_share():
    pytest.importorskip("gymnasium", reason="needs nograd[envs]")
    from simulation import WALK

    from nograd.config.settings import TrainConfig
    from nograd.config.validate import validate
    from nograd.tasks.kinds import load_source
    from nograd.training.job import build_job

    config = validate(TrainConfig(**WALK | {"env_options": '{"seconds": 0.004}'}))
    job = build_job(config, load_source(config))
    engine = process_engine(job.generation, job.state_shapes(), job.keys, 2)
    try:
        engine.wait_until_ready()
        after(engine, job, 1)
        before, process = engine.handles[0]._slowest, engine.handles[0].channel._process.pid
        stop = f"import os, time; time.sleep(0.1); os.kill({process}, {int(signal.SIGSTOP)}); time.sleep(3); "
        with subprocess.Popen([sys.executable, "-S", "-c", f"{stop}os.kill({process}, {int(signal.SIGCONT)})"]):
            after(engine, job, 1)
            after(engine, job, 1)
        assert 0 < engine.handles[0]._slowest < before + 2.5
    finally:
        engine.close()
