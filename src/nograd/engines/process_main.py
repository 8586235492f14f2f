"""A worker process of the process engine, from its start to its end; its parent's side is `process_handle`.

It answers on the inherited connection. Messages are pickled, between a process and its own child; no file is.
"""

import time
import traceback
from multiprocessing.connection import Connection
from typing import Any

_SPIN = 0.005  # seconds


def serve(link: Connection, pinned: bool, memory: str) -> None:
    """Serves shares until the parent closes the connection or dies; see `child_process`."""
    try:
        answer = _prepared(link, int(memory))
    except EOFError:
        return
    except BaseException:
        link.send(("failed", traceback.format_exc()))
        return
    link.send(("ready",))
    while True:
        try:
            arrives_soon(link, spin=pinned)
            request = link.recv()
        except EOFError:
            return
        try:
            link.send(("done", *answer(*request)))
        except Exception as error:  # out of memory, mostly
            link.send(("failed", f"{type(error).__name__}: {error}"))


def arrives_soon(link: Connection, spin: bool) -> None:
    """Looks for a message for a few milliseconds without sleeping: a core of its own that sleeps is slow to wake."""
    end = time.perf_counter() + _SPIN
    while spin and time.perf_counter() < end and not link.poll(0):
        pass


def _prepared(link: Connection, memory: int) -> Any:
    """Imports, loads the programs, maps the memory; returns the function that does a share."""
    import jax
    import numpy as np

    from nograd.engines.host_evaluator import Rollout
    from nograd.engines.programs import assembled
    from nograd.engines.shared_memory import Block, sums_of
    from nograd.engines.worker import Worker

    jax.devices()  # the backend starts while the parent still compiles
    plan, names, local, chunks, number = link.recv()
    block = Block(plan, memory)
    codes = zip(names, block.arrays("programs"), strict=True)
    programs = assembled({name: code.tobytes() for name, code in codes}, local)
    if isinstance(rollout := programs.get("evaluate"), Rollout):
        rollout.tell = lambda: link.send(("alive",))
    worker = Worker(programs, [jax.device_put(array) for array in block.arrays("fixed")], chunks)
    params, (fitness,), found = (block.arrays(name) for name in ("params", "fitness", "found"))
    sums = block.arrays(sums_of(number))

    def answer(kind: str, generation: int, share: tuple[int, int]) -> tuple[list[Any], float]:
        start = time.perf_counter()
        done = worker.run(kind, params, np.int32(generation), share, fitness)
        for whole, part in zip(found, done.found or [], strict=False):
            whole[slice(*share)] = part
        leaves = [leaf for total in done.sums.values() for leaf in total]
        for place, leaf in zip(sums, leaves, strict=False):  # there is room for the most subtrees of any share
            place[...] = leaf
        return list(done.sums), time.perf_counter() - start

    return answer
