"""The Ray engine: the same workers as actors of a cluster, with sums or with scalars travelling.

sums: the parameters go out, partial sums Σ w · ε come back, as between processes. scalars: Algorithm 2 of Salimans et
al. 2017. Every worker holds the state and knows every seed, so only fitness travels, and each makes the whole update
itself: 4 bytes a member up and down in place of 4 bytes a parameter, for more arithmetic.
"""

import os
import pickle
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import jax
import numpy as np

from nograd.core.types import ConfigError
from nograd.engines.pool import Crewed
from nograd.engines.programs import SHARED
from nograd.engines.ray_cleanup import guarded
from nograd.engines.ray_handle import Actor, checksum
from nograd.engines.worker import Done, split
from nograd.generation.base import Generation, Keys, Outcome
from nograd.strategies.base import State


class Ray(Crewed):
    """Generations on this process and on `workers` − 1 actors of a Ray cluster; see `Crewed`.

    Actors that find no free core wait for one: they join when a node does. One that is lost with its node is asked
    for again, and its chunks are done here.

    Args:
        address: of the cluster, HOST:PORT; "auto": the one that this machine belongs to; None: one is started here.
        exchange: "sums" or "scalars".

    Raises:
        ConfigError: Ray is not installed, the cluster does not answer, or the work cannot be exchanged so.
    """

    def __init__(
        self,
        generation: Generation,
        state: State,
        keys: Keys,
        workers: str,
        deadline: float,
        address: str | None,
        exchange: str,
    ) -> None:
        if exchange == "scalars" and generation.halves:
            raise ConfigError(
                "--exchange scalars needs a shaping that goes over the whole population; use --shaping centered_rank, "
                "or --exchange sums"
            )
        self._joined = ExitStack()
        self._cores = self._joined.enter_context(joined(address))
        super().__init__(generation, state, keys, [], deadline, may_work_alone=False)
        self._exchange, self.resynchronised = exchange, 0
        import ray

        count = self._cores if workers == "auto" else int(workers)
        wanted = SHARED if exchange == "sums" else (*SHARED, "update")
        portable = {name: program.portable for name, program in self.programs.items() if name in wanted}
        width = len(generation.leaves(state))
        fixed = [np.asarray(array) for array in self.fixed]
        common = ray.put(portable), generation.local is not None, ray.put(fixed), generation.plan.chunks, width
        self._actors = [Actor(number, common, self.remedy) for number in range(1, count)]
        self.members, self.workers = self._actors, count
        self._params: list[Any] = []

    def publish(self, kind: str, arrays: list[Any]) -> int:
        """Into Ray's object store, from where each node takes it once."""
        import ray

        leaves = [np.asarray(leaf) for leaf in arrays]
        self._params = self._params if kind == "fitness" else leaves
        reference = ray.put((self._params, leaves[0] if kind == "fitness" else None))
        for actor in self._actors:
            actor.publish(reference)
        return sum(leaf.nbytes for leaf in leaves)

    def step(self, state: State) -> tuple[State, Outcome]:
        """The next generation."""
        if self._exchange == "sums":
            return super().step(state)
        self.bytes_down = self.bytes_up = 0
        crew = [actor for actor in self._actors if actor.is_ready()][: self.generation.plan.chunks - 1]
        return self._replicated(state, crew) if crew else super().step(state)

    def close(self) -> None:
        """Ends the actors, and the cluster where it was started here."""
        super().close()
        self._joined.close()

    def _replicated(self, state: State, crew: list[Actor]) -> tuple[State, Outcome]:
        """A generation in which every worker makes the whole update, and only fitness travels."""
        params, number = self.generation.leaves(state), np.int32(state.generation)
        own, *others = split(self.generation.plan.chunks, 1 + len(crew))
        times = [time.perf_counter()]
        content = (
            pickle.dumps([np.asarray(leaf) for leaf in jax.tree.leaves(state)]) if any(a.lost for a in crew) else b""
        )
        for actor, share in zip(crew, others, strict=True):
            if actor.lost:
                actor.actor.load.remote(content)
                actor.lost, self.bytes_down = False, self.bytes_down + len(content)
            self.bytes_down += actor.request(actor.actor.evaluate, (int(number), share))
        times.append(time.perf_counter())
        mine = checksum(params)
        done = {own: self.own("evaluate", params, number, own)}
        times.append(time.perf_counter())
        for actor, share in zip(crew, others, strict=True):
            done[share] = self._from(actor, mine) or self.own("evaluate", params, number, share)
        times.append(time.perf_counter())
        found, _ = self._merged("evaluate", done)
        content = pickle.dumps([np.asarray(array) for array in found])
        for actor in crew:
            if not actor.lost:
                actor.actor.update.remote(int(number), content)
                self.bytes_down += len(content)
        times.append(time.perf_counter())
        _, total = super(Crewed, self).share("estimate", params, number, found[0])
        names = ("communicate", "evaluate", "wait", "communicate")
        for name, start, end in zip(names, times[:-1], times[1:], strict=True):
            self.seconds[name] += end - start
        return self.updated(state, total, found)

    def _from(self, actor: Actor, mine: int) -> Done | None:
        """What an actor found; None where it is lost, or where its parameters are not bitwise ours."""
        content = actor.content(self._deadline)
        if content is None:
            actor.replace()
            return None
        self.bytes_up += len(content)
        found, theirs = pickle.loads(content)
        if theirs == mine:
            return Done(found, {})
        # Other hardware, or an update that failed there: it gets the state again.
        actor.lost, self.resynchronised = True, self.resynchronised + 1
        return None


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
        stack.callback(ray.shutdown)
        yield _cores()


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
