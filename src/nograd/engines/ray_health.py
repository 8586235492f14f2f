"""Whether the head of a Ray cluster is still there: Ray itself aborts the driver a minute after it is gone."""

import socket
import time

from nograd.core.types import EngineError

_TRIES = 3
_SECONDS = 1.0  # that a try may take, and between two of them


def require_head(address: str) -> None:
    """Raises EngineError where nobody answers at the head's HOST:PORT, three times."""
    host, _, port = address.rpartition(":")
    for _ in range(_TRIES):
        try:
            with socket.create_connection((host.strip("[]"), int(port)), _SECONDS):
                return
        except OSError:
            time.sleep(_SECONDS)
    raise EngineError(f"the head of the Ray cluster at {address} is gone; go on with --resume, there or elsewhere")
