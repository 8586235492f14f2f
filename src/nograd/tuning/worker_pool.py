"""The worker processes of a search as their parent sees them: started, given trainings, told to stop, replaced."""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from multiprocessing.connection import wait
from typing import Any, Protocol

from nograd.core.clock import running_time
from nograd.core.runtime import kept_programs
from nograd.core.types import EngineError
from nograd.engines.child_process import ENVIRONMENT, ChildProcess
from nograd.engines.cores import pinned_cores
from nograd.tuning.hang import HangLimit, Step
from nograd.tuning.trial import STATES, TrialEnd, TrialRequest

GRACE = 2.0  # seconds for the generation that runs, before a worker that was told to stop is ended
_DEATHS = 3  # of a worker that has not started once, before it is given up
_MESSAGES = 100  # of one worker, before the clock and the others are looked at again
_TICK = 0.25  # seconds between two looks at the clock


class Work(Protocol):
    """A source of trainings for the workers of a pool."""

    def next(self, worker: str) -> tuple[Any, TrialRequest] | None:
        """The next training, with a tag that names it in the calls below; None where there is none."""

    def at(self, tag: Any, generation: int, score: float | None, error: float | None) -> str:
        """Called while a training runs, with its score and standard error, if any. A text returned ends it."""

    def ended(self, tag: Any, ended: TrialEnd, seconds: float) -> None:
        """Called when a training has ended, after so many seconds."""


class SearchWorker:
    """One worker process, and its successors under the same number."""

    def __init__(self, number: int, core: int | None, patience: HangLimit) -> None:
        self.number, self._core, self._patience = number, core, patience
        self.ready = False
        self.tag: Any = None  # of the training that runs
        self.since = 0.0  # when it began
        self.told: tuple[str, float] | None = None  # the word to stop, and when it was said
        self._deaths = 0
        self.startup = 0.0  # seconds that it took to start
        self._start()

    @property
    def busy(self) -> bool:
        return self.tag is not None

    def run(self, tag: Any, job: TrialRequest) -> None:
        """Starts a training."""
        self.tag, self.told, self.since = tag, None, running_time()
        self.step.begin()
        self._send(("run", *job))

    def stop(self, word: str) -> None:
        """Asks for an end after the generation that runs."""
        if self.busy and not self.told:
            self.told = word, running_time()
            self._send(("stop", word))

    @property
    def overdue(self) -> bool:
        """Whether it was told to stop and does not: it compiles, or its generations are long."""
        return self.told is not None and running_time() - self.told[1] > GRACE

    def hangs(self) -> str:
        """Why it counts as hung, while it starts or trains; empty where it does not."""
        if self.ready and not self.busy:
            return ""
        self.step.look()
        return self.step.hangs(self._patience)

    def messages(self) -> Iterator[tuple[Any, ...]]:
        """The messages that it has sent. ("died", cause) where it has ended; another is then started in its place."""
        try:
            for _ in range(_MESSAGES):
                if not self.link.poll(0):
                    return
                message = self.link.recv()
                if message[0] == "failed":
                    raise self._cannot_start(message[1])
                if not self.ready:
                    self.ready, self.startup = True, running_time() - self._started
                self._patience.learn(self.step.seconds)
                self.step.begin()
                yield message
        except (EOFError, OSError):
            yield "died", self.replace()

    def replace(self, why: str = "") -> str:
        """Ends the process and starts another; returns what it died of, which is `why` where this process ends it."""
        cause = f"the worker {self._child.end(0.0 if why else 0.2)}"
        if cause.endswith("SIGKILL"):
            cause = why or f"{cause}; memory may have run out"
        self._deaths = 0 if self.ready else self._deaths + 1
        if self._deaths >= _DEATHS:
            raise self._cannot_start(self._child.last_words() or cause)
        self._child.close()
        self._start()
        return cause

    def close(self) -> None:
        """Ends the process for good."""
        self._child.close()

    def _start(self) -> None:
        self._child = ChildProcess(
            "nograd.tuning.worker_main",
            core=self._core,
            environment=ENVIRONMENT | {name: os.environ.get(name, word) for name, word in kept_programs().items()},
            own_session=True,  # out of Ctrl-C's reach: the parent tells them
        )
        self.link = self._child.link
        self.step, self._started = Step(self._child.process.pid), running_time()
        self.ready, self.tag, self.told = False, None, None

    def _send(self, message: tuple[Any, ...]) -> None:
        with contextlib.suppress(OSError):  # it is dead, which the next look finds out
            self.link.send(message)

    def _cannot_start(self, words: str) -> EngineError:
        print(words.rstrip(), file=sys.stderr)
        return EngineError(f"worker {self.number} cannot start: {words.strip().splitlines()[-1]}")


class WorkerPool:
    """All workers, each on a core of its own where there is one for each."""

    def __init__(self, workers: int, deadline: float = 60.0) -> None:
        patience = HangLimit(deadline)
        self.hands: list[SearchWorker] = []
        try:
            for number, core in enumerate(pinned_cores(workers)):
                self.hands.append(SearchWorker(number, core, patience))
        except BaseException:
            self.close()
            raise

    def do(self, work: Work, over: Callable[[], str], tick: Callable[[], None]) -> None:
        """Does all of the work, or as much as there is until `over` returns a reason to stop.

        Running trainings are then told to stop, and killed where they do not within `GRACE` seconds.

        Args:
            work: the source of trainings.
            over: called a few times a second.
            tick: called a few times a second.
        """
        while True:
            word, given = over(), False
            for hand in self.hands:
                if word:
                    hand.stop(word)
                elif hand.ready and not hand.busy and (more := work.next(str(hand.number))):
                    hand.run(*more)
                given = given or hand.busy or not (hand.ready or word)
            if not given:
                return
            wait([hand.link for hand in self.hands], _TICK)
            for hand in self.hands:
                self._listen(hand, work)
            tick()

    def close(self) -> None:
        """Ends all workers."""
        for hand in self.hands:
            hand.close()
        self.hands = []

    def _listen(self, hand: SearchWorker, work: Work) -> None:
        tag = hand.tag
        for word, *rest in hand.messages():
            if word == "at" and tag is not None and (asked := work.at(tag, *rest)):
                hand.stop(asked)
            elif word == "ended":
                self._done(hand, work, TrialEnd(*rest[0]))
                tag = None  # where it dies right after that, its training has ended already
            elif word == "died" and tag is not None:
                work.ended(tag, TrialEnd("failed", None, rest[0]), running_time() - hand.since)
        if hand.overdue and hand.told:
            reason = hand.told[0]
            self._end(hand, work, TrialEnd(STATES[reason], None, reason))
        elif why := hand.hangs():
            self._end(hand, work, TrialEnd("failed", None, f"{why}; the worker was replaced"))

    @staticmethod
    def _end(hand: SearchWorker, work: Work, ended: TrialEnd) -> None:
        """Ends the process, and with it what it trains."""
        tag, since = hand.tag, hand.since
        hand.replace(ended.reason)
        if tag is not None:
            work.ended(tag, ended, running_time() - since)

    @staticmethod
    def _done(hand: SearchWorker, work: Work, ended: TrialEnd) -> None:
        tag, hand.tag, hand.told = hand.tag, None, None
        work.ended(tag, ended, running_time() - hand.since)
