"""Environments in JAX: the return over steps and seconds, and how many steps a second.

    python benchmarks/jaxenvs.py                                           # the preset brax-humanoid
    python benchmarks/jaxenvs.py --env brax/ant --env-options '{"backend": "spring"}' --population 2048 --limit 120
    python benchmarks/jaxenvs.py --speed --populations 512 2048 8192       # steps/s of one generation each

A line every few generations, at once: env steps, seconds of training (compilation apart), the mean return of the
members, the best fitness (the return less the survival bonus), the mean return of the mean parameters, and steps/s
since the line before. Flags of nograd train are laid over the preset. Last figures: docs/benchmarks/environments.md.
"""

import argparse
import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

PRESET = "brax-humanoid"


def job_of(flags: list[str], preset: str) -> Any:
    """The job of the preset with these flags of nograd train over it."""
    from nograd.cli.flags import parse
    from nograd.config.recipes import base_config
    from nograd.config.settings import TrainConfig
    from nograd.config.validate import validate
    from nograd.tasks.kinds import load_source
    from nograd.training.job import build_job

    config = validate(parse(TrainConfig, flags, "nograd train", default=base_config(TrainConfig(preset=preset))))
    return build_job(config, load_source(config))


def say(line: dict[str, Any], as_json: bool) -> None:
    """One line, at once."""
    shown = {name: round(value, 3) if isinstance(value, float) else value for name, value in line.items()}
    print(json.dumps(shown) if as_json else "  ".join(f"{name} {value}" for name, value in shown.items()), flush=True)


def train(job: Any, arguments: argparse.Namespace) -> None:
    """Generations until a limit, and the curve meanwhile."""
    import jax

    from nograd.engines.inline import Inline

    device = jax.devices()[0]
    begun = time.perf_counter()
    engine = Inline(job.generation, job.state_shapes(), job.keys)
    state = job.init_state()
    say(
        {
            "task": job.task.note,
            "device": device.device_kind,
            "population": job.generation.members,
            "chunks": job.generation.plan.chunks,
            "compile_seconds": engine.compile_seconds,
            "setup_seconds": time.perf_counter() - begun,
        },
        arguments.json,
    )
    steps, seconds, before, reached = 0, 0.0, (0, 0.0), {}
    # Compiled beside the first generations: its program is as large as theirs.
    scored = ThreadPoolExecutor(1).submit(job.task.scores, state.params) if arguments.evaluate else None
    for number in range(1, arguments.generations + 1):
        start = time.perf_counter()
        state, outcome = engine.step(state)
        steps += int(outcome.evaluations)
        seconds += time.perf_counter() - start
        length = float(outcome.watched[0])
        mean = float(outcome.info.fitness_mean) + job.task.bonus * length
        for threshold in arguments.thresholds:
            if mean >= threshold and threshold not in reached:
                reached[threshold] = (seconds, steps, number)
        over = seconds > arguments.limit or number == arguments.generations
        if number % arguments.every == 0 or number == 1 or over:
            line = {
                "generation": number,
                "steps": steps,
                "seconds": seconds,
                "mean": mean,
                "best_fitness": float(outcome.info.fitness_max),
                "length": length,
                "steps_per_second": (steps - before[0]) / (seconds - before[1]),
                "estimate_share": 1 - engine.seconds["evaluate"] / seconds,
            }
            due = over or (scored and scored.done() and number % (arguments.every * arguments.evaluate) == 0)
            if scored and due:
                scored.result()
                line |= job.task.scores(state.params)
            say(line, arguments.json)
            before = (steps, seconds)
        if over:
            break
    for threshold, (at, taken, number) in reached.items():
        say({"mean_return": threshold, "seconds": at, "steps": taken, "generation": number}, arguments.json)


def speed(arguments: argparse.Namespace, flags: list[str]) -> None:
    """Steps a second of one generation after another, of several populations."""
    from nograd.engines.inline import Inline

    for population in arguments.populations:
        job = job_of([*flags, "--population", str(population), "--chunks", "1"], arguments.preset)
        engine = Inline(job.generation, job.state_shapes(), job.keys)
        state, _ = engine.step(job.init_state())
        start, steps = time.perf_counter(), 0
        for _ in range(3):
            state, outcome = engine.step(state)
            steps += int(outcome.evaluations)
        taken = time.perf_counter() - start
        line = {"population": population, "compile_seconds": engine.compile_seconds, "steps_per_second": steps / taken}
        say(line, arguments.json)


def main() -> None:
    """The command line."""
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=formatter, allow_abbrev=False)
    parser.add_argument("--env", default="brax/humanoid")
    parser.add_argument("--preset", default=PRESET)
    parser.add_argument("--generations", type=int, default=10**6)
    parser.add_argument("--limit", type=float, default=300.0, help="seconds of training")
    parser.add_argument("--every", type=int, default=5, help="generations between lines")
    parser.add_argument("--evaluate", type=int, default=4, help="lines between evaluations; 0: none")
    parser.add_argument("--thresholds", type=float, nargs="*", default=[1000, 2000, 4000, 6000, 8000, 10000])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--speed", action="store_true")
    parser.add_argument("--populations", type=int, nargs="*", default=[512, 2048, 8192])
    parser.add_argument("--json", action="store_true")
    arguments, flags = parser.parse_known_args()
    flags = [arguments.env, "--seed", str(arguments.seed), *flags]
    from nograd.core.runtime import kept_programs

    os.environ.update({name: value for name, value in kept_programs().items() if name not in os.environ})
    if arguments.speed:
        speed(arguments, flags)
    else:
        train(job_of(flags, arguments.preset), arguments)


if __name__ == "__main__":
    main()
