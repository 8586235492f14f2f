"""Whether the head of a Ray cluster is still there: Ray itself ends the driver, unsaved, a minute after it is gone."""

import socket
import time
from collections.abc import Callable

from nograd.core.types import EngineError

_EVERY = 2.0  # seconds from one look to the next
_TRIES = 3
_SECONDS = 1.0  # that a try may take, and between two of them


class HeadCheck:
    """Checks from time to time that the head of the cluster still takes connections.

    Args:
        address: of its control service, HOST:PORT.
        clock: seconds that go on.
    """

    def __init__(self, address: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._address, self._clock, self._seen = address, clock, clock()
        self.gone = False  # nothing more may be asked of the cluster

    def look(self) -> None:
        """Raises EngineError where nobody has answered, three times one after the other."""
        if self._clock() - self._seen < _EVERY:
            return
        self.gone = not any(self._answers(attempt) for attempt in range(_TRIES))
        if self.gone:
            raise EngineError(f"the head of the Ray cluster at {self._address} is gone; go on elsewhere with --resume")
        self._seen = self._clock()

    def _answers(self, attempt: int) -> bool:
        """Whether it takes a connection now; some time after an attempt before."""
        host, _, port = self._address.rpartition(":")
        time.sleep(_SECONDS if attempt else 0.0)
        try:
            with socket.create_connection((host.strip("[]"), int(port)), _SECONDS):
                return True
        except OSError:
            return False
