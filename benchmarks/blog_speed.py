"""Generations a second of the blog's system on one core, against Algorithm 1 written plainly in NumPy.

    python benchmarks/blog_speed.py

NumPy and each kind of noise take turns; a ratio is the median over the rounds. The floor is the FLOPs of the
products over the GEMM rate measured in the same process. NumPy keeps all its threads; nograd has one core.
Needs the MNIST files (NOGRAD_DATA or the cache).
"""

import os

os.environ["NPROC"] = "1"

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import jax
import numpy as np

from nograd.config.recipes import preset
from nograd.config.settings import TrainConfig
from nograd.data import Dataset
from nograd.engines.inline import Inline
from nograd.tasks.kinds import load_source
from nograd.training.job import build_job

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
    parser.add_argument("--rounds", type=int, default=9, help="turns of NumPy and of each kind of noise")
    arguments = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    config = replace(TrainConfig(), **preset("blog").settings)
    dataset = load_source(config)
    plain = Plain(dataset.x_train, dataset.y_train)
    plain.generation()
    steps = {noise: step(replace(config, noise=noise), dataset) for noise in ("gaussian", "rademacher", "table")}
    times: dict[str, list[float]] = {name: [] for name in ("numpy", *steps)}
    rates, busy = [], []
    for _ in range(arguments.rounds):
        os.sched_setaffinity(0, cores)
        wall, cpu = time.perf_counter(), time.process_time()
        times["numpy"].append(seconds(plain.generation, 4))
        busy.append((time.process_time() - cpu) / (time.perf_counter() - wall))
        os.sched_setaffinity(0, cores[-1:])
        rates.append(gemm_rate())
        for noise, run in steps.items():
            times[noise].append(seconds(run, 10))
    report(times, max(rates), statistics.median(busy))


def step(config: TrainConfig, dataset: Dataset) -> Callable[[], object]:
    """One generation of nograd, compiled."""
    job = build_job(config, dataset)
    state = job.init_state()
    engine = Inline(job.generation, state, job.keys)
    engine.step(state)
    return lambda: engine.step(state)


def report(times: dict[str, list[float]], rate: float, busy: float) -> None:
    """The table: medians over the rounds, ratios within each round."""
    floor, numpy = FLOPS / rate, times.pop("numpy")
    print(f"GEMM peak of one core: {rate / 1e9:.0f} GFLOP/s, so at least {floor * 1e3:.0f} ms a generation")
    print(f"numpy       {1 / statistics.median(numpy):5.2f} generations/s, {busy:.1f} cores busy")
    for noise, own in times.items():
        ratios = [theirs / ours for theirs, ours in zip(numpy, own, strict=True)]
        each = statistics.median(own)
        print(
            f"{noise:<11} {1 / each:5.2f} generations/s, {each * 1e3:.0f} ms: {floor / each:.0%} of the GEMM peak; "
            f"{statistics.median(ratios):.1f}x numpy ({min(ratios):.1f} to {max(ratios):.1f})"
        )


if __name__ == "__main__":
    main()
