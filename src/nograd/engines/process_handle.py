"""A worker process as its parent sees it: started, asked, answered, dead, replaced."""

import contextlib
import os
import pickle
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, TypeAlias

from nograd.engines.process_main import arrives_soon
from nograd.engines.worker import Done, Node, Share
from nograd.engines.worker_handle import ENVIRONMENT, Post

# (kind, share, its subtrees) -> what the shared memory holds of it, and the bytes
Result: TypeAlias = Callable[[str, Share, list[Node]], tuple[Done, int]]


class Child(Post):
    """One worker process of this machine, and its successors."""

    def __init__(self, number: int, core: int | None, memory: int, remedy: Callable[[], str]) -> None:
        super().__init__(number, remedy)
        self._core, self._memory = core, memory
        self.seconds = 0.0  # that its shares have taken, by its own clock
        self._message: Any = None
        self._start()

    def setup(self, message: Any, result: Result) -> None:
        """Says where in the shared memory all lies (read when the process has started), and how to read an answer."""
        self._message, self._result = message, result
        self._send(message)

    def wait_until_ready(self, seconds: float) -> bool:
        """Whether it can be asked, after up to so many seconds; EngineError where it cannot start."""
        if self._ready:
            return True
        try:
            if not self._link.poll(seconds):
                return False
            word, *rest = self._link.recv()
        except (EOFError, OSError):
            if self._end():  # killed, not failed: another may fare better
                self.replace()
                return False
            word, rest = "failed", [self._last_words() or f"it {self._cause}"]
        if word == "failed":
            raise self._unable(rest[0])
        self._ready = True
        return True

    def ask(self, kind: str, generation: int, share: Share) -> int:
        """Asks for a share; returns the bytes sent."""
        self._asked = self._heard = time.monotonic()
        self._request = kind, share
        return self._send((kind, generation, share))

    def answer(self, deadline: float) -> tuple[Done, int] | None:
        """What lies ready, and the bytes received; None where the process is dead, or as good as.

        Raises EngineError where it says that it cannot do its share.
        """
        try:
            word = "alive"
            while word == "alive":
                arrives_soon(self._link, self._core is not None)
                if not self._speaks(self._link.poll, deadline):
                    self._end()
                    self._silent()
                    return None
                content = self._link.recv_bytes()
                word, *rest = pickle.loads(content)
                self._heard = time.monotonic()
        except (EOFError, OSError):
            self._end()
            return None
        if word == "failed":
            raise self._failed(rest[0])
        nodes, seconds = rest
        self._deaths, self._slowest = 0, max(self._slowest, seconds)
        self.seconds += seconds
        done, size = self._result(*self._request, nodes)
        return done, size + len(content)

    def stop(self) -> None:
        """Ends the process for good."""
        self._end()
        self._link.close()
        os.close(self._life)
        self._stderr.close()

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        read, self._life = os.pipe()  # closed with this process, however it ends
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115
        command = [sys.executable, "-m", "nograd.engines.process_main"]
        command += [str(number) for number in (theirs.fileno(), self._memory, read, self._pin)]
        self._process = subprocess.Popen(
            command,
            env={**os.environ, **ENVIRONMENT, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            pass_fds=(theirs.fileno(), self._memory, read),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._stderr,
        )
        theirs.close()
        os.close(read)
        self._link = Connection(ours.detach())
        self._ready = False
        if self._message is not None:
            self._send(self._message)

    @property
    def _pin(self) -> int:
        return -1 if self._core is None else self._core

    def _send(self, message: Any) -> int:
        content = pickle.dumps(message)
        with contextlib.suppress(OSError):  # it is dead: to ask for its answer will tell
            self._link.send_bytes(content)
        return len(content)

    def _end(self) -> bool:
        """Kills the process, if it is still there, and notes what it died of: whether it was a signal."""
        alive = self._process.poll() is None
        if alive:
            with contextlib.suppress(subprocess.TimeoutExpired):  # a closed connection comes just before the end
                self._process.wait(0.2)
        self._process.kill()
        code = self._process.wait()
        self._cause = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        return code < 0

    def _last_words(self) -> str:
        self._stderr.seek(0)
        return self._stderr.read().decode("utf-8", "replace")
