"""The Ray engine: workers are actors of a cluster, and send sums or scalars.

sums: the driver sends parameters and gets partial sums Σ w · ε, as with processes. scalars: Algorithm 2 of Salimans et
al. 2017; see `Scalars`.
"""

import os
import pickle
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from nograd.core.types import ConfigError
from nograd.engines.base import EngineArguments
from nograd.engines.exchange import Scalars, Sums
from nograd.engines.inline import Inline
from nograd.engines.pool import Pool
from nograd.engines.programs import SHARED, Program, require_portable
from nograd.engines.protocol import Epoch, Share, Update
from nograd.engines.ray_cleanup import guarded
from nograd.engines.ray_handle import Actor, ActorSpec
from nograd.engines.ray_health import HeadCheck
from nograd.engines.server import Copied
from nograd.engines.worker import Done
from nograd.engines.worker_handle import Channel, Clock, Patience, WorkerHandle
from nograd.generation.base import Generation, Keys
from nograd.strategies.base import State


def ray_engine(
    generation: Generation,
    state: State,
    keys: Keys,
    workers: str,
    deadline: float,
    address: str | None,
    exchange: str,
    programs: Mapping[str, Program] | None = None,
) -> Pool:
    """Generations on this process and on `workers` − 1 actors of a Ray cluster; see `Pool`.

    Actors that find no free core wait for one: they join when a node does. One that is lost with its node is asked
    for again, and its chunks are done here.

    Args:
        generation: what is computed.
        state: of these shapes and types.
        keys: of the run.
        workers: how many; "auto": as many as the cluster has cores.
        deadline: seconds without a sign of life, after which an actor counts as dead.
        address: of the cluster, HOST:PORT; "auto": the one that this machine belongs to; None: one is started here.
        exchange: "sums" or "scalars".
        programs: of the generation, where they are compiled already.

    Raises:
        ConfigError: Ray is not installed, the cluster does not answer, or this exchange does not suit the work.
    """
    if exchange == "scalars" and generation.halves:
        raise ConfigError(
            "--exchange scalars needs a shaping that goes over the whole population; use --shaping centered_rank, "
            "or --exchange sums"
        )
    with ExitStack() as cluster:
        cores = cluster.enter_context(joined(address))
        import ray

        count = min(cores if workers == "auto" else int(workers), generation.plan.chunks)
        here = Inline(generation, state, keys, count, programs)
        require_portable(here.programs)
        wanted = SHARED if exchange == "sums" else (*SHARED, "update")
        actors = _actors(here, state, count, wanted)
        transport = Cluster(here, actors, deadline, ray.put)
        cluster.callback(transport.end)
        transport.leave = cluster.pop_all().close
    return Pool(here, transport, exchange=Sums() if exchange == "sums" else Scalars(transport))


class OnCluster:
    """`ray`: this process and the actors of a Ray cluster."""

    def count(self, generation: Generation, workers: str) -> int:
        """0: the cluster alone can tell, and it is joined when the engine is made."""
        return 0

    def available(self, address: str | None) -> AbstractContextManager[int]:
        """The cores of the cluster, which stays joined meanwhile. Raises ConfigError where none answers."""
        return joined(address)

    def make(self, arguments: EngineArguments) -> Pool:
        """See `ray_engine`."""
        return ray_engine(*arguments)


def _actors(here: Inline, state: State, workers: int, programs: Sequence[str]) -> list[Actor]:
    """The actors beside this process, each to be set up with the programs of these names."""
    import ray

    portable = {name: program.portable for name, program in here.programs.items() if name in programs}
    fixed, generation = [np.asarray(array) for array in here.fixed], here.generation
    width = len(generation.leaves(state))
    order = ActorSpec(ray.put(portable), generation.local is not None, ray.put(fixed), generation.plan.chunks, width)
    head = HeadCheck(ray.get_runtime_context().gcs_address)
    return [Actor(order, head) for _ in range(1, workers)]


_LEAVING = 20.0  # seconds that it may take to leave a cluster


class StateChannel(Channel, Protocol):
    """A channel to a worker that can hold a state, and takes what is published by reference."""

    def publish(self, name: str, epoch: Epoch, reference: Any) -> None:
        """Tells it the reference to the arrays that the next requests read."""

    def load(self, epoch: Epoch, state: bytes) -> None:
        """Sends it a state."""

    def update(self, content: bytes) -> None:
        """Makes it update its state."""


