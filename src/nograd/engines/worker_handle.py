"""A worker under a number as the driver sees it, and its successors when it dies: a process, a device or an actor.

What differs between those is their channel; when a worker counts as ready, silent or dead is decided here for all.
"""

import sys
import time
from collections.abc import Callable
from typing import NamedTuple, Protocol, TypeAlias

from nograd.core.types import EngineError
from nograd.engines.memory_advice import out_of_memory
from nograd.engines.protocol import Alive, Answer, Epoch, Failed, LostError, Message, Ready, Refused, Request

Clock: TypeAlias = Callable[[], float]  # seconds; it never goes back

_DEATHS = 3  # in a row, without one share done between, before a worker is given up
_SLOWER = 20.0  # times its slowest share so far, before a silent worker counts as dead
_START = 10.0  # seconds without a word while it starts, at least: to import JAX takes a few
_COMPILING = 5.0  # times as long as the driver, that a worker may take to compile the same programs


class Channel(Protocol):
    """How one worker is started, sent requests and ended."""

    def start(self) -> None:
        """Starts a worker in place of one that has ended."""

    def is_placed(self) -> bool:
        """Whether it has a core to start on; an actor may wait for one without a time limit."""

    def send(self, request: Request) -> int:
        """Asks for a share; returns the bytes sent. If it is dead, `receive` says so."""

    def receive(self, seconds: float) -> Message | None:
        """The next thing that it says within some seconds; None: nothing yet. Raises LostError where it has died."""

    def end(self) -> None:
        """Ends it, so that it certainly writes nothing more."""

    def close(self) -> None:
        """Ends it for good."""


class Patience(NamedTuple):
    """How long a worker may be silent, in seconds."""

    deadline: float  # in any case
    compiling: float  # that its programs took the driver to compile

    def start(self, deaths: int) -> float:
        """While it starts: twice as long after each time that it did not, as it may be the machine that is slow."""
        return (max(self.deadline, _START) + _COMPILING * self.compiling) * 2**deaths

    def share(self, slowest: float) -> float:
        """While it does a share, of which the slowest so far has taken so many seconds."""
        return max(self.deadline, _SLOWER * slowest)


