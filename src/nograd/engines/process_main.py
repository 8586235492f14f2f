"""A worker process of the process engine, from its start to its end; its parent's side is `process_handle`.

It answers on the inherited connection. What it is set up with is pickled, between a process and its own child, with a
descriptor of the memory that both map; requests are in the form of `wire`. It may be set up again, for another part of
the same training.
"""

import contextlib
import os
import signal
import socket
import time
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from nograd.engines.protocol import Alive, Failed, Ready
from nograd.engines.wire import SETUP, message_to_bytes, request_from_bytes

_SPIN = 0.005  # seconds


def serve(link: Connection, pinned: bool) -> None:
    """Serves shares until the parent closes the connection or dies; see `child_process`."""
    with contextlib.suppress(EOFError, BrokenPipeError):
        _serve(link, pinned)


def send_setup(link: Connection, content: bytes, memory: int) -> None:
    """Sends a worker what it is set up with: pickled, and the descriptor of the shared memory."""
    link.send_bytes(SETUP)
    link.send_bytes(content)
    with socket.socket(fileno=os.dup(link.fileno())) as wire:
        socket.send_fds(wire, [b"m"], [memory])


def _serve(link: Connection, pinned: bool) -> None:
    """Answers one request after the other. Raises EOFError where the parent is gone."""
    server = _attempted(_prepared, link)

    def went_on(number: int, frame: Any) -> None:
        if server:
            server.stops += 1

    signal.signal(signal.SIGCONT, went_on)  # what was stopped meanwhile says nothing about how long a share takes
    while server:
        arrives_soon(link, spin=pinned)
        if content := link.recv_bytes():
            link.send_bytes(message_to_bytes(server.serve(request_from_bytes(content))))
        else:
            server = _attempted(_set_up, link)


def _attempted(make: Callable[[Connection], Any], link: Connection) -> Any:
    """What does shares; None where it cannot be made, which the parent is told."""
    try:
        server = make(link)
    except EOFError:
        raise
    except BaseException:
        link.send_bytes(message_to_bytes(Failed(0, traceback.format_exc())))
        return None
    link.send_bytes(message_to_bytes(Ready()))
    return server


def arrives_soon(link: Connection, spin: bool) -> None:
    """Looks for a message for a few milliseconds without sleeping: a core of its own that sleeps is slow to wake."""
    end = time.perf_counter() + _SPIN
    while spin and time.perf_counter() < end and not link.poll(0):
        pass


def _prepared(link: Connection) -> Any:
    """Imports, and does what `_set_up` does."""
    import jax

    jax.devices()  # the backend starts while the parent still compiles
    link.send_bytes(message_to_bytes(Alive()))
    link.recv_bytes()  # that a setup comes
    return _set_up(link)


def _set_up(link: Connection) -> Any:
    """Loads the programs, maps the memory; returns what does shares."""
    import jax

    from nograd.engines.programs import assembled, on_host
    from nograd.engines.server import Server
    from nograd.engines.shared_memory import Block, left_by

    plan, names, local, chunks, number = link.recv()
    memory = _descriptor(link)
    try:
        block = Block(plan, memory)
    finally:
        os.close(memory)  # a mapping keeps its file
    codes = zip(names, block.arrays("programs"), strict=True)
    programs = assembled({name: code.tobytes() for name, code in codes}, local)
    if on_host(programs):
        programs["evaluate"].tell = lambda: link.send_bytes(message_to_bytes(Alive()))
    fixed = [jax.device_put(array) for array in block.arrays("fixed")]
    return Server(programs, fixed, chunks, block, left_by(block, number))


def _descriptor(link: Connection) -> int:
    """The descriptor that comes after what a worker is set up with. Raises EOFError where the parent is gone."""
    with socket.socket(fileno=os.dup(link.fileno())) as wire:
        _, descriptors, _, _ = socket.recv_fds(wire, 1, 1)
    if not descriptors:
        raise EOFError
    return descriptors[0]
