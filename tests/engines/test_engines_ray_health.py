"""The head of a cluster is looked at now and then, and its end is an error before Ray ends the driver."""

import socket

import pytest

from nograd.core.types import EngineError
from nograd.engines import ray_health
from nograd.engines.ray_health import Head


def test_a_head_that_is_gone_is_an_error_within_seconds(monkeypatch):
    monkeypatch.setattr(ray_health, "_SECONDS", 0.01)
    now = [0.0]
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        head = Head(address, lambda: now[0])
        now[0] = 3.0
        head.look()
    head.look()  # it was seen just now
    assert not head.gone
    now[0] = 6.0
    with pytest.raises(EngineError, match=rf"the head of the Ray cluster at {address} is gone; .*--resume"):
        head.look()
    assert head.gone
