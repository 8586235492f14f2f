"""Where only running trials of other machines fill --trials, a command waits until it is known whether they live."""

import threading
from types import SimpleNamespace

import pytest

from nograd.tuning.search import _wait_for_others
from nograd.tuning.study.records import Trial
from nograd.tuning.study.sessions import SILENCE


def trial(number, state):
    return Trial(number, state, {}, None, [], "0", 0.0, None, None)


class Writer:
    """A study of which it takes some looks to know who of the other machines lives."""

    def __init__(self, states, looks, machines=("far:1f:2", "near:3:4"), bury=()):
        self.trials = [trial(number, state) for number, state in enumerate(states)]
        self._looks, self._machines, self._bury = looks, machines, bury
        self.beats = self.burials = 0

    def unsure(self):
        return set(self._machines) if self.beats < self._looks else set()

    def record(self):
        return SimpleNamespace(trials=self.trials)

    def beat(self):
        self.beats += 1

    def bury(self):
        self.burials += 1


class Waits(threading.Event):
    """An event that nobody has to wait for; it is set after some waits."""

    def __init__(self, until=None):
        super().__init__()
        self.waits, self._until = 0, until

    def wait(self, timeout=None):
        self.waits += 1
        if self.waits == self._until:
            self.set()
        return self.is_set()


def waited(writer, trials, interrupted=None):
    """(how often it has waited, the lines that were said)."""
    said, interrupted = [], interrupted or Waits()
    display = SimpleNamespace(line=said.append)
    _wait_for_others(writer, SimpleNamespace(trials=trials), interrupted, display)
    return interrupted.waits, said


@pytest.mark.parametrize("looks", [1, 5, 60])
def test_it_waits_until_all_are_known_and_says_so_once(looks):
    writer = Writer(["complete", "running", "running"], looks)
    waits, said = waited(writer, 3)
    assert waits == writer.beats == looks  # it gives signs of life itself meanwhile
    assert said == [f"waits up to {SILENCE:.0f} s for a sign of life of far, near, which run the last trials"]
    assert writer.burials == 1


@pytest.mark.parametrize(
    ("states", "trials"),
    [
        (["complete", "running"], None),  # no limit
        (["complete", "running"], 3),  # there is another one to draw
        (["complete", "complete", "running"], 2),  # those that have ended fill it
        ([], 1),
        (["complete", "stopped", "running"], 3),  # a stopped one is drawn anew
    ],
)
def test_it_does_not_wait_where_there_is_other_work_or_none(states, trials):
    assert waited(Writer(states, 10), trials) == (0, [])


def test_it_does_not_wait_where_all_are_known():
    writer = Writer(["running"], 0)
    assert waited(writer, 1) == (0, [])
    assert writer.burials == 1


def test_ctrl_c_ends_the_wait():
    assert waited(Writer(["running"], 10**9), 1, Waits(until=3))[0] == 3


def test_a_trial_that_ends_meanwhile_ends_the_wait():
    writer = Writer(["running", "running"], 10**9)

    class Ends(Waits):
        def wait(self, timeout=None):
            if self.waits == 4:
                writer.trials = [trial(number, "complete") for number in range(2)]
            return super().wait(timeout)

    assert waited(writer, 2, Ends())[0] == 5
