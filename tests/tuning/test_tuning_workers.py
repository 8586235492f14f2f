"""Whatever a search's workers do, and whenever: each training that was given has one end. Drawn from seeds."""

import random
from types import SimpleNamespace

import pytest

from nograd.tuning import worker_pool
from nograd.tuning.trial import TrialEnd, TrialRequest
from nograd.tuning.worker_pool import WorkerPool

WORDS = ("generations", "budget", "nonfinite_fitness")


class Link:
    """A worker's side: what it says, and when it dies, is drawn. It does what it is told before it says anything."""

    def __init__(self, draw, may_die_at_start):
        self._draw, self._inbox, self._says, self._dead = draw, [], [], False
        self._waits = draw.randrange(4)  # looks until it has started
        self._started, self._may_die = False, may_die_at_start

    def poll(self, seconds):
        self._lives()
        return self._dead or bool(self._says)

    def recv(self):
        if self._says:
            return self._says.pop(0)
        raise EOFError

    def send(self, message):
        if self._dead:
            raise BrokenPipeError
        self._inbox.append(message)

    def _lives(self):
        """A moment of its life."""
        draw = self._draw
        if self._dead:
            return
        if not self._started:
            self._waits -= 1
            self._dead = self._may_die and draw.random() < 0.1
            if self._waits < 0 and not self._dead:
                self._started = True
                self._says.append(("ready",))
            return
        while self._inbox and not self._dead:
            word = self._inbox[0][0]
            if word == "run" and draw.random() < 0.6:
                break  # it is at work
            self._inbox.pop(0)
            if word == "run":
                self._says += [("at", generation, draw.random(), None) for generation in range(draw.randrange(4))]
                if draw.random() < 0.85:
                    self._says.append(("ended", tuple(TrialEnd("complete", 0.5, draw.choice(WORDS)))))
        self._dead = draw.random() < 0.1  # while it waits, within a training, or right after one


class Child:
    """In place of `ChildProcess`."""

    def __init__(self, draw, may_die_at_start):
        self.link = Link(draw, may_die_at_start)
        self.process = SimpleNamespace(pid=0)

    def end(self, grace=0.0):
        self.link._dead = True
        return "was ended by SIGKILL"

    def last_words(self):
        return ""

    def close(self):
        self.end()


class Steps:
    """In place of `Step`: now and then it says that the worker hangs."""

    seconds = 0.0

    def __init__(self, draw):
        self._draw = draw

    def begin(self):
        pass

    look = begin

    def hangs(self, patience):
        return "hung: it did nothing" if self._draw.random() < 0.02 else ""


class Work:
    """Trainings by number; some are told to stop at an evaluation."""

    def __init__(self, draw, count):
        self._draw, self.left = draw, list(range(count))
        self.given, self.ends = [], []

    def next(self, worker):
        if not self.left:
            return None
        self.given.append(self.left.pop(0))
        return self.given[-1], TrialRequest({})

    def at(self, tag, generation, score, error):
        assert tag in self.given
        assert tag not in self.ends, "a word of a training that has ended"
        return self._draw.choice(["", "", "", "pruned"])

    def ended(self, tag, ended, seconds):
        assert tag in self.given
        assert tag not in self.ends, "a second end"
        self.ends.append(tag)


@pytest.mark.parametrize("block", range(5))
def test_each_training_that_was_given_has_one_end(block, monkeypatch):
    for seed in range(40 * block, 40 * block + 40):
        draw, now, deaths = random.Random(seed), [0.0], [0]

        def child(*_, draw=draw, deaths=deaths, **__):
            deaths[0] = (deaths[0] + 1) % 3  # three in a row that do not start are an error
            return Child(draw, deaths[0] == 1)

        monkeypatch.setattr(worker_pool, "ChildProcess", child)
        monkeypatch.setattr(worker_pool, "Step", lambda process, draw=draw: Steps(draw))
        monkeypatch.setattr(worker_pool, "wait", lambda links, seconds: None)
        monkeypatch.setattr(worker_pool, "running_time", lambda now=now: now[0])
        monkeypatch.setattr(worker_pool, "pinned_cores", lambda workers: [None] * workers)
        work, end = Work(draw, 12), draw.choice([1e9, 5.0])

        def tick(now=now):
            now[0] += 0.25

        crew = WorkerPool(draw.choice([1, 2, 3]))
        crew.do(work, lambda now=now, end=end: "budget" if now[0] > end else "", tick)
        assert sorted(work.ends) == sorted(work.given), seed
        assert end < 1e9 or not work.left, seed
        crew.close()
