"""Several devices of this process, such as its GPUs: one worker per device, with its own copy of what all of them read.

No collective operations are used: each device computes its own chunks, and the sums are added on the host.
"""

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, wait
from typing import Any, Protocol

import jax

from nograd.core.runtime import threads_like_this
from nograd.core.types import EngineError
from nograd.engines.inline import Inline
from nograd.engines.pool import Pool
from nograd.engines.programs import Program, assembled, require_portable
from nograd.engines.protocol import Answer, Epoch, Failed, Message, Ready, Refused, Request, Share
from nograd.engines.server import Copied, Held, Server, copied
from nograd.engines.worker import Done
from nograd.engines.worker_handle import Channel, Patience, WorkerHandle
from nograd.generation.base import Generation, Keys
from nograd.strategies.base import State


def device_engine(
    generation: Generation,
    state: State,
    keys: Keys,
    devices: Sequence[jax.Device],
    may_work_alone: bool = False,
    programs: Mapping[str, Program] | None = None,
) -> Pool:
    """Generations on several devices of this process, the default one first; see `Pool`."""
    devices = devices[: generation.plan.chunks]  # more would have no chunk to compute
    here = Inline(generation, state, keys, len(devices), programs)
    require_portable(here.programs)
    return Pool(here, Devices(here, [Device(device, here) for device in devices[1:]]), may_work_alone)


class Device:
    """One more device, and the thread that compiles for it, dispatches to it and waits for it; a `CopyChannel`."""

    def __init__(self, device: jax.Device, here: Inline) -> None:
        self.device, self.held, self.name = device, Held(), f"device {device}"
        self._thread = threads_like_this(1)
        self._saying: list[Future[Message]] = [self._thread.submit(self._prepared, here)]

    def start(self) -> None:
        """Raises EngineError: there is no other device to take its place."""
        raise EngineError(f"device {self.device} was lost; go on with --resume and fewer --workers")

    def is_placed(self) -> bool:
        """Always false: it compiles without a time limit."""
        return False

    def publish(self, name: str, epoch: Epoch, arrays: list[Any]) -> int:
        """Copies arrays to the device; returns the bytes."""
        own = jax.device_put(arrays, self.device)
        self.held.put(name, epoch, own)
        return sum(array.nbytes for array in own)

    def send(self, request: Request) -> int:
        """Begins a share; returns no bytes, as nothing but a function call is sent."""
        self._saying.append(self._thread.submit(self._served, request))
        return 0

    def receive(self, seconds: float) -> Message | None:
        """The next thing that it says within some seconds; None: nothing yet."""
        if not self._saying or not wait(self._saying[:1], None if math.isinf(seconds) else seconds).done:
            return None
        return self._saying.pop(0).result()

    def end(self) -> None:
        """Does nothing: a device computes only what it is sent."""

    def close(self) -> None:
        """Ends the thread, and lets go of the arrays."""
        self._thread.shutdown(cancel_futures=True)
        self.held = Held()

    def _prepared(self, here: Inline) -> Message:
        """Compiles the programs for this device, and copies the arrays that they read."""
        sent = here.sent()
        try:
            with jax.default_device(self.device):  # whose programs these are
                calls = assembled(sent.programs, here.generation.local is not None)
            fixed = jax.device_put(sent.fixed, self.device)
        except Exception as error:  # out of memory, mostly
            return Failed(0, f"{type(error).__name__}: {error}")
        self._server = Server(calls, fixed, here.generation.plan.chunks, self.held, copied)
        return Ready()

    def _served(self, request: Request) -> Answer | Refused | Failed:
        return self._server.serve(request)


class CopyChannel(Channel, Protocol):
    """A channel to a worker that has copies of its own of what is published."""

    name: str

    def publish(self, name: str, epoch: Epoch, arrays: list[Any]) -> int:
        """Copies arrays to it; returns the bytes."""


class Devices:
    """The other devices of this process; a `Transport`."""

    kind = "device"

    def __init__(self, here: Inline, devices: Sequence[CopyChannel]) -> None:
        self._devices = dict(enumerate(devices, 1))
        never = Patience(math.inf, math.inf)  # a device does not die alone
        self.handles = [
            WorkerHandle(number, device, never, here.remedy, name=device.name)
            for number, device in self._devices.items()
        ]

    def publish(self, name: str, epoch: Epoch, arrays: list[Any], crew: Sequence[WorkerHandle]) -> int:
        """Copies them to the devices of the crew."""
        return sum(self._devices[handle.number].publish(name, epoch, arrays) for handle in crew)

    def result(self, handle: WorkerHandle, share: Share, kind: str, result: Copied) -> tuple[Done, int]:
        """All of it is there; its bytes are those of the sums."""
        return result.done, sum(leaf.nbytes for total in result.done.sums.values() for leaf in total)

    def close(self) -> None:
        """Ends the threads."""
        for device in self._devices.values():
            device.close()
        self._devices, self.handles = {}, []
