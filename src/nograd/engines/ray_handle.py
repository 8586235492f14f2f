"""A worker as an actor of a Ray cluster, and what its driver sees of it."""

import pickle
import time
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from nograd.engines.child_process import ENVIRONMENT
from nograd.engines.programs import assembled
from nograd.engines.worker import Done, Share, Worker
from nograd.engines.worker_handle import Post


def checksum(leaves: Sequence[Any]) -> int:
    """CRC-32 over the bytes of some arrays: what replicas of a state compare."""
    total = 0
    for leaf in leaves:
        total = zlib.crc32(np.ascontiguousarray(leaf).reshape(-1).view(np.uint8).data, total)
    return total


class Replica:
    """What an actor holds: a worker, and with scalars the state. It knows neither the model nor the task."""

    def __init__(self, portable: dict[str, bytes], local: bool, fixed: list[Any], chunks: int, width: int) -> None:
        self._calls = assembled(portable, local)
        self._fixed, self._chunks, self._width = [jax.device_put(array) for array in fixed], chunks, width
        self._worker = Worker(self._calls, self._fixed, chunks)
        self._state: list[Any] = []

    def ready(self) -> bool:
        """Answers when the programs are compiled."""
        return True

    def run(self, arrays: Any, request: bytes) -> bytes:
        """A share with the parameters, or parameters and fitness, that were published."""
        kind, generation, share = pickle.loads(request)
        params, fitness = arrays
        done = self._worker.run(kind, params, np.int32(generation), share, fitness)
        found = None if done.found is None else list(map(np.asarray, done.found))
        return pickle.dumps((found, {node: list(map(np.asarray, total)) for node, total in done.sums.items()}))

    def load(self, state: bytes) -> None:
        """Takes over a state."""
        self._state = pickle.loads(state)

    def evaluate(self, request: bytes) -> bytes:
        """What is found of a share by the state held here, and the checksum of its parameters."""
        generation, share = pickle.loads(request)
        params = self._state[: self._width]
        done = self._worker.run("evaluate", params, np.int32(generation), share)
        return pickle.dumps((list(map(np.asarray, done.found or [])), checksum(params)))

    def update(self, generation: int, content: bytes) -> None:
        """The whole update, from what was found of all."""
        found = pickle.loads(content)
        params, whole = self._state[: self._width], (0, self._chunks)
        total = next(iter(self._worker.run("estimate", params, np.int32(generation), whole, found[0]).sums.values()))
        self._state = [np.asarray(leaf) for leaf in self._calls["update"](self._state, total, found)[0]]


class Actor(Post):
    """A replica on the cluster, and its successors."""

    def __init__(self, number: int, arguments: tuple[Any, ...], remedy: Callable[[], str]) -> None:
        super().__init__(number, remedy)
        self._arguments = arguments
        self._start()

    def wait_until_ready(self, seconds: float) -> bool:
        """Whether it can be asked, after up to so many seconds: it waits for a free core as long as it takes."""
        import ray

        if not self._ready and ray.wait([self._started], timeout=seconds)[0]:
            try:
                self._ready = ray.get(self._started)
            except ray.exceptions.ActorDiedError as error:
                if "creation task" in str(error) or "__init__" in str(error):
                    raise self._unable(str(error)) from None
                self.replace()
        return self._ready

    def publish(self, arrays: Any) -> None:
        """Where on the cluster the arrays of the phase lie."""
        self._arrays = arrays

    def ask(self, kind: str, generation: int, share: Share) -> int:
        """Asks for a share; returns the bytes sent."""
        return self.request(self.actor.run, (kind, generation, share), self._arrays)

    def request(self, method: Any, message: Any, *before: Any) -> int:
        """Calls a method of the actor with a message; returns its bytes."""
        content = pickle.dumps(message)
        self._asked = self._heard = time.monotonic()
        self._future = method.remote(*before, content)
        return len(content)

    def answer(self, deadline: float) -> tuple[Done, int] | None:
        """Its result and the bytes received; None where it is dead, or as good as."""
        content = self.content(deadline)
        return None if content is None else (Done(*pickle.loads(content)), len(content))

    def content(self, deadline: float) -> bytes | None:
        """The answer's bytes; None where it is dead, or as good as. Raises EngineError where it cannot do its share."""
        import ray

        if not self._speaks(lambda seconds: bool(ray.wait([self._future], timeout=seconds)[0]), deadline):
            self._silent()
            return None
        try:
            content = ray.get(self._future)
        except (ray.exceptions.RayActorError, ray.exceptions.ObjectLostError):
            self._cause = "was lost"
            return None
        except ray.exceptions.RayTaskError as error:
            raise self._failed(f"{type(error.cause).__name__}: {error.cause}") from None
        self._deaths, self._slowest = 0, max(self._slowest, time.monotonic() - self._asked)
        return content

    def stop(self) -> None:
        """Ends it for good."""
        import ray

        ray.kill(self.actor)

    def _start(self) -> None:
        import ray

        remote: Any = ray.remote(num_cpus=1, runtime_env={"env_vars": ENVIRONMENT})(Replica)
        self.actor = remote.remote(*self._arguments)
        self._started, self._ready = self.actor.ready.remote(), False
        self.lost = True  # its state must be sent
