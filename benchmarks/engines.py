"""What the engines cost beside the work: a generation's overhead, the start, Ray over processes, bytes on the wire.

    python benchmarks/engines.py                       # all; on an idle machine with two cores or more
    python benchmarks/engines.py --only overhead       # or startup, ray, bytes

overhead: two processes, 100,000 parameters. What a shared generation takes beyond the update and the larger share of
each phase (a dense population has two: evaluation and estimate).
startup: from the start of `nograd train digits --workers 2` to the first shared generation, with an empty and with a
filled cache of compiled programs. ray: the blog's preset on two workers, both engines in turns; needs MNIST.
bytes: `--exchange scalars` on two nodes, each in a network namespace of its own, counted at their interfaces with the
headers of all protocols; what Ray says by itself is counted too, as bytes a second. Needs root, on Linux.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("NPROC", "1")  # before JAX starts

from nograd.config.recipes import preset
from nograd.config.settings import TrainConfig
from nograd.engines.create import make_engine
from nograd.engines.crew import Crew
from nograd.engines.pool import Pool
from nograd.engines.processes import process_engine
from nograd.scaling.measure import timed
from nograd.tasks.kinds import load_source
from nograd.training.job import build_job

WORKS = {  # 99,985 parameters on the digits; shares of 8 chunks each
    "dense": {"perturbation": "dense", "population": 64, "batch": 64},
    "node": {"perturbation": "node", "batch": 64, "directions": 8, "shaping": "raw", "chunks": 16},
}


def spread(values: list[float], unit: str, scale: float = 1.0) -> str:
    """Median and range."""
    middle, low, high = (scale * value for value in (statistics.median(values), min(values), max(values)))
    return f"{middle:.3g} {unit} ({low:.3g} to {high:.3g})"


# Overhead ------------------------------------------------------------------------------------------------


def overhead(rounds: int) -> None:
    """A line a kind of perturbation: medians over the generations of a round, then over the rounds."""
    for name, settings in WORKS.items():
        config = replace(TrainConfig(), task="digits", model="mlp:1333", **settings)
        job = build_job(config, load_source(config))
        with closing(process_engine(job.generation, job.state_shapes(), job.keys, 2)) as engine:
            engine.wait_until_ready()
            larger = watch_phases(engine)
            state, found = job.init_state(), []
            for _ in range(rounds):
                turns = []
                for _ in range(100):
                    larger.clear()
                    before, start = dict(engine.seconds), time.perf_counter()
                    state, _ = engine.step(state)
                    wall = time.perf_counter() - start
                    spent = {part: seconds - before[part] for part, seconds in engine.seconds.items()}
                    turns.append((wall, wall - sum(larger) - spent["update"], spent["communicate"]))
                found.append([statistics.median(column) for column in zip(*turns, strict=True)])
            wall, beyond, communicate = ([row[place] for row in found] for place in range(3))
            print(
                f"{name}: a generation {spread(wall, 'ms', 1e3)}; beyond share and update {spread(beyond, 'ms', 1e3)}, "
                f"of it communication {spread(communicate, 'ms', 1e3)}"
            )


PHASE = Crew.phase


def watch_phases(engine: Pool) -> list[float]:
    """A list that gets the seconds of the larger share, by its worker's own clock, of every phase."""
    larger: list[float] = []

    def watched(*what: Any) -> Any:
        own, child = engine.seconds["evaluate"], engine.handles[0].seconds
        done = PHASE(*what)
        larger.append(max(engine.seconds["evaluate"] - own, engine.handles[0].seconds - child))
        return done

    Crew.phase = watched
    return larger


# Start ---------------------------------------------------------------------------------------------------


def startup(rounds: int) -> None:
    """From Enter to the first generation that two workers share: every round has a new cache, used twice."""
    times: dict[str, list[float]] = {"cold": [], "warm": []}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(rounds):
            for kind, seconds in times.items():
                cache = {"JAX_COMPILATION_CACHE_DIR": f"{folder}/cache-{number}"}
                seconds.append(first_shared(Path(folder) / f"{kind}-{number}", cache))
    for kind, seconds in times.items():
        print(f"{kind} cache: {spread(seconds, 's')}")


