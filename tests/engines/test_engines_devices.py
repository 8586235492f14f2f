"""Chunks dealt to the devices of one process: the bits of one device, for any number of them.

A CPU shows several devices only to a process that asks for them before JAX starts, so the work is done in one.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from generations import job_of

import nograd
from nograd.core.types import ConfigError
from nograd.engines.create import make_engine

KINDS = {
    "dense": {"population": 26, "batch": 32},
    "lowrank": {"perturbation": "lowrank", "group": 2, "batch": 24, "directions": 8, "chunks": 6},
    "node": {"perturbation": "node", "batch": 24, "directions": 8, "shaping": "raw", "chunks": 6},
}
SCRIPT = """
import json, sys
import jax
from generations import after, inline, job_of
from nograd.engines.create import check_engine, make_engine
from nograd.engines.pool import Pool

settings, counts = map(json.loads, sys.argv[1:])
job, equal = job_of(**settings), []
assert len(jax.local_devices()) == 4
assert check_engine(job.generation, "inline", "auto") == 1  # of a CPU's devices one is enough
expected = inline(job, 3)
for count in counts:
    engine = make_engine(job.generation, job.state_shapes(), job.keys, "inline", str(count))
    assert type(engine) is Pool and (engine.kind, engine.workers) == ("device", count)
    engine.wait_until_ready(60)
    equal.append(after(engine, job, 3) == expected and engine.bytes_up > 0 < engine.bytes_down)
    placed = {array.device.id for member in engine.handles for array in member.channel.held.arrays("params")}
    assert placed == set(range(1, count))
    engine.close()
print(json.dumps(equal))
"""


def on_four_devices(script, *arguments, **options):
    """The JSON that a script prints in a process whose CPU shows four devices."""
    folders = [str(Path(nograd.__file__).parent.parent), str(Path(__file__).parent.parent / "support")]
    flags = {"XLA_FLAGS": "--xla_force_host_platform_device_count=4", "PYTHONPATH": os.pathsep.join(folders)}
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        env={**os.environ, **flags},
        capture_output=True,
        text=True,
        timeout=240,
        **options,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    ("kind", "counts"),
    [
        ("dense", [3]),
        *(pytest.param(kind, [2, 3, 4], marks=pytest.mark.slow) for kind in KINDS),
    ],
)
@pytest.mark.slow
def test_any_number_of_devices_gives_the_same_bits(kind, counts):
    assert on_four_devices(SCRIPT, json.dumps(KINDS[kind]), json.dumps(counts)) == [True] * len(counts)


def test_more_workers_than_devices_are_refused():
    job = job_of(**KINDS["dense"])
    with pytest.raises(ConfigError, match=r"--workers cannot be 3 here: JAX finds 1 cpu device.*--engine process"):
        make_engine(job.generation, job.state_shapes(), job.keys, "inline", "3")
