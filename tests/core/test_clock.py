"""Time in which a process was stopped is no time of its work."""

import os
import signal
import subprocess
import sys
import time

import pytest
from processes import needs_proc

from nograd.core.clock import RunningClock

LOOK = 0.25


class Machine:
    """Time that passes, and processor time that is used in it."""

    def __init__(self):
        self.time, self.cpu = 100.0, 5.0
        self.clock = RunningClock(lambda: self.time, lambda: self.cpu)

    def passes(self, seconds, used=0.0, look=LOOK):
        """With a look every so often, as the thread makes it."""
        for _ in range(round(seconds / look)):
            self.time += look
            self.cpu += used * look
            self.clock.now()

    def stopped(self, seconds):
        self.time += seconds


@pytest.mark.parametrize("used", [0.0, 0.001, 1.0, 4.0])  # of a processor: it waits for its workers, or computes
def test_time_in_which_it_runs_counts_whatever_it_does(used):
    machine = Machine()
    start = machine.clock.now()
    machine.passes(60.0, used)
    assert machine.clock.now() - start == pytest.approx(60.0)


@pytest.mark.parametrize("seconds", [5.0, 60.0, 7 * 86_400.0])
def test_time_in_which_it_was_stopped_does_not_count(seconds):
    machine = Machine()
    start = machine.clock.now()
    for _ in range(3):
        machine.passes(10.0, 1.0)
        machine.stopped(seconds)
    machine.passes(10.0, 1.0)
    assert machine.clock.now() - start == pytest.approx(40.0, abs=3 * LOOK)


def test_a_clock_that_is_read_at_once_after_a_stop_goes_never_back():
    machine = Machine()
    seen = []
    for _ in range(5):
        machine.passes(1.0, 1.0)
        machine.stopped(100.0)
        seen += [machine.clock.now(), machine.clock.now()]
    assert seen == sorted(seen)


@pytest.mark.parametrize("used", [0.1, 1.0])
def test_a_long_call_and_a_busy_machine_are_no_stop(used):
    machine = Machine()
    start = machine.clock.now()
    machine.passes(60.0, used, look=10.0)  # the thread that looks had no turn for as long
    assert machine.clock.now() - start == pytest.approx(60.0)


def test_processor_time_is_not_asked_for_at_each_reading():
    asked = []
    seen = []
    clock = RunningClock(lambda: 1.0 + 0.001 * len(seen), lambda: asked.append(1) or 0.0)
    for _ in range(1000):
        seen.append(clock.now())
    assert seen == sorted(seen)
    assert len(asked) < 100


@needs_proc
def test_a_real_process_that_is_stopped():
    words = (
        "import sys, time; from nograd.core.clock import running_time; start, wall = running_time(), time.monotonic()\n"
        "print('begun', flush=True); sys.stdin.readline()\n"
        "print(running_time() - start, time.monotonic() - wall)"
    )
    process = subprocess.Popen([sys.executable, "-c", words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "begun\n"
    os.kill(process.pid, signal.SIGSTOP)
    time.sleep(4.0)
    os.kill(process.pid, signal.SIGCONT)
    own, wall = map(float, process.communicate("\n", timeout=60)[0].split())
    assert wall >= 4.0
    assert own < wall - 3.0
