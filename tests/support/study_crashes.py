"""A search whose process dies at any change of what is on disk: at a commit of the database, or at a change of a file.

The real `run_search` with the real study; only the workers are simulated, which train nothing and say figures that
follow from the settings. A command that dies here has a process id of its own, which is nobody's afterwards.
"""

import itertools
import zlib
from contextlib import contextmanager

import pytest
import sqlalchemy
from crashes import Crash
from rich.console import Console

from nograd.runs import files, lock
from nograd.tuning import open_study, search
from nograd.tuning.settings import SearchConfig
from nograd.tuning.study import lifetime, sessions
from nograd.tuning.study.lifetime import Lifetime
from nograd.tuning.trial import TrialEnd

FILES = ("write", "sync", "rename", "remove", "sync_folder")
_processes = itertools.count(2**22 + 1)  # ids that no process has


class Disk:
    """Counts changes; the one with number `at` does not come to pass, nor any after it."""

    def __init__(self, at=None):
        self.at, self.count, self.dead = at, 0, False

    def change(self, *_):
        self.dead = self.dead or self.count == self.at
        if self.dead:
            raise Crash
        self.count += 1


class Hand:
    number, startup, busy, ready = 0, 0.0, False, True


class Workers:
    """In place of `WorkerPool`: two trainings at a time, which end at once, one after the other."""

    def __init__(self, story):
        self.hands, self._story = [Hand(), Hand()], story

    def do(self, work, over, tick):
        while not over():
            given = [more for hand in ("0", "1") if (more := work.next(hand))]
            for tag, job in given:
                value = value_of(job.settings)
                for generation in (5, 10):
                    work.at(tag, generation, value * generation / 10, 0.01)
                tick()
                figures = {"test_accuracy": value, "test_interval": [value, value]} if job.test else {}
                self._story.trained.append((job.test, tag))
                work.ended(tag, TrialEnd("complete", value, "generations", figures), 1.0)
                self._story.written.append((job.test, tag))
            if not given:
                return

    def close(self):
        pass


def value_of(settings):
    """A score that follows from what was drawn."""
    return zlib.crc32(f"{settings['lr']}".encode()) / 2**32


class Story:
    """What was trained over all commands on a study, and what of it was written down."""

    def __init__(self):
        self.trained, self.written = [], []


def command(flags, disk, story):
    """One invocation; whether it came to its end."""
    process = next(_processes)
    with pytest.MonkeyPatch.context() as patch, changes_of_databases(disk):
        for name in FILES:
            patch.setattr(files, name, counted(disk, getattr(files, name)))
        patch.setattr(files, "_ABANDONED", -1.0)  # what was left is old by the time of the next command
        patch.setattr(lifetime.Lifetime, "_write", counted(disk, lifetime.Lifetime._write))
        patch.setattr(lifetime.Lifetime, "close", unless_dead(disk, lifetime.Lifetime.close))
        patch.setattr(lifetime, "_OFTEN", 3600.0)  # its thread has no part in this
        patch.setattr(sessions.os, "getpid", lambda: process)
        patch.setattr(sessions, "_state", lambda other: ("R", "now") if other == process else None)
        patch.setattr(open_study, "_build_one", lambda *_: None)  # changes nothing on disk
        patch.setattr(search, "WorkerPool", lambda *_: Workers(story))
        patch.setattr(search, "BEAT", 0.01)
        try:
            search.run_search(SearchConfig(**flags), search.SearchDisplay(Console(quiet=True)), Lifetime(0.0))
        except Crash:
            lock._leave_all_to_parent()  # the system lets go of what a dead process held; its file stays
            return False
    return True


def counted(disk, real):
    def call(*arguments, **named):
        disk.change()
        return real(*arguments, **named)

    return call


def unless_dead(disk, real):
    return lambda self: None if disk.dead else real(self)


@contextmanager
def changes_of_databases(disk):
    """Every commit is counted; one that does not come to pass leaves what was there before it."""
    sqlalchemy.event.listen(sqlalchemy.engine.Engine, "commit", disk.change)
    try:
        yield
    finally:
        sqlalchemy.event.remove(sqlalchemy.engine.Engine, "commit", disk.change)