class Cluster:
    """Actors of a Ray cluster; a transport to workers that can hold a state (`Replicas`)."""

    kind = "process"

    def __init__(
        self,
        here: Inline,
        actors: Sequence[StateChannel],
        deadline: float,
        put: Callable[[Any], Any],
        clock: Clock = time.monotonic,
    ) -> None:
        self.leave: Callable[[], None] = self.end  # the cluster
        self._actors, self._put = dict(enumerate(actors, 1)), put
        patience = Patience(deadline, here.compile_seconds)
        self.handles = [
            WorkerHandle(number, actor, patience, here.remedy, clock=clock) for number, actor in self._actors.items()
        ]

    def publish(self, name: str, epoch: Epoch, arrays: list[Any], crew: Sequence[WorkerHandle]) -> int:
        """Puts the arrays into Ray's object store, from which each node copies them once; returns their bytes."""
        leaves = [np.asarray(leaf) for leaf in arrays]
        reference = self._put((name, epoch, leaves))
        for handle in crew:
            self._actors[handle.number].publish(name, epoch, reference)
        return sum(leaf.nbytes for leaf in leaves)

    def result(self, handle: WorkerHandle, share: Share, kind: str, result: Copied) -> tuple[Done, int]:
        """The result, all of which came with the answer."""
        return result.done, 0

    def load(self, handles: Sequence[WorkerHandle], epoch: Epoch, state: list[Any]) -> int:
        """Sends the state to some actors; returns the bytes."""
        content = pickle.dumps(state)
        for handle in handles:
            self._actors[handle.number].load(epoch, content)
        return len(content) * len(handles)

    def update(self, handles: Sequence[WorkerHandle], update: Update) -> int:
        """Makes some actors update their copies of the state; returns the bytes sent."""
        content = pickle.dumps(update)
        for handle in handles:
            self._actors[handle.number].update(content)
        return len(content) * len(handles)

    def end(self) -> None:
        """Ends the actors."""
        for handle in self.handles:
            handle.close()
        self.handles, self._actors = [], {}

    def close(self) -> None:
        """Ends the actors, and leaves the cluster; one that was started here ends."""
        self.leave()


@contextmanager
def joined(address: str | None) -> Iterator[int]:
    """Connects to a cluster, or starts one on this machine alone, and leaves it; within another one, uses that.

    Yields:
        Its cores.

    Raises:
        ConfigError: Ray is not installed, or no cluster answers.
    """
    try:
        import ray
    except ImportError:
        raise ConfigError("--engine ray needs Ray; install it by pip install 'nograd[ray]'") from None
    if ray.is_initialized():
        yield _cores()
        return
    _init(address)
    with ExitStack() as stack:
        if address is None:
            stack.enter_context(guarded(_session()))
        stack.callback(_leave)
        yield _cores()


def _leave() -> None:
    """Leaves the cluster; where its head is gone that could take a minute, and is not waited for."""
    import ray

    leaving = threading.Thread(target=ray.shutdown, daemon=True)
    leaving.start()
    leaving.join(_LEAVING)


def _cores() -> int:
    import ray

    return int(ray.cluster_resources().get("CPU", 1))


def _session() -> str:
    """The folder of the sockets and logs of the cluster that was started here."""
    import ray

    return str(Path(ray.nodes()[0]["ObjectStoreSocketName"]).parent.parent)


def _init(address: str | None) -> None:
    import ray

    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "error"}
    try:
        with warnings.catch_warnings():
            # Ray forks to start its own programs at once, which never touch JAX.
            warnings.filterwarnings("ignore", r"os\.fork\(\) was called", RuntimeWarning)
            if address is None:
                ray.init(address="local", include_dashboard=False, _node_ip_address="127.0.0.1", **quiet)
            else:
                ray.init(address=address, **quiet)
    except (ConnectionError, ValueError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ConfigError(
            f"no Ray cluster at --address {address}: {reason}; start one by ray start --head, set its token here too "
            "(RAY_AUTH_MODE=token, RAY_AUTH_TOKEN), or leave the address out"
        ) from None
