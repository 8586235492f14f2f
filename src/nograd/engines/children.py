"""A worker process as its parent sees it: started, asked, answered, dead, replaced."""

import contextlib
import os
import pickle
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, TypeAlias

from nograd.engines.child import arrives_soon
from nograd.engines.worker import Done, Node, Share
from nograd.types import EngineError

_DEATHS = 3  # in a row, without one share done between, before a worker is given up
_SLOWER = 20.0  # times its slowest share so far, before a silent worker counts as dead
_ENVIRONMENT = {"NPROC": "1", "JAX_PLATFORMS": "cpu"}  # one thread: more would gain nothing, and sum in another order
# (kind, share, its subtrees) -> what the shared memory holds of it, and the bytes
Result: TypeAlias = Callable[[str, Share, list[Node]], tuple[Done, int]]


class Child:
    """One worker process, and its successors under the same number."""

    def __init__(self, number: int, core: int | None, memory: int) -> None:
        self.number = number
        self._core, self._memory = core, memory
        self._deaths, self._slowest = 0, 0.0
        self._ready, self._asked, self._cause = False, 0.0, "ended"
        self._spawn()

    def setup(self, message: Any, result: Result) -> None:
        """Says where in the shared memory all lies (read when the process has started), and how to read an answer."""
        self._message, self._result = message, result
        self._send(message)

    def is_ready(self) -> bool:
        """Whether it can be asked. Raises EngineError, with its own traceback on stderr, where it cannot start."""
        return self._ready or self.wait_until_ready(0.0)

    def wait_until_ready(self, seconds: float) -> bool:
        """The same, after up to so many seconds."""
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
            print(rest[0].rstrip(), file=sys.stderr)
            raise EngineError(f"worker {self.number} cannot start: {rest[0].strip().splitlines()[-1]}")
        self._ready = True
        return True

    def ask(self, kind: str, generation: int, share: Share) -> int:
        """Asks for a share; returns the bytes sent."""
        self._asked, self._request = time.monotonic(), (kind, share)
        return self._send((kind, generation, share))

    def answer(self, deadline: float) -> tuple[Done, int] | None:
        """What lies ready, and the bytes received; None where the process is dead, or as good as.

        Raises EngineError where it says that it cannot do its share.
        """
        end = self._asked + max(deadline, _SLOWER * self._slowest)
        try:
            arrives_soon(self._link, self._core is not None)
            if not self._link.poll(max(end - time.monotonic(), 0.0)):
                self._end()
                self._cause = f"was silent for {time.monotonic() - self._asked:.0f} s"
                return None
            content = self._link.recv_bytes()
        except (EOFError, OSError):
            self._end()
            return None
        word, *rest = pickle.loads(content)
        if word == "failed":
            raise EngineError(f"worker {self.number} failed: {rest[0]}; {self._remedy()}")
        nodes, seconds = rest
        self._deaths, self._slowest = 0, max(self._slowest, seconds)
        done, size = self._result(*self._request, nodes)
        return done, size + len(content)

    def replace(self) -> None:
        """A new process in place of a dead one. Raises EngineError where one after the other dies."""
        self._deaths += 1
        if self._deaths >= _DEATHS:
            raise EngineError(f"worker {self.number} {self._cause}, {_DEATHS} times in a row; {self._remedy()}")
        self._close()
        self._spawn()
        self._send(self._message)

    def stop(self) -> None:
        """Ends the process for good."""
        self._end()
        self._close()

    def _spawn(self) -> None:
        ours, theirs = socket.socketpair()
        read, self._life = os.pipe()  # closed with this process, however it ends
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115
        command = [sys.executable, "-m", "nograd.engines.child"]
        command += [str(number) for number in (theirs.fileno(), self._memory, read, self._pin)]
        self._process = subprocess.Popen(
            command,
            env={**os.environ, **_ENVIRONMENT, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            pass_fds=(theirs.fileno(), self._memory, read),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._stderr,
        )
        theirs.close()
        os.close(read)
        self._link = Connection(ours.detach())
        self._ready = False

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

    def _close(self) -> None:
        self._link.close()
        os.close(self._life)
        self._stderr.close()

    def _last_words(self) -> str:
        self._stderr.seek(0)
        return self._stderr.read().decode("utf-8", "replace")

    def _remedy(self) -> str:
        unit = 1 if sys.platform == "darwin" else 1024
        need = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9
        return (
            f"if memory ran out: a worker of this run needs about {need:.1f} GB, "
            f"so use --workers {self.number} or fewer, or a smaller --batch"
        )
