"""The channel to a worker process of this machine: started, sent requests, ended, replaced."""

import contextlib
import pickle
from typing import Any

from nograd.engines.child_process import ChildProcess, environment
from nograd.engines.process_main import arrives_soon
from nograd.engines.protocol import LostError, Message, Request
from nograd.engines.wire import message_from_bytes, request_to_bytes


class Child:
    """One worker process of this machine, and its successors; a `Channel`."""

    def __init__(self, number: int, core: int | None, memory: int) -> None:
        self.number, self._core, self._memory = number, core, memory
        self._setup: bytes | None = None
        self._start()

    def setup(self, message: Any) -> None:
        """Tells the process the layout of the shared memory; it reads this when it has started."""
        self._setup = pickle.dumps(message)
        self._send(self._setup)

    def start(self) -> None:
        """Another process in place of one that has ended."""
        self.close()
        self._start()

    def is_placed(self) -> bool:
        """Always true: a process starts at once."""
        return True

    def send(self, request: Request) -> int:
        """Asks for a share; returns the bytes sent."""
        return self._send(request_to_bytes(request))

    def receive(self, seconds: float) -> Message | None:
        """The next thing that it says within some seconds; None: nothing yet. Raises LostError where it has ended."""
        try:
            if seconds:
                arrives_soon(self._link, self._core is not None)
            if not self._link.poll(seconds):
                return None
            content = self._link.recv_bytes()
        except (EOFError, OSError):
            cause = self._child.end()
            raise LostError(cause, self._child.last_words(), itself=self._process.returncode >= 0) from None
        return message_from_bytes(content)

    def end(self) -> None:
        """Kills the process: when this returns, it writes nothing more into the shared memory."""
        self._child.end(0.0)

    def close(self) -> None:
        """Ends the process for good."""
        self._child.close()

    def _start(self) -> None:
        self._child = ChildProcess(
            "nograd.engines.process_main",
            [self._memory],
            core=self._core,
            environment=environment(),
            files=[self._memory],
        )
        self._process, self._link = self._child.process, self._child.link
        if self._setup is not None:
            self._send(self._setup)

    def _send(self, content: bytes) -> int:
        with contextlib.suppress(OSError):  # it is dead, which the next `receive` finds out
            self._link.send_bytes(content)
        return len(content)
