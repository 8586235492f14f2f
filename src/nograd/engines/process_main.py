"""A worker process of the process engine, from its start to its end; its parent's side is `process_handle`.

It answers on the inherited connection. What it is set up with is pickled, between a process and its own child; what
comes after that is in the form of `wire`.
"""

import contextlib
import signal
import time
import traceback
from multiprocessing.connection import Connection
from typing import Any

from nograd.engines.protocol import Alive, Failed, Ready
from nograd.engines.wire import message_to_bytes, request_from_bytes

_SPIN = 0.005  # seconds


def serve(link: Connection, pinned: bool, memory: str) -> None:
    """Serves shares until the parent closes the connection or dies; see `child_process`."""
    with contextlib.suppress(EOFError, BrokenPipeError):
        _serve(link, pinned, int(memory))


def _serve(link: Connection, pinned: bool, memory: int) -> None:
    """Starts, and answers one request after the other. Raises EOFError where the parent is gone."""
    try:
        server = _prepared(link, memory)
    except EOFError:
        raise
    except BaseException:
        link.send_bytes(message_to_bytes(Failed(0, traceback.format_exc())))
        return

    def went_on(number: int, frame: Any) -> None:
        server.stops += 1

    signal.signal(signal.SIGCONT, went_on)  # what was stopped meanwhile says nothing about how long a share takes
    link.send_bytes(message_to_bytes(Ready()))
    while True:
        arrives_soon(link, spin=pinned)
        link.send_bytes(message_to_bytes(server.serve(request_from_bytes(link.recv_bytes()))))


def arrives_soon(link: Connection, spin: bool) -> None:
    """Looks for a message for a few milliseconds without sleeping: a core of its own that sleeps is slow to wake."""
    end = time.perf_counter() + _SPIN
    while spin and time.perf_counter() < end and not link.poll(0):
        pass


def _prepared(link: Connection, memory: int) -> Any:
    """Imports, loads the programs, maps the memory; returns what does shares."""
    import jax

    from nograd.engines.programs import assembled, on_host
    from nograd.engines.server import Server
    from nograd.engines.shared_memory import Block, left_by

    jax.devices()  # the backend starts while the parent still compiles
    link.send_bytes(message_to_bytes(Alive()))
    plan, names, local, chunks, number = link.recv()
    block = Block(plan, memory)
    codes = zip(names, block.arrays("programs"), strict=True)
    programs = assembled({name: code.tobytes() for name, code in codes}, local)
    if on_host(programs):
        programs["evaluate"].tell = lambda: link.send_bytes(message_to_bytes(Alive()))
    fixed = [jax.device_put(array) for array in block.arrays("fixed")]
    return Server(programs, fixed, chunks, block, left_by(block, number))