def first_shared(out: Path, cache: dict[str, str]) -> float:
    """Seconds until metrics.jsonl has a generation in which bytes went to another worker."""
    command = [sys.executable, "-m", "nograd", "train", "digits", "--workers", "2", "--generations", "1000000"]
    start = time.perf_counter()
    process = subprocess.Popen([*command, "--out", str(out)], env=os.environ | cache, stdout=subprocess.DEVNULL)
    try:
        for line in followed(out / "metrics.jsonl", process):
            if json.loads(line)["bytes_down"]:
                return time.perf_counter() - start
    finally:
        process.kill()
        process.wait()
    raise RuntimeError("the training ended before a generation was shared")


def followed(path: Path, process: subprocess.Popen) -> Iterator[str]:
    """The lines of a file as they are written."""
    while not path.exists() and process.poll() is None:
        time.sleep(0.005)
    with path.open() as file:
        rest = ""
        while process.poll() is None:
            rest += file.readline()
            if rest.endswith("\n"):
                yield rest
                rest = ""
            else:
                time.sleep(0.005)


# Ray -----------------------------------------------------------------------------------------------------


def ray(rounds: int) -> None:
    """The same generations by both engines, each on two workers, in turns."""
    config = replace(TrainConfig(), **preset("blog").settings)
    job = build_job(config, load_source(config))
    made = {name: make_engine(job.generation, job.state_shapes(), job.keys, name, "2") for name in ("process", "ray")}
    state, times, where = job.init_state(), {name: [] for name in made}, {}
    try:
        for engine in made.values():
            engine.wait_until_ready()
        digests = set()
        for turn in range(rounds):
            for name in sorted(made, reverse=turn % 2 == 1):
                timing = timed(made[name], state, 20)
                times[name].append(timing.seconds)
                where[name] = timing.where
                digests.add(timing.digest)
    finally:
        for engine in made.values():
            engine.close()
    assert len(digests) == 1, "unequal work"
    ratios = [one / other for one, other in zip(times["ray"], times["process"], strict=True)]
    for name, seconds in times.items():
        parts = ", ".join(f"{part} {1e3 * value:.2f}" for part, value in where[name].items())
        print(f"{name}: {spread(seconds, 'ms', 1e3)} a generation; the last: {parts} ms")
    print(f"ray / process: {spread(ratios, 'times')}")


# Bytes ---------------------------------------------------------------------------------------------------


def wire(generations: int) -> None:
    """A line a size of network: bytes a generation and worker, by our own count and at the interface of a node."""
    sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "support"))
    from machines import Machines, Training
    from network import Network

    print("| parameters | members | 16 a member | counted by nograd | on the wire | of it Ray's own, by the second |")
    print("| --- | --- | --- | --- | --- | --- |")
    with Network() as network:
        machines = Machines(network, nodes=2)
        for width, population in ((312, 64), (312, 640), (996, 64), (3158, 64)):
            settings = {"population": population, "batch": 8, "model": f"mlp:{width},{width}"}
            training = Training(machines, settings, "scalars", 120.0)
            for _ in training.run(3):  # among them the state
                pass
            counts: list[dict[str, float]] = []
            idle = rate(machines, partial(time.sleep, 5))
            busy = rate(machines, lambda: counts.extend(training.run(generations)))  # noqa: B023
            training.end()
            own = sum(line["up"] + line["down"] for line in counts) / generations / len(machines.nodes)
            seconds = sum(line["seconds"] for line in counts) / generations
            parameters = width * width + 9 * width + 3
            print(
                f"| {parameters:,} | {population} | {16 * population:,} | {own:,.0f} | {busy[0] / generations:,.0f} | "
                f"{idle[0] / idle[1] * seconds:,.0f} |"
            )


def rate(machines, work) -> tuple[float, float]:
    """Bytes through the interface of a node, the mean over the nodes, and the seconds, while something is done."""
    before, start = [sum(node.traffic()) for node in machines.nodes], time.perf_counter()
    work()
    seconds = time.perf_counter() - start
    moved = [sum(node.traffic()) - old for node, old in zip(machines.nodes, before, strict=True)]
    return statistics.mean(moved), seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = {"overhead": overhead, "startup": startup, "ray": ray, "bytes": wire}
    parser.add_argument("--only", choices=parts, action="append")
    parser.add_argument("--rounds", type=int, default=7, help="turns of each; generations of each size for bytes")
    arguments = parser.parse_args()
    for name in arguments.only or parts:
        print(f"\n{name}")
        parts[name](arguments.rounds)


if __name__ == "__main__":
    main()
