"""A worker of a search that hangs, by a scripted clock, and once with real processes."""

import os
import signal
import time

import numpy as np
import pytest
from processes import needs_proc

from nograd.tuning.hang import HangLimit, Step, processor_seconds
from nograd.tuning.trial import TrialEnd, TrialRequest
from nograd.tuning.worker_pool import WorkerPool


class Machine:
    """A clock and a worker's processor time, as a script moves them."""

    def __init__(self):
        self.now = self.used = 0.0
        self.step = Step(1, lambda: self.now, lambda process: self.used)

    def passes(self, seconds, busy, looks=0.25):
        """Time goes by in looks of a quarter of a second; `busy` is the share of a processor that the worker has."""
        for _ in range(round(seconds / looks)):
            self.now += looks
            self.used += busy * looks
            self.step.look()


def test_one_that_does_nothing_hangs_after_the_deadline_and_one_that_computes_does_not():
    idle, busy, patience = Machine(), Machine(), HangLimit(60.0)
    idle.passes(55, 0.0)
    busy.passes(1000, 0.05)  # on a machine with much else to do
    assert idle.step.hangs(patience) == busy.step.hangs(patience) == ""
    idle.passes(10, 0.0)
    assert idle.step.hangs(patience).startswith("hung: it did nothing for 6")
    busy.passes(50, 0.0)
    busy.passes(1, 1.0)
    busy.passes(50, 0.0)
    assert busy.step.hangs(patience) == ""


def test_one_that_computes_has_a_multiple_of_the_longest_step_before():
    machine, patience = Machine(), HangLimit(1.0)
    machine.passes(29, 1.0)
    assert machine.step.hangs(patience) == ""
    machine.passes(3, 1.0)
    assert "computed for 3" in machine.step.hangs(patience)
    patience.learn(5.0)
    assert machine.step.hangs(patience) == ""
    machine.passes(70, 1.0)
    assert machine.step.hangs(patience) != ""
    machine.step.begin()
    assert machine.step.hangs(patience) == ""


@pytest.mark.parametrize("seed", range(10))
def test_time_in_which_this_process_was_stopped_does_not_count(seed):
    rng, machine, patience = np.random.default_rng(seed), Machine(), HangLimit(60.0)
    for _ in range(10):
        machine.passes(float(rng.uniform(1, 4)), 0.0)
        machine.now += float(rng.uniform(100, 10_000))  # Ctrl-Z, and later fg
        machine.step.look()
    assert machine.step.hangs(patience) == ""


def test_where_nobody_tells_what_a_process_does_it_counts_as_computing():
    now = [0.0]
    step = Step(1, lambda: now[0], lambda process: None)
    for _ in range(100):
        now[0] += 1.0
        step.look()
    assert step.hangs(HangLimit(60.0)) == ""
    assert step.hangs(HangLimit(3.0)) != ""


@needs_proc
def test_processor_time_advances_while_a_process_computes():
    before = processor_seconds(os.getpid())
    end = time.process_time() + 0.05
    while time.process_time() < end:
        pass
    assert processor_seconds(os.getpid()) > before
    assert processor_seconds(2**22 + 1) is None


class Pair:
    """Two trainings; the first worker that is at one is stopped by the kernel, as a hang is."""

    def __init__(self, crew):
        self.crew, self.left, self.ends = crew, [0, 1], {}

    def next(self, worker):
        settings = {"task": "digits", "model": "mlp:4", "generations": 40, "eval_every": 1, "population": 8, "batch": 8}
        return (self.left.pop(0), TrialRequest(settings)) if self.left else None

    def at(self, tag, generation, score, error):
        if tag == 0 and generation == 1:
            os.kill(self.crew.hands[0]._child.process.pid, signal.SIGSTOP)
        return ""

    def ended(self, tag, ended, seconds):
        self.ends[tag] = ended


@pytest.mark.slow
@needs_proc
def test_a_hung_training_fails_and_the_next_one_goes_on_in_another_process():
    crew = WorkerPool(1, deadline=3.0)
    try:
        work = Pair(crew)
        crew.do(work, over=lambda: "", tick=lambda: None)
    finally:
        crew.close()
    hung, other = work.ends[0], work.ends[1]
    assert (hung.state, hung.value) == ("failed", None)
    assert "did nothing for" in hung.reason
    assert hung.reason.endswith("the worker was replaced")
    assert isinstance(other, TrialEnd)
    assert (other.state, other.reason) == ("complete", "generations")
