"""Every recipe for MNIST: training seconds to a test accuracy, and the accuracy that it ends with.

    python benchmarks/mnist.py --seeds 0 1 2                     # all of them, about 40 minutes
    python benchmarks/mnist.py --presets node-fast eggroll --seeds 0 1 2 --json race.json
    python benchmarks/mnist.py --presets node --flags "--model cnn --chunks 1"    # flags of nograd train

Each training runs with one process a core (--workers 1: in one process), from the words of the command line. The
clock counts training alone: no start-up, no compilation, and no look at the test images. The test images are looked at
every quarter of a second (later every 3% of the time) to find when an accuracy is reached; the recipes themselves
choose on validation images.
"""

import argparse
import json
import os
import shlex
import statistics
import subprocess
import sys
import time
from pathlib import Path

MARKS = (85, 90, 92, 95, 97, 98, 99)
PRESETS = (
    "node-fast", "node", "mnist", "eggroll", "aligned", "hard-sign", "int8", "spiking", "staircase", "moe-hard",
    "attention-argmax", "blog-node",
)  # fmt: skip


def race(preset: str, seed: int, arguments: argparse.Namespace) -> dict[str, object]:
    """One training, with the test accuracy watched outside of the clock."""
    from dataclasses import replace

    from nograd.cli.flags import parse
    from nograd.config.recipes import base_config
    from nograd.config.settings import TrainConfig
    from nograd.engines.create import make_engine
    from nograd.tasks.kinds import load_source
    from nograd.tasks.supervised import split_figures
    from nograd.training.job import build_job

    base = base_config(TrainConfig(preset=preset))
    config = parse(TrainConfig, shlex.split(arguments.flags), "nograd train", default=base)
    config = replace(config, seed=seed, data_dir=arguments.data_dir)
    job = build_job(config, load_source(config))
    state = job.init_state()
    engine = make_engine(job.generation, state, job.keys, workers=arguments.workers)
    engine.wait_until_ready()
    seconds, generation, reached, accuracy = 0.0, 0, {}, 0.0
    while generation < config.generations and seconds < arguments.limit:
        start = time.perf_counter()
        while generation < config.generations and time.perf_counter() - start < max(0.25, 0.03 * seconds):
            state, _ = engine.step(state)
            generation += 1
        seconds += time.perf_counter() - start
        accuracy = 100 * split_figures(job.task, state.params, "test")["accuracy"]
        for mark in MARKS:
            if accuracy >= mark:
                reached.setdefault(mark, round(seconds, 2))
    engine.close()
    evaluations = engine.generation.evaluations * generation
    return {
        "preset": f"{preset} {arguments.flags}".strip(),
        "seed": seed,
        "accuracy": round(accuracy, 2),
        "seconds": round(seconds, 1),
        "workers": engine.workers,
        "evaluations": evaluations,
        "evaluations_per_second": round(evaluations / seconds),
        "reached": reached,
    }


def in_a_process(preset: str, seed: int, arguments: argparse.Namespace) -> dict[str, object]:
    """The same in a fresh process with a single-threaded XLA, as the command line has it."""
    command = [sys.executable, __file__, "--one", preset, "--seeds", str(seed), "--limit", str(arguments.limit)]
    command += ["--workers", arguments.workers, f"--flags={arguments.flags}"]
    command += ["--data-dir", arguments.data_dir] if arguments.data_dir else []
    environment = {**os.environ, "NPROC": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def table(rows: list[dict[str, object]]) -> str:
    """A Markdown table with the seconds of each seed to each mark."""
    lines = ["| preset | " + " | ".join(f"{mark}%" for mark in MARKS) + " | end | seconds |"]
    lines.append("| --- " * (len(MARKS) + 3) + "|")
    for preset in dict.fromkeys(row["preset"] for row in rows):
        own = [row for row in rows if row["preset"] == preset]
        cells = [preset]
        for mark in MARKS:
            times = [row["reached"].get(mark, row["reached"].get(str(mark))) for row in own]
            cells.append(", ".join("–" if seconds is None else f"{seconds:.1f}" for seconds in times))
        cells.append(", ".join(f"{row['accuracy']:.2f}" for row in own) + "%")
        cells.append(f"{statistics.mean(row['seconds'] for row in own):.0f}")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--presets", nargs="+", default=list(PRESETS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--limit", type=float, default=900.0, help="seconds of training")
    parser.add_argument("--workers", default="auto", help="processes; auto: one a core")
    parser.add_argument("--flags", default="", help="flags of nograd train, on top of each preset")
    parser.add_argument("--data-dir")
    parser.add_argument("--json", help="write the rows here")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(race(arguments.one, arguments.seeds[0], arguments)))
        return
    rows = []
    for preset in arguments.presets:
        for seed in arguments.seeds:
            rows.append(in_a_process(preset, seed, arguments))
            print(json.dumps(rows[-1]), flush=True)
    print(table(rows))
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
