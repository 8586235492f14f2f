"""A post: a worker process under a number, here or on a cluster, and its successors when it dies."""

import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable

from nograd.core.types import EngineError
from nograd.engines.memory_advice import out_of_memory

_DEATHS = 3  # in a row, without one share done between, before a post is given up
_SLOWER = 20.0  # times its slowest share so far, before a silent worker counts as dead


class Post(ABC):
    """What `Crewed` asks of a worker that can die; how it is started and spoken to is the subclass's.

    Args:
        number: of the worker; this process is worker 0.
        remedy: what to do where memory ran out.
    """

    def __init__(self, number: int, remedy: Callable[[], str]) -> None:
        self.number, self._remedy = number, remedy
        self._deaths, self._ready, self._cause = 0, False, "was lost"
        self._asked, self._heard = 0.0, 0.0  # seconds: when, and when it last gave a sign of life
        self._slowest = 0.0  # seconds that a share has taken at most

    def is_ready(self) -> bool:
        """Whether it can be asked. Raises EngineError, with its own traceback on stderr, where it cannot start."""
        return self._ready or self.wait_until_ready(0.0)

    @abstractmethod
    def wait_until_ready(self, seconds: float) -> bool:
        """The same, after up to so many seconds."""

    def replace(self) -> None:
        """A new one in place of a dead one. Raises EngineError where one after the other dies."""
        self._deaths += 1
        if self._deaths >= _DEATHS:
            raise EngineError(
                f"worker {self.number} {self._cause}, {_DEATHS} times in a row; if memory ran out: {self._remedy()}"
            )
        self.stop()
        self._start()

    @abstractmethod
    def stop(self) -> None:
        """Ends it for good."""

    @abstractmethod
    def _start(self) -> None:
        """A worker, not ready yet."""

    def _speaks(self, wait: Callable[[float], bool], deadline: float) -> bool:
        """Whether it gives a sign of life in time; `wait` looks for one for some seconds.

        Twice for half the time: one time alone may have run out while this process itself was stopped, by Ctrl-Z.
        """
        half = max(deadline, _SLOWER * self._slowest) / 2
        return wait(half) or wait(half)

    def _silent(self) -> None:
        self._cause = f"was silent for {time.monotonic() - self._heard:.0f} s"

    def _unable(self, report: str) -> EngineError:
        """It cannot start: its report goes to stderr, the last line of it into the error."""
        print(report.rstrip(), file=sys.stderr)
        return EngineError(f"worker {self.number} cannot start: {report.strip().splitlines()[-1]}")

    def _failed(self, cause: str) -> EngineError:
        """It cannot do its share."""
        if out_of_memory(cause):
            return EngineError(f"worker {self.number} ran out of memory: {cause}; {self._remedy()}")
        return EngineError(f"worker {self.number} failed: {cause}")
