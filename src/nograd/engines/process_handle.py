"""The channel to a worker process of this machine: started, sent requests, ended, replaced."""

import contextlib
import pickle
from typing import Any

from nograd.engines.child_process import ChildProcess, environment
from nograd.engines.process_main import arrives_soon, send_setup
from nograd.engines.protocol import LostError, Message, Request
from nograd.engines.wire import message_from_bytes, request_to_bytes


class Child:
    """One worker process of this machine, and its successors; a `Channel`."""

    def __init__(self, number: int, core: int | None) -> None:
        self.number, self._core = number, core
        self._setup: tuple[bytes, int] | None = None  # the last one, which a successor gets too
        self._start()

    def setup(self, message: Any, memory: int) -> None:
        """Tells the process the layout of the shared memory, which stays open until the next setup or `close`.

        It reads this when it has started, or has done what it was asked before.
        """
        self._setup = pickle.dumps(message), memory
        self._set_up()

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
        self._child = ChildProcess("nograd.engines.process_main", core=self._core, environment=environment())
        self._process, self._link = self._child.process, self._child.link
        self._set_up()

    def _set_up(self) -> None:
        if self._setup is not None:
            with contextlib.suppress(OSError):
                send_setup(self._link, *self._setup)

    def _send(self, content: bytes) -> int:
        with contextlib.suppress(OSError):  # it is dead, which the next `receive` finds out
            self._link.send_bytes(content)
        return len(content)
