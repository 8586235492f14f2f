"""Where memory runs out, the line names a setting, and that setting takes less."""

import re
import resource
import sys
from pathlib import Path

import pytest
from generations import job_of

from nograd.core.types import EngineError
from nograd.engines import memory_advice as footprint
from nograd.engines.inline import Inline
from nograd.engines.processes import process_engine

KINDS = {
    "sums": ({"model": "mlp:512,512", "population": 64, "batch": 16}, "--chunks"),
    "batch": ({"model": "mlp:64,64", "population": 8, "batch": 160}, "--batch"),
    "directions": (
        {"perturbation": "lowrank", "model": "mlp:256", "batch": 8, "group": 1, "directions": 16384},
        "--directions",
    ),
    "group": (
        {"perturbation": "lowrank", "model": "mlp:64,64", "batch": 160, "group": 32, "directions": 256},
        "--group",
    ),
    "whole batch": (
        {"perturbation": "lowrank", "model": "mlp:64,64", "batch": 160, "group": 0, "population": 256},
        "--batch",
    ),
    "tile": (
        {"perturbation": "node", "model": "mlp:" + ",".join(["16"] * 24), "batch": 160, "directions": 8},
        "--chunks",
    ),
}


def planned(engine):
    return max(footprint.planned(program) for program in engine.programs.values())


def inline(settings):
    job = job_of(**settings)
    return Inline(job.generation, job.state_shapes(), job.keys)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_the_setting_it_names_takes_less_memory(kind):
    settings, flag = KINDS[kind]
    engine = inline(settings)
    named = re.search(r"use (--\w+) (\d+) in a new run \(", engine.remedy())
    assert named, engine.remedy()
    assert named[1] == flag
    smaller = inline(settings | {flag.removeprefix("--"): int(named[2])})
    assert planned(smaller) < 0.8 * planned(engine)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(resource, "prlimit") or sys.platform != "linux", reason="limits another process")
def test_a_worker_whose_memory_runs_out_names_the_way_on():
    """Really: its address space ends 30 MB above what it has, and its share takes more."""
    job = job_of(perturbation="lowrank", model="mlp:2048,512", batch=160, group=0, population=640)
    engine = process_engine(job.generation, job.state_shapes(), job.keys, 2)
    try:
        engine.wait_until_ready()
        assert planned(engine.here) > 1e8
        process = engine.handles[0].channel._process.pid
        size = int(Path(f"/proc/{process}/statm").read_text().split()[0]) * resource.getpagesize() + 30_000_000
        resource.prlimit(process, resource.RLIMIT_AS, (size, size))
        with pytest.raises(EngineError, match=r"worker 1 ran out of memory: .*RESOURCE_EXHAUSTED") as told:
            engine.step(job.init_state())
    finally:
        engine.close()
    assert "use --workers 1 with --resume, or --batch 80 in a new run" in str(told.value)
    assert "\n" not in str(told.value)
