"""Policies with memory where velocities are hidden, beside networks without: python benchmarks/memory.py [NAME ...].

CartPole shows position and angle alone, Pendulum the angle alone. A network that sees one step cannot know which way
the pole falls; a recurrent one finds the velocities out from the steps before. Same settings, seeds 0 to 2.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import gymnasium
import numpy as np

import nograd as ng

SEEDS = (0, 1, 2)
SETTINGS = {"population": 64, "shaping": "centered_rank", "eval_every": 10}
TASKS = {
    "cartpole": {"sigma": 0.1, "lr": 0.05, "generations": 600, "target": 475.0},
    "pendulum": {"sigma": 0.1, "lr": 0.05, "generations": 300, "target": -250.0, "episodes": 2},
}
MODELS = ("mlp:32", "gru:32", "lstm:32")


def showing(env: gymnasium.Env, places: list[int]) -> gymnasium.Env:
    """The environment with only these numbers of its observations."""
    seen = env.observation_space
    space = gymnasium.spaces.Box(seen.low[places], seen.high[places], dtype=seen.dtype)
    return gymnasium.wrappers.TransformObservation(env, lambda x: np.asarray(x)[places], space)


def cartpole(**options) -> gymnasium.Env:
    """CartPole-v1 without its velocities."""
    return showing(gymnasium.make("CartPole-v1", **options), [0, 2])


def pendulum(**options) -> gymnasium.Env:
    """Pendulum-v1 without its velocity."""
    return showing(gymnasium.make("Pendulum-v1", **options), [0, 1])


def main() -> None:
    """Prints the mean return of 100 fresh episodes after training, by task, model and seed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tasks", nargs="*", default=list(TASKS))
    parser.add_argument("--models", nargs="*", default=MODELS)
    parser.add_argument("--seeds", type=int, nargs="*", default=SEEDS)
    arguments = parser.parse_args()
    for task in arguments.tasks:
        for model in arguments.models:
            for seed in arguments.seeds:
                with tempfile.TemporaryDirectory() as folder:
                    settings = {"workers": 1, "seed": seed, "out": Path(folder) / "run", **SETTINGS, **TASKS[task]}
                    run = ng.train(f"memory:{task}", model=model, **settings)
                    score = run.evaluate(episodes=100)["return"]
                    steps = run.result["evaluations"]
                    print(f"{task} {model} seed {seed}: {score:.1f} after {steps:,} steps", flush=True)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    main()