class WorkerHandle:
    """One worker, and its successors.

    Args:
        number: of the worker; the driver itself is worker 0.
        channel: to it, already started.
        patience: after which it counts as dead.
        remedy: what to do where memory ran out.
        clock: seconds; it never goes back.
        name: of it in messages.
    """

    def __init__(
        self,
        number: int,
        channel: Channel,
        patience: Patience,
        remedy: Callable[[], str],
        clock: Clock = time.monotonic,
        name: str = "",
    ) -> None:
        self.number, self.channel, self.name = number, channel, name or f"worker {number}"
        self.seconds = 0.0  # that its shares have taken, by its own clock
        self.holds: Epoch | None = None  # of the state that it was sent, or has updated by itself
        self._patience, self._remedy, self._clock = patience, remedy, clock
        self._deaths, self._ready, self._owed = 0, False, 0  # the request that it has not answered
        self._slowest = 0.0  # seconds that a share has taken at most
        self._mark, self._halves = clock(), 0  # of the patience with it, while it starts or owes an answer

    def is_ready(self) -> bool:
        """Whether it has started. Raises EngineError, with its own traceback on stderr, where it cannot."""
        return self._ready or self.wait_until_ready(0.0)

    def is_free(self) -> bool:
        """Whether it can be asked: it has started, and owes no answer. One that owes it for too long is replaced."""
        if not self.is_ready():
            return False
        try:
            while self._owed and (message := self.channel.receive(0.0)):
                self._noted(message)
        except LostError as lost:
            self.replace(lost.cause)
            return False
        if self._owed and self._is_late(limit := self._patience.share(self._slowest)):
            self.replace(f"was silent for {limit:.0f} s")
        return self._ready and not self._owed

    def wait_until_ready(self, seconds: float) -> bool:
        """Whether it has started, after up to so many seconds. Raises EngineError where it cannot start."""
        if self._ready:
            return True
        try:
            message = self.channel.receive(seconds)
        except LostError as lost:
            if lost.itself:
                raise self._unable(lost.words or f"it {lost.cause}") from None
            self.replace(lost.cause)  # killed, not failed: another may fare better
            return False
        if isinstance(message, Failed) and not message.request:
            raise self._unable(message.text)
        if isinstance(message, Ready):
            self._ready = True
        elif isinstance(message, Alive) or not self.channel.is_placed():
            self._mark, self._halves = self._clock(), 0
        elif self._is_late(limit := self._patience.start(self._deaths)):
            self.replace(f"has not started within {limit:.0f} s")
        return self._ready

    def ask(self, request: Request) -> int:
        """Asks for a share; returns the bytes sent."""
        self._owed, self._mark, self._halves = request.id, self._clock(), 0
        return self.channel.send(request)

    def answer(self, request: Request) -> Answer | Refused | None:
        """The answer to a request; None where the worker is dead, or silent for too long, and was replaced.

        Late answers to other requests, and one that comes twice, are thrown away.

        Raises:
            EngineError: it cannot do its share, or one worker after the other dies.
        """
        self._mark, self._halves = self._clock(), 0
        while True:
            try:
                message = self._next_word(limit := self._patience.share(self._slowest))
            except LostError as lost:
                self.replace(lost.cause)
                return None
            if message is None:
                self.replace(f"was silent for {limit:.0f} s")
                return None
            if self._noted(message) != request.id:
                continue
            if isinstance(message, Failed):
                raise self._failed(message.text)
            if isinstance(message, Answer | Refused):
                return message

    def replace(self, cause: str) -> None:
        """A new one in place of this one, which is ended first. Raises EngineError where one after the other dies."""
        self.channel.end()
        self._ready, self._owed, self.holds = False, 0, None
        self._deaths += 1
        if self._deaths >= _DEATHS:
            raise EngineError(f"{self.name} {cause}, {_DEATHS} times in a row; if memory ran out: {self._remedy()}")
        self.channel.start()
        self._mark, self._halves = self._clock(), 0

    def begin_again(self, patience: Patience, remedy: Callable[[], str]) -> None:
        """Notes that it was set up again, for other shares. One that still owes an answer is replaced."""
        self._patience, self._remedy, self._slowest, self.holds = patience, remedy, 0.0, None
        if self._owed:
            self.channel.end()
            self.channel.start()
        self._ready, self._owed, self._mark, self._halves = False, 0, self._clock(), 0

    def close(self) -> None:
        """Ends it for good."""
        self.channel.close()

    def _next_word(self, limit: float) -> Message | None:
        """The next thing that it says; None where it is silent for too long.

        It is waited for twice, for half the time each: one time alone may have run out while this process itself was
        stopped, by Ctrl-Z.
        """
        return self.channel.receive(limit / 2) or self.channel.receive(limit / 2)

    def _is_late(self, patience: float) -> bool:
        """Whether it was looked at twice, each time for the first time after half of the patience, for that reason."""
        if self._clock() - self._mark > patience / 2:
            self._mark, self._halves = self._clock(), self._halves + 1
        return self._halves >= 2

    def _noted(self, message: Message) -> int:
        """The request that a message is about; 0 for none. What was asked last is then no longer owed."""
        about = getattr(message, "request", 0)
        if about == self._owed:
            self._owed = 0
            if isinstance(message, Answer):
                self._deaths, self._slowest = 0, max(self._slowest, message.seconds)
                self.seconds += message.seconds
        return about

    def _unable(self, report: str) -> EngineError:
        """It cannot start: its report goes to stderr, the last line of it into the error."""
        print(report.rstrip(), file=sys.stderr)
        return EngineError(f"{self.name} cannot start: {report.strip().splitlines()[-1]}")

    def _failed(self, cause: str) -> EngineError:
        """It cannot do its share."""
        if out_of_memory(cause):
            return EngineError(f"{self.name} ran out of memory: {cause}; {self._remedy()}")
        return EngineError(f"{self.name} failed: {cause}")
