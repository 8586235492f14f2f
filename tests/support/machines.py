"""A Ray cluster on machines of a `Network`, and a training driven on its head."""

import json
import os
import secrets
import subprocess
import sys
from pathlib import Path

import nograd

# The head notices a lost node after three seconds of silence.
QUICK = {"RAY_health_check_initial_delay_ms": "0", "RAY_health_check_period_ms": "1000"}
QUICK |= {"RAY_health_check_timeout_ms": "1000", "RAY_health_check_failure_threshold": "3"}
# All machines and the driver have one token, whatever Ray finds in a home folder.
QUICK |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
PORT = 6379
# Runs a block of generations for each number read, or until a worker was lost and there were all of them again.
DRIVER = """
import json, os, sys, time
from generations import bits, job_of
from nograd.engines.ray import ray_engine

settings, address, exchange, workers, deadline = json.loads(sys.argv[1])
job = job_of(**settings)
engine = ray_engine(job.generation, job.state_shapes(), job.keys, str(workers), deadline, address, exchange)
engine.wait_until_ready(120)
state, count = job.init_state(), 0

out = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)  # Ray prints there, too

def tell(what):
    print(json.dumps(what), file=out, flush=True)

def step():
    global state, count
    start = time.perf_counter()
    state, _ = engine.step(state)
    count += 1
    ready = sum(actor.is_ready() for actor in engine.handles)
    seconds = time.perf_counter() - start
    tell({"seconds": seconds, "ready": ready, "down": engine.bytes_down, "up": engine.bytes_up})
    return ready == workers - 1

tell("ready")
for line in sys.stdin:
    if line.strip() == "until rejoined":
        while step():
            time.sleep(0.02)
        while not step():
            time.sleep(0.02)
        line = "5"
    for _ in range(int(line)):
        step()
    tell("done")
resynchronised = engine.exchange.resynchronised if exchange == "scalars" else 0
tell({"generations": count, "resynchronised": resynchronised, "bits": [leaf.hex() for leaf in bits(state)]})
engine.close()
"""


class Machines:
    """A head without a core for actors, and nodes with one each."""

    def __init__(self, network, nodes):
        self._ray = Path(sys.executable).with_name("ray")
        self._network = network
        self.head, self.nodes = network.machine(), []
        self._start(self.head, "--head", "--port", PORT, "--num-cpus", 0, "--include-dashboard", "false")
        for _ in range(nodes):
            self.add()

    @property
    def address(self):
        return f"{self.head.address}:{PORT}"

    def add(self):
        """One more node."""
        self.nodes.append(self._network.machine())
        self._start(self.nodes[-1], "--address", self.address, "--num-cpus", 1)

    def _start(self, machine, *words):
        own = ("--node-ip-address", machine.address, "--object-store-memory", 200_000_000, "--disable-usage-stats")
        machine.run(self._ray, "start", *words, *own, env=os.environ | QUICK)


class Training:
    """Generations on the head and on actors of the nodes, a block at a time."""

    def __init__(self, machines, settings, exchange, deadline):
        folders = [str(Path(nograd.__file__).parent.parent), str(Path(__file__).parent)]
        words = json.dumps([settings, machines.address, exchange, 1 + len(machines.nodes), deadline])
        self._process = machines.head.start(
            sys.executable,
            "-c",
            DRIVER,
            words,
            env=os.environ | QUICK | {"PYTHONPATH": os.pathsep.join(folders)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.told() == "ready"

    def ask(self, block):
        """Begins a number of generations, or those "until rejoined"."""
        self._process.stdin.write(f"{block}\n")
        self._process.stdin.flush()

    def told(self):
        """The next thing it says."""
        line = self._process.stdout.readline()
        assert line, "the training ended with an error; see stderr"
        return json.loads(line)

    def run(self, block):
        """What a block of generations tells, one by one."""
        self.ask(block)
        yield from iter(self.told, "done")

    def end(self):
        """Its last words, with the bits of the state."""
        self._process.stdin.close()
        last = self.told()
        self._process.stdout.close()
        assert self._process.wait(30) == 0
        return last
