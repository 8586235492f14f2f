"""A worker process as its parent sees it: started, asked, answered, dead, replaced."""

import contextlib
import pickle
import time
from collections.abc import Callable
from typing import Any, TypeAlias

from nograd.engines.child_process import ChildProcess
from nograd.engines.process_main import arrives_soon
from nograd.engines.worker import Done, Node, Share
from nograd.engines.worker_handle import Post

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
            word, rest = "failed", [self._child.last_words() or f"it {self._cause}"]
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
        self._child.close()

    def _start(self) -> None:
        self._child = ChildProcess("nograd.engines.process_main", [self._memory], core=self._core, files=[self._memory])
        self._process, self._link, self._ready = self._child.process, self._child.link, False
        if self._message is not None:
            self._send(self._message)

    def _send(self, message: Any) -> int:
        content = pickle.dumps(message)
        with contextlib.suppress(OSError):  # it is dead: to ask for its answer will tell
            self._link.send_bytes(content)
        return len(content)

    def _end(self) -> bool:
        """Kills the process, if it is still there, and notes what it died of: whether it was a signal."""
        self._cause = self._child.end()
        return self._process.returncode < 0
