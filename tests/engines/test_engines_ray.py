"""The Ray engine on a real cluster of three nodes of this machine: the bits of the inline engine, whatever happens."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pytest
from generations import DENSE, KINDS, after, inline, job_of
from processes import alive, descendants_of, needs_proc

import nograd as ng
from nograd.core.types import ConfigError
from nograd.engines.create import make_engine
from nograd.engines.ray import ray_engine
from nograd.engines.server import checksum

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def cluster():
    """A head with one core and two more nodes, each with its own Ray processes."""
    ray = pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    made.nodes = [made.add_node(num_cpus=1), made.add_node(num_cpus=1)]
    yield made
    ray.shutdown()
    made.shutdown()


def engine_of(job, cluster, workers="3", exchange="sums"):
    made = ray_engine(job.generation, job.state_shapes(), job.keys, workers, 30.0, cluster.address, exchange)
    made.wait_until_ready(120)
    return made


@pytest.mark.parametrize("exchange", ["sums", "scalars"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_cluster_gives_the_bits_of_one_process(cluster, kind, exchange):
    job = job_of(**KINDS[kind])
    if exchange == "scalars" and job.generation.halves:  # fitness and estimate are one pass
        with pytest.raises(ConfigError, match="--exchange"):
            engine_of(job, cluster, exchange=exchange)
        return
    engine = engine_of(job, cluster, exchange=exchange)
    try:
        assert after(engine, job, 4) == inline(job)
        assert engine.bytes_up > 0 < engine.bytes_down
        if exchange == "scalars":
            assert engine.exchange.resynchronised == 0
    finally:
        engine.close()


def process_of(actor):
    """The process of an actor."""
    import ray

    return ray.get(actor.channel.actor.__ray_call__.remote(lambda self: os.getpid()))


@pytest.mark.parametrize("exchange", ["sums", "scalars"])
def test_a_killed_actor_changes_nothing(cluster, exchange):
    job = job_of(**DENSE)
    engine = engine_of(job, cluster, exchange=exchange)
    try:
        victims = {2: process_of(engine.handles[0]), 4: process_of(engine.handles[1])}

        def kill(generation):
            if generation in victims:
                os.kill(victims[generation], signal.SIGKILL)

        assert after(engine, job, 6, kill) == inline(job, 6)
        engine.wait_until_ready(120)
        assert after(engine, job, 6) == inline(job, 6)
    finally:
        engine.close()


def test_a_node_leaves_and_another_joins(cluster):
    job = job_of(**DENSE)
    engine = engine_of(job, cluster)
    try:

        def change(generation):
            if generation == 3:
                cluster.remove_node(cluster.nodes.pop(), allow_graceful=False)
            if generation == 6:
                cluster.nodes.append(cluster.add_node(num_cpus=1))

        assert after(engine, job, 12, change) == inline(job, 12)
        engine.wait_until_ready(120)  # the lost one has found the new node
        assert after(engine, job, 3) == inline(job, 3)
    finally:
        engine.close()


def test_another_state_is_noticed_and_replaced(cluster):
    import pickle

    job = job_of(**DENSE)
    engine = engine_of(job, cluster, exchange="scalars")
    try:

        def disturb(generation):
            if generation == 2:  # as other hardware would: one bit of one parameter
                state = [np.asarray(leaf).copy() for leaf in jax.tree.leaves(job.init_state())]
                (first, *_) = engine.handles
                first.channel.load(first.holds, pickle.dumps(state))

        assert after(engine, job, 6, disturb) == inline(job, 6)
        assert engine.exchange.resynchronised == 1
    finally:
        engine.close()


def test_scalars_take_bytes_by_members_not_by_parameters(cluster):
    taken = {}
    for hidden in (8, 512):
        for population in (64, 512):
            job = job_of(population=population, batch=32, model=f"mlp:{hidden}")
            engine = engine_of(job, cluster, "2", "scalars")
            try:
                after(engine, job, 3)
                taken[hidden, population] = engine.bytes_up + engine.bytes_down
            finally:
                engine.close()
    assert abs(taken[8, 64] - taken[512, 64]) < 16  # the generation's number takes a byte or two
    assert (taken[8, 512] - taken[8, 64]) / (512 - 64) <= 16
    assert taken[8, 64] - 64 * 16 < 1000


def test_checksums_see_one_bit():
    leaves = [np.ones((3, 4), np.float32), np.zeros(5, np.float32)]
    before = checksum(leaves)
    leaves[1][4] = np.float32(1e-45)
    assert checksum(leaves) != before


def test_what_a_cluster_cannot_do_is_said(cluster):
    job = job_of(**KINDS["node"])
    made = lambda *words: make_engine(job.generation, job.state_shapes(), job.keys, "ray", "2", 30.0, *words)  # noqa: E731
    with pytest.raises(ConfigError, match="--shaping centered_rank"):
        made(cluster.address, "scalars")


@needs_proc
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_cluster_of_this_machine_ends_with_the_run(tmp_path, number):
    """kill −9 and Ctrl-C: no process of Ray remains, no shared memory, and the run goes on."""
    out, memory = tmp_path / "run", Path("/dev/shm")
    before = set(memory.iterdir())
    command = [sys.executable, "-m", "nograd", "train", "digits", "--model", "mlp:8", "--population", "32"]
    command += ["--checkpoint-every", "50", "--generations", "1000000", "--engine", "ray", "--workers", "2"]
    parent = subprocess.Popen([*command, "--out", out], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    end = time.monotonic() + 90
    while not shared(out) and time.monotonic() < end:
        time.sleep(0.2)
    started = descendants_of(parent.pid)
    assert len(started) >= 5
    parent.send_signal(number)
    parent.wait(20)
    end = time.monotonic() + 5
    while any(map(alive, started)) and time.monotonic() < end:
        time.sleep(0.1)
    assert not [Path(f"/proc/{process}/cmdline").read_text() for process in started if alive(process)]
    assert set(memory.iterdir()) <= before
    assert ng.train(resume=out, generations=1, workers="1").result["generations"] > 1


def shared(out):
    """Whether a generation has gone to another worker, and a checkpoint to the disk."""
    text = (out / "metrics.jsonl").read_text() if (out / "metrics.jsonl").exists() else ""
    return re.search(r'"bytes_down": [1-9]', text) and list(out.glob("checkpoints/generation-*"))
