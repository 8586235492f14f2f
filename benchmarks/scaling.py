"""Low-rank populations against plain inference, and how cost grows with population and parameters.

    NPROC=1 python benchmarks/scaling.py --plot docs/pictures/scaling.png     # about 4 minutes
    NPROC=1 python benchmarks/scaling.py --only memory               # 10 million parameters, population 65,536
    python benchmarks/scaling.py --only throughput --networks mlp:128 cnn mlp:9600,9600 --population 65536   # a GPU

throughput: member evaluations per second of a whole generation (noise, evaluation, estimate) of a population, against
the plain batched forward pass of as many examples. population, parameters: seconds of a generation over decades of
each. memory: peak resident memory of one generation with a network of 10 million parameters.
"""

import argparse
import json
import resource
import time
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp

import nograd as ng
from nograd.models.resolve import resolve_model


def seconds_of(function: Callable[..., object], *arguments: object, repeats: int = 5) -> float:
    """The fastest of some calls of the compiled function, in seconds."""
    compiled = jax.jit(function).lower(*arguments).compile()
    jax.block_until_ready(compiled(*arguments))
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        jax.block_until_ready(compiled(*arguments))
        times.append(time.perf_counter() - start)
    return min(times)


def network(spec: str, batch: int) -> tuple[object, object, jax.Array, jax.Array]:
    """(apply, params, x, y) of a built-in network on random images."""
    model = resolve_model(spec)((28, 28), 10)
    x = jax.random.uniform(jax.random.key(1), (batch, 28, 28))
    return model.apply, jax.jit(model.init)(jax.random.key(0)), x, jnp.arange(batch) % 10


def size(spec: str) -> int:
    """The parameters of a built-in network."""
    model = resolve_model(spec)((28, 28), 10)
    return sum(leaf.size for leaf in jax.tree.leaves(jax.eval_shape(model.init, jax.random.key(0))))


def losses(apply: Callable[..., jax.Array]) -> Callable[..., jax.Array]:
    """Cross-entropy per example."""

    def loss(params: object, x: jax.Array, y: jax.Array) -> jax.Array:
        return -jnp.sum(jax.nn.log_softmax(apply(params, x)) * jax.nn.one_hot(y, 10), axis=-1)

    return loss


def generation(spec: str, batch: int, perturbation: object) -> tuple[float, int]:
    """Seconds of one estimate, and the member evaluations in it."""
    apply, params, x, y = network(spec, batch)
    estimate = ng.grad(losses(apply), perturbation)
    seconds = seconds_of(lambda p, x, y, key: estimate(p, x, y, key=key), params, x, y, jax.random.key(2))
    return seconds, batch * perturbation.directions * 2


def throughput(networks: list[str], population: int) -> dict[str, object]:
    """Member evaluations/s of a population as a share of plain inference of the same examples."""
    rows = {}
    half = population // 2
    for spec in networks:
        apply, params, x, _ = network(spec, population)
        plain = population / seconds_of(apply, params, x)
        for label, perturbation, batch in (
            ("a pair an example", ng.lowrank(1, 0.02, directions=1, group=1), half),
            ("8 pairs a group of 8", ng.lowrank(1, 0.02, directions=8, group=8), half),
            ("64 pairs a group of 8", ng.lowrank(1, 0.02, directions=64, group=8), half // 8),
            ("node, 32 directions", ng.node(0.05, directions=32), half // 32),
        ):
            seconds, evaluations = generation(spec, batch, perturbation)
            rows[f"{spec} ({size(spec):,} parameters), {label}"] = {
                "inference_per_second": round(plain),
                "members_per_second": round(evaluations / seconds),
                "share": round(evaluations / seconds / plain, 2),
            }
    return rows


def by_population() -> list[tuple[int, float]]:
    """(population, seconds) over four decades, mlp:128, whole batches of 32."""
    populations = [64 * 4**i for i in range(7)]
    one_batch = lambda n: ng.lowrank(1, 0.02, directions=n // 2, group=0)  # noqa: E731
    return [(n, generation("mlp:128", 32, one_batch(n))[0]) for n in populations]


def by_parameters() -> list[tuple[int, float]]:
    """(parameters, seconds) over four decades, population 512 on whole batches of 8."""
    rows = []
    for spec in ("mlp:1", "mlp:13", "mlp:126", "mlp:780,600", "mlp:2000,2000", "mlp:2900,2640"):
        rows.append((size(spec), generation(spec, 8, ng.lowrank(1, 0.02, directions=256, group=0))[0]))
    return rows


def memory() -> dict[str, object]:
    """Peak memory of a generation of 65,536 members of a network of 10 million parameters."""
    spec = "mlp:2900,2640"
    seconds = generation_once(spec, 4, ng.lowrank(1, 0.02, directions=32768, group=0))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {
        "parameters": size(spec),
        "population": 65536,
        "seconds": round(seconds, 1),
        "peak_gigabytes": round(peak, 2),
    }


def generation_once(spec: str, batch: int, perturbation: object) -> float:
    """Seconds of a single estimate, compiled before."""
    apply, params, x, y = network(spec, batch)
    estimate = ng.grad(losses(apply), perturbation)
    arguments = (params, x, y, jax.random.key(2))
    compiled = jax.jit(lambda p, x, y, key: estimate(p, x, y, key=key)).lower(*arguments).compile()
    start = time.perf_counter()
    jax.block_until_ready(compiled(*arguments))
    return time.perf_counter() - start


def plot(path: str, populations: list[tuple[int, float]], parameters: list[tuple[int, float]]) -> None:
    """Both curves on log axes, with a line of slope 1 through the last point."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4), layout="constrained")
    FigureCanvasAgg(figure)
    for axes, rows, label in zip(figure.subplots(1, 2), (populations, parameters), ("population", "parameters")):  # noqa: B905
        sizes, seconds = zip(*rows, strict=True)
        axes.loglog(sizes, seconds, "o-", label="measured")
        axes.loglog(sizes, [seconds[-1] * size / sizes[-1] for size in sizes], "--", label="linear")
        axes.set_xlabel(label)
        axes.set_ylabel("seconds a generation")
        axes.legend()
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=["throughput", "population", "parameters", "memory"])
    parser.add_argument("--networks", nargs="+", default=["mlp:128", "mlp:1024", "mlp:1024,1024"], help="of throughput")
    parser.add_argument("--population", type=int, default=8192, help="of throughput")
    parser.add_argument("--plot", help="write the picture of both curves here")
    parser.add_argument("--json", help="write the figures here")
    arguments = parser.parse_args()
    measures = {
        "throughput": lambda: throughput(arguments.networks, arguments.population),
        "population": by_population,
        "parameters": by_parameters,
        "memory": memory,
    }
    wanted = [arguments.only] if arguments.only else list(measures)
    figures = {}
    for name in wanted:
        figures[name] = measures[name]()
        print(json.dumps({name: figures[name]}, indent=1), flush=True)
    if arguments.plot:
        plot(arguments.plot, figures["population"], figures["parameters"])
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
