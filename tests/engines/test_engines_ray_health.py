"""The head of a cluster is looked at now and then, and its end is an error before Ray ends the driver."""

import socket

import pytest

from nograd.core.types import EngineError
from nograd.engines import ray_health
from nograd.engines.ray_health import HeadCheck


def test_a_head_that_is_gone_is_an_error_within_seconds(monkeypatch):
    monkeypatch.setattr(ray_health, "_SECONDS", 0.01)
    now = [0.0]
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        head = HeadCheck(address, lambda: now[0])
        now[0] = 3.0
        head.look()
    head.look()  # it was seen just now
    assert not head.gone
    now[0] = 6.0
    with pytest.raises(EngineError, match=rf"the head of the Ray cluster at {address} is gone; .*--resume"):
        head.look()
    assert head.gone


def ray_errors():
    """All that Ray raises of itself where an answer cannot come."""
    ray = pytest.importorskip("ray")
    found = [ray.exceptions.RayError]
    for kind in found:
        found += [other for other in kind.__subclasses__() if other not in found]
    return [kind for kind in found if not issubclass(kind, ray.exceptions.RayTaskError)]


@pytest.mark.slow
def test_whatever_ray_says_instead_of_an_answer_the_worker_is_lost(monkeypatch):
    import ray

    from nograd.engines.protocol import LostError
    from nograd.engines.ray_handle import Actor

    for kind in ray_errors():
        error = kind.__new__(kind)
        Exception.__init__(error, "no answer")
        monkeypatch.setattr(kind, "__str__", lambda self: "no answer")

        def get(reference, error=error):
            raise error

        monkeypatch.setattr(ray, "wait", lambda references, timeout: (references, []))
        monkeypatch.setattr(ray, "get", get)
        actor = Actor.__new__(Actor)
        actor._saying = [(3, "reference")]
        with pytest.raises(LostError):
            actor.receive(1.0)
