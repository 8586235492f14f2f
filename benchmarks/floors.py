"""The floor of a generation, by what it is made of: products, elementwise work, random numbers, the update.

    NPROC=1 python benchmarks/floors.py                # node-fast, node, eggroll

Work is counted from the recipe's shapes; what a unit of it costs is measured here, in the same minute, on arrays of
the size of a tile: the rate of large matrix products, of the same products at the shapes that the recipe has, of one
pass of relu(a + σ·b), of a log-softmax, of random signs, and of Adam. The floor is products at the best rate plus one
pass over every hidden unit of every member; the rest of the table says where the gap lies.
"""

import argparse
import time
from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import optax

from nograd.config.recipes import base_config
from nograd.config.settings import TrainConfig
from nograd.engines.inline import Inline
from nograd.perturbations.directions import frame
from nograd.tasks.kinds import load_source
from nograd.training.job import build_job
from scaling import seconds_of

TILE = 1 << 19  # elements: 2 MB
seconds = partial(seconds_of, repeats=30)


def normal(*shape: int) -> jax.Array:
    return jax.random.normal(jax.random.key(len(shape)), shape)


def product_rate(rows: int, inner: int, columns: int) -> float:
    """FLOP/s of [rows, inner] @ [inner, columns]."""
    return 2 * rows * inner * columns / seconds(jnp.matmul, normal(rows, inner), normal(inner, columns))


def counts(config: TrainConfig, hidden: int) -> dict[str, float]:
    """FLOP of products and elements of passes in one generation of a network 784, hidden, 10."""
    batch, first, last = config.batch, 784 * hidden, hidden * 10
    members = batch * config.directions * 2  # evaluations: each member on each of its examples
    if config.perturbation == "node":
        # Forward: the first layer once an example, and once more without noise; transposes: as much again.
        wide, narrow = 2 * batch * first * 3, 2 * (members * last * 2 + batch * last)
        words = batch * (hidden + 10)  # signs of the frames, an orthogonal frame an example
    else:
        groups = batch // config.group
        wide = 2 * batch * first + 2 * batch * 784 + 2 * groups * first  # x W, x a, and the update Σ a bᵀ
        narrow = 2 * members * (last + hidden)
        words = groups * (784 + 2 * hidden + 10)
    return {"wide": wide, "narrow": narrow, "hidden": members * hidden, "outputs": members * 10, "signs": words}


def table(preset: str, data_dir: str | None) -> list[tuple[str, float, str]]:
    """(part, milliseconds, how) of one recipe; the measured generation first."""
    config = replace(base_config(TrainConfig(preset=preset)), data_dir=data_dir)
    hidden = int(config.model.partition(":")[2])
    job = build_job(config, load_source(config))
    state = job.init_state()
    engine = Inline(job.generation, state, job.keys)
    times = []
    for _ in range(60):
        start = time.perf_counter()
        state, _ = engine.step(state)
        times.append(time.perf_counter() - start)
    work, rows = counts(config, hidden), TILE // hidden
    peak = product_rate(1024, 1024, 1024)
    narrow = product_rate(rows, hidden, 10)
    h, noise = normal(rows, hidden), normal(rows, hidden)
    hidden_pass = seconds(lambda a, b: jax.nn.relu(a + 0.05 * b), h, noise) / h.size
    out = normal(TILE // 10, 10)
    softmax = seconds(lambda a: jax.nn.log_softmax(a)[:, 0], out) / out.size
    units = max(TILE // (config.directions * hidden), 1)
    drawn = seconds(
        lambda key: frame("rademacher", key, 0, 0, units, config.directions, (hidden,)).all(), jax.random.key(0)
    ) / (units * config.directions * hidden)
    optimizer = optax.adam(1e-3)
    inner = optimizer.init(state.params)
    update = seconds(lambda p, s: optax.apply_updates(p, optimizer.update(p, s, p)[0]), state.params, inner)
    ms = 1e3
    return [
        ("measured", min(times) * ms, f"fastest of 60; median {sorted(times)[30] * ms:.2f}"),
        ("floor", (work["wide"] + work["narrow"]) / peak * ms + work["hidden"] * hidden_pass * ms, "the next two"),
        ("products", (work["wide"] + work["narrow"]) / peak * ms, f"at the peak, {peak / 1e9:.0f} GFLOP/s"),
        ("hidden units", work["hidden"] * hidden_pass * ms, f"one pass, {hidden_pass * 1e9:.2f} ns each"),
        ("narrow products", work["narrow"] / narrow * ms, f"at their own shape, {narrow / 1e9:.0f} GFLOP/s"),
        ("log-softmax", work["outputs"] * softmax * ms, f"{softmax * 1e9:.2f} ns an output"),
        ("frames of signs", work["hidden"] / 2 * drawn * ms, f"{drawn * 1e9:.2f} ns a hidden unit and direction"),
        ("Adam", update * ms, f"{sum(leaf.size for leaf in jax.tree.leaves(state.params)):,} parameters"),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--presets", nargs="+", default=["node-fast", "node", "eggroll"])
    parser.add_argument("--data-dir")
    arguments = parser.parse_args()
    for preset in arguments.presets:
        print(f"\n{preset}\n| part | ms | |\n| --- | --- | --- |")
        for part, milliseconds, how in table(preset, arguments.data_dir):
            print(f"| {part} | {milliseconds:.2f} | {how} |")


if __name__ == "__main__":
    main()
