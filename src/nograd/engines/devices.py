"""Several devices of this process, such as its GPUs: a worker each, with its own copies of what all of them read.

No collective takes part: each device runs its own programs on its own chunks, and the sums meet on the host.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager
from typing import Any

import jax
import numpy as np

from nograd.core.types import EngineError
from nograd.engines import memory_advice
from nograd.engines.pool import Crewed
from nograd.engines.programs import SHARED, assembled
from nograd.engines.worker import Done, Share, Worker
from nograd.generation.base import Generation, Keys
from nograd.strategies.base import State


class Device:
    """One more device, and the thread that compiles for it, dispatches to it and waits for it."""

    def __init__(self, number: int, device: jax.Device, remedy: Callable[[], str]) -> None:
        self.number, self._device, self._remedy = number, device, remedy
        self._thread = ThreadPoolExecutor(1)
        self._arrays: dict[str, Any] = {}

    def setup(self, portable: dict[str, bytes], local: bool, fixed: list[Any], chunks: int) -> None:
        """Begins to compile the programs for this device, and to copy the arrays that they read."""

        def prepared() -> Worker:
            with jax.default_device(self._device):  # whose programs these are
                calls = assembled(portable, local)
            return Worker(calls, jax.device_put(fixed, self._device), chunks)

        self._worker = self._thread.submit(prepared)

    def is_ready(self) -> bool:
        """Whether it can be asked. Raises what it met where it cannot."""
        return self.wait_until_ready(0.0)

    def wait_until_ready(self, seconds: float) -> bool:
        """The same, after up to so many seconds."""
        with self._named():
            return bool(wait([self._worker], seconds).done) and isinstance(self._worker.result(), Worker)

    def publish(self, kind: str, arrays: list[Any]) -> int:
        """Copies the parameters or the fitness of a phase to the device; returns the bytes."""
        self._arrays[kind] = jax.device_put(arrays, self._device)
        return sum(array.nbytes for array in self._arrays[kind])

    def ask(self, kind: str, generation: int, share: Share) -> int:
        """Begins a share; returns no bytes, as nothing but a function call is sent."""
        params, (fitness,) = self._arrays["params"], self._arrays.get("fitness", [None])

        def done() -> tuple[Done, int]:
            found, sums = self._worker.result().run(kind, params, np.int32(generation), share, fitness)
            sums = {node: list(map(np.asarray, total)) for node, total in sums.items()}
            size = sum(leaf.nbytes for total in sums.values() for leaf in total)
            return Done(None if found is None else list(map(np.asarray, found)), sums), size

        self._answer: Future[tuple[Done, int]] = self._thread.submit(done)
        return 0

    def answer(self, deadline: float) -> tuple[Done, int]:
        """Its result and the bytes received, however long it takes: a device does not die alone."""
        with self._named():
            return self._answer.result()

    def replace(self) -> None:
        """There is no other device to take its place."""
        raise EngineError(f"device {self._device} was lost; go on with --resume and fewer --workers")

    def stop(self) -> None:
        """Ends the thread, and lets go of the arrays."""
        self._thread.shutdown(cancel_futures=True)
        self._arrays.clear()

    def _named(self) -> AbstractContextManager[None]:
        return memory_advice.named(f"device {self._device}", self._remedy)


class Devices(Crewed):
    """Generations on several devices of this process, the default one first; see `Crewed`."""

    kind = "device"

    def __init__(
        self,
        generation: Generation,
        state: State,
        keys: Keys,
        devices: Sequence[jax.Device],
        may_work_alone: bool = False,
    ) -> None:
        self._others = [Device(number, device, self.remedy) for number, device in enumerate(devices[1:], 1)]
        super().__init__(generation, state, keys, self._others, float("inf"), may_work_alone)
        portable = {name: program.portable for name, program in self.programs.items() if name in SHARED}
        for device in self._others:
            device.setup(portable, generation.local is not None, self.fixed, generation.plan.chunks)

    def publish(self, kind: str, arrays: list[Any]) -> int:
        """To every other device."""
        return sum(device.publish(kind, arrays) for device in self._others)
