"""Environments: steps a second against EnvPool alone, and steps and seconds to the scores of Salimans et al. 2017.

    python benchmarks/envs.py speed HalfCheetah-v5 Humanoid-v5     # one core: taskset -c 0
    python benchmarks/envs.py speed CartPole-v1 --flags="--population 4096 --chunks 2"     # flags of nograd train
    python benchmarks/envs.py speed Pong-v5 --rounds 1 --flags="--perturbation lowrank --population 64"
    python benchmarks/envs.py scores --tasks Hopper-v5 Walker2d-v5 --seeds 0 1 2 --budget 40m --out curves/
    python benchmarks/envs.py curves curves/*-0 --out docs/pictures/environments.png

Last figures: docs/benchmarks/environments.md.
"""

import argparse
import json
import shlex
import tempfile
import time
from pathlib import Path

import numpy as np

# Table 1 of the paper: the score that TRPO reached in 5 million steps, and the steps that ES took to it. Of the two
# pendulums only the score is asked for: 1,000 is the most that there is, and version 5 pays the double one otherwise.
TABLE = {
    "HalfCheetah-v5": (2385.79, 2.88e6),
    "Hopper-v5": (3403.46, 3.16e7),
    "Swimmer-v5": (128.25, 1.39e6),
    "Walker2d-v5": (3830.03, 3.79e7),
    "InvertedPendulum-v5": (1000.0, None),
    "InvertedDoublePendulum-v5": (9000.0, None),
}
LANES, STEPS = 32, 300


def alone(task: str) -> float:
    """Steps a second of EnvPool with random actions and one thread, stepped without a policy."""
    import envpool

    pool = envpool.make_gymnasium(task, num_envs=LANES, num_threads=1, seed=0)
    pool.reset()
    actions = np.stack([pool.action_space.sample() for _ in range(LANES)])
    start = time.perf_counter()
    for _ in range(STEPS):
        pool.step(actions)
    return LANES * STEPS / (time.perf_counter() - start)


def trained(task: str, rounds: int, flags: list[str]) -> float:
    """Steps a second of whole generations in this process by the task's recipe: noise, policies, episodes, update."""
    from nograd.cli.flags import parse
    from nograd.config.recipes import base_config
    from nograd.config.settings import TrainConfig
    from nograd.config.validate import validate
    from nograd.engines.inline import Inline
    from nograd.tasks.kinds import load_source
    from nograd.training.job import build_job

    given = parse(TrainConfig, [task, *flags], "nograd train")
    config = validate(parse(TrainConfig, [task, *flags], "nograd train", default=base_config(given)))
    job = build_job(config, load_source(config))
    engine = Inline(job.generation, job.state_shapes(), job.keys)
    state, _ = engine.step(job.init_state())
    steps, start = 0, time.perf_counter()
    for _ in range(rounds):
        state, outcome = engine.step(state)
        steps += int(outcome.evaluations)
    return steps / (time.perf_counter() - start)


def print_speed(tasks: list[str], rounds: int, flags: list[str], turns: int = 3) -> None:
    """Both in turns, and their ratio: the machine's speed drifts."""
    for task in tasks:
        pairs = [(alone(task), trained(task, rounds, flags)) for _ in range(turns)]
        ratios = [ours / theirs for theirs, ours in pairs]
        theirs, ours = np.median(pairs, axis=0)
        print(
            f"{task}: {ours:,.0f} steps/s of {theirs:,.0f} by EnvPool alone, "
            f"{np.median(ratios):.0%} ({min(ratios):.0%} to {max(ratios):.0%})",
            flush=True,
        )


def print_scores(preset: str | None, tasks: list[str], seeds: list[int], budget: str, out: str | None) -> None:
    """Steps and seconds until the score of Table 1 is the mean return of the evaluation's episodes."""
    import nograd as ng

    for task in tasks:
        score, paper = TABLE[task]
        for seed in seeds:
            with tempfile.TemporaryDirectory() as folder:
                kept = Path(out or folder) / f"{task}-{seed}"
                run = ng.train(
                    task, preset=preset, target=score, generations=10**6, budget=budget, seed=seed, workers=1, out=kept
                )
                reached = "reached" if run.result["stop_reason"] == "target" else "not reached"
                print(
                    f"{task} seed {seed}: {score:,.2f} {reached} after {run.result['evaluations']:,} steps"
                    + (f" (paper {paper:,.0f})" if paper else "")
                    + f", {run.result['seconds']:.0f} s; best {run.result['val_return']:,.2f}",
                    flush=True,
                )


def draw_curves(runs: list[str], out: str) -> None:
    """The return of the mean parameters over steps, and over seconds."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4), layout="constrained")
    FigureCanvasAgg(figure)
    for axes, field in zip(figure.subplots(1, 2, sharey=True), ("evaluations", "seconds"), strict=True):
        for run in runs:
            lines = [json.loads(line) for line in (Path(run) / "metrics.jsonl").read_text("utf-8").splitlines()]
            points = [(line[field], line["val_return"]) for line in lines if line.get("val_return") is not None]
            axes.semilogx(*zip(*points, strict=True), label=Path(run).name)
        axes.set_xlabel("steps of the environment" if field == "evaluations" else "seconds of training")
        axes.grid(alpha=0.3)
    axes.legend()
    figure.supylabel("return")
    figure.savefig(out, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    speed = commands.add_parser("speed")
    speed.add_argument("tasks", nargs="+")
    speed.add_argument("--rounds", type=int, default=2, help="generations, after one that is not timed")
    speed.add_argument("--flags", default="", help="flags of nograd train, on top of the task's recipe")
    scores = commands.add_parser("scores")
    scores.add_argument("--preset", help="default: the task's own")
    scores.add_argument("--tasks", nargs="+", choices=[*TABLE], default=["HalfCheetah-v5"])
    scores.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    scores.add_argument("--budget", default="3m")
    scores.add_argument("--out", help="a folder that the runs are kept in")
    curves = commands.add_parser("curves")
    curves.add_argument("runs", nargs="+")
    curves.add_argument("--out", default="curves.png")
    given = parser.parse_args()
    if given.command == "speed":
        print_speed(given.tasks, given.rounds, shlex.split(given.flags))
    elif given.command == "scores":
        print_scores(given.preset, given.tasks, given.seeds, given.budget, given.out)
    else:
        draw_curves(given.runs, given.out)


if __name__ == "__main__":
    main()
