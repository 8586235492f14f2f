"""Generations a second of the blog's system on one core, against Algorithm 1 written plainly in NumPy.

    python benchmarks/blog_speed.py

For each kind of noise: generations/s of nograd and of NumPy measured in turn (the ratio is the median over the
pairs), and the gap to the floor: the products' FLOPs over the GEMM rate measured in the same process. NumPy
keeps all its threads; nograd has one core. Needs the MNIST files (NOGRAD_DATA or the cache).
"""

import os

os.environ["NPROC"] = "1"

import argparse
import statistics
import time
from dataclasses import replace
from functools import partial

import jax
import numpy as np

from nograd.build import build_job, load_data
from nograd.config import TrainConfig, preset
from nograd.engines.inline import Inline

FLOPS = 50 * 128 * 2 * (784 * 784 + 784 * 10)  # members × examples × 2 × multiplications
SIGMA, LR, BATCH, POPULATION = 0.1, 0.001, 128, 50


def seconds(function, repeats: int) -> float:
    """The median time of one call."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def gemm_rate() -> float:
    """FLOP/s of one core for the product of the preset's first layer, and for a large one: the better."""
    rates = []
    for rows, inner, columns in ((128, 784, 784), (2048, 2048, 2048)):
        a, b = (
            jax.random.normal(jax.random.key(0), (rows, inner)),
            jax.random.normal(jax.random.key(1), (inner, columns)),
        )
        product = jax.jit(lambda a, b: a @ b)
        jax.block_until_ready(product(a, b))
        call = partial(lambda product, a, b: jax.block_until_ready(product(a, b)), product, a, b)
        rates += [2 * rows * inner * columns / seconds(call, 10) for _ in range(5)]
    return max(rates)


class Plain:
    """Algorithm 1 of Salimans et al. 2017 in NumPy, as one would write it: draw all, evaluate each, one product."""

    def __init__(self, x: np.ndarray, y: np.ndarray) -> None:
        self.rng = np.random.RandomState(0)
        self.x, self.y = (x.reshape(len(x), -1) / 255).astype(np.float32), np.eye(10, dtype=np.float32)[y]
        shapes = [(784, 784), (784,), (784, 10), (10,)]
        self.sizes, self.shapes = np.cumsum([np.prod(s) for s in shapes])[:-1], shapes
        limits = [np.sqrt(6 / sum(s)) if len(s) == 2 else 0.0 for s in shapes]
        self.w = np.concatenate(
            [self.rng.uniform(-a, a, np.prod(s)) for a, s in zip(limits, shapes, strict=True)]
        ).astype(np.float32)

    def reward(self, w: np.ndarray, x: np.ndarray, y: np.ndarray) -> float:
        w1, b1, w2, b2 = (a.reshape(s) for a, s in zip(np.split(w, self.sizes), self.shapes, strict=True))
        logits = (x @ w1 + b1) @ w2 + b2
        p = np.exp(logits - logits.max(1, keepdims=True))
        p /= p.sum(1, keepdims=True)
        return -float(((y - p) ** 2).sum())

    def generation(self) -> None:
        start = self.rng.randint(len(self.x) - BATCH + 1)
        x, y = self.x[start : start + BATCH], self.y[start : start + BATCH]
        noise = self.rng.randn(POPULATION, self.w.size).astype(np.float32)
        rewards = np.array([self.reward(self.w + SIGMA * e, x, y) for e in noise], np.float32)
        weights = (rewards - rewards.mean()) / rewards.std()
        self.w = self.w + LR / (POPULATION * SIGMA) * (noise.T @ weights)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=5, help="turns of nograd and NumPy for each kind of noise")
    parser.add_argument("--generations", type=int, default=15, help="generations of nograd in a turn")
    arguments = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    config = replace(TrainConfig(), **preset("blog").settings)
    dataset = load_data(config)
    plain = Plain(dataset.x_train, dataset.y_train)
    plain.generation()

    os.sched_setaffinity(0, cores[-1:])
    rate = gemm_rate()
    floor = FLOPS / rate
    print(
        f"GEMM, one core: {rate / 1e9:.0f} GFLOP/s; "
        f"floor of a generation ({FLOPS / 1e9:.2f} GFLOP): {floor * 1e3:.0f} ms"
    )
    for noise in ("gaussian", "rademacher", "table"):
        job = build_job(replace(config, noise=noise), dataset)
        state = job.strategy.init(job.init_params())
        engine = Inline(job.task, job.strategy, state, job.keys)
        engine.step(state)
        ours, theirs, busy = [], [], []
        for _ in range(arguments.pairs):
            os.sched_setaffinity(0, cores[-1:])
            ours.append(seconds(lambda: engine.step(state), arguments.generations))  # noqa: B023
            os.sched_setaffinity(0, cores)
            wall, cpu = time.perf_counter(), time.process_time()
            theirs.append(seconds(plain.generation, 3))
            busy.append((time.process_time() - cpu) / (time.perf_counter() - wall))
        ratios = [t / o for t, o in zip(theirs, ours, strict=True)]
        own = statistics.median(ours)
        print(
            f"{noise:<10} {1 / own:5.2f} generations/s ({own * 1e3:.0f} ms, {floor / own:.0%} of the floor's rate); "
            f"NumPy {1 / statistics.median(theirs):.2f} ({statistics.median(busy):.1f} cores busy); "
            f"ratio {statistics.median(ratios):.1f}x ({min(ratios):.1f} to {max(ratios):.1f})"
        )


if __name__ == "__main__":
    main()
