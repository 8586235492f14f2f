"""The Ray engine on machines with addresses of their own: one is cut off in the middle, one joins, bytes are counted.

Network namespaces of one Linux machine, so it needs root; skipped elsewhere, with the reason.
"""

import pytest
from generations import DENSE, inline, job_of
from machines import Machines, Training
from network import Network, NotPermittedError

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

DEADLINE = 5.0


@pytest.fixture(scope="module")
def machines():
    pytest.importorskip("ray")
    try:
        network = Network()
    except NotPermittedError as why:
        pytest.skip(f"no network namespaces here: {why}")
    with network:
        yield Machines(network, nodes=2)


@pytest.mark.parametrize("exchange", ["sums", "scalars"])
def test_a_machine_is_cut_off_and_another_joins(machines, exchange):
    """The bits of one process; the lost machine costs the wait for it once, and that no longer than the deadline."""
    training, lines, lost = Training(machines, DENSE, exchange, DEADLINE), [], False
    for line in training.run("until rejoined"):
        lines.append(line)
        if len(lines) == 10:
            machines.nodes.pop().cut()
        if line["ready"] < 2 and not lost:
            lost = True
            machines.add()
    last = training.end()
    assert lost
    assert sum(line["seconds"] > 1 for line in lines[1:]) <= 1
    assert max(line["seconds"] for line in lines) < DEADLINE + 1
    assert last["resynchronised"] == 0
    state, _ = inline(job_of(**DENSE), last["generations"])
    assert last["bits"] == [leaf.hex() for leaf in state]


def test_with_scalars_what_travels_does_not_grow_with_the_network(machines):
    """Counted on the wire, with the headers of all protocols and what Ray says by itself meanwhile."""
    generations, travelled = 100, {}
    for width in (8, 512):
        training = Training(machines, DENSE | {"model": f"mlp:{width},{width}"}, "scalars", DEADLINE)
        assert len(list(training.run(10))) == 10  # among them the state
        before = [sum(machine.traffic()) for machine in machines.nodes]
        lines = list(training.run(generations))
        after = [sum(machine.traffic()) for machine in machines.nodes]
        assert sum(line["up"] + line["down"] for line in lines) < generations * 2 * (16 * DENSE["population"] + 500)
        travelled[width] = max(b - a for a, b in zip(before, after, strict=True)) / generations
        training.end()
    assert travelled[512] < travelled[8] + 4000  # its parameters are a megabyte
    assert travelled[512] < 16 * DENSE["population"] + 20_000
