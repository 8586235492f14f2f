"""Each strategy with its defaults on one task, and sep-CMA-ES beside pycma on three functions.

    python benchmarks/strategies.py                                     # digits, seeds 0 to 4: some minutes
    python benchmarks/strategies.py --task mnist --seeds 0 -- --model mlp:128 --noise table --sigma 0.02
    python benchmarks/strategies.py --functions                         # evaluations to 1e-8, needs pip install cma

What stands after -- goes to every `nograd train`. Runs are made with --workers 1; the accuracy is the same for any.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import get_args

MARK = 0.95  # of validation accuracy


def trained(strategy: str, seed: int, task: str, more: list[str]) -> tuple[float, float, int | None]:
    """Test accuracy, seconds of training, and the generation whose validation accuracy first reached the mark."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        words = [task, "--strategy", strategy, "--seed", str(seed), "--workers", "1", "--out", str(out), *more]
        subprocess.run([sys.executable, "-m", "nograd", "train", *words], check=True, stdout=subprocess.DEVNULL)
        result = json.loads((out / "result.json").read_text())
        lines = map(json.loads, (out / "metrics.jsonl").read_text().splitlines())
        reached = (line["generation"] for line in lines if line.get("val_accuracy", 0) >= MARK)
        return result["test_accuracy"], result["seconds"], next(reached, None)


def print_task(task: str, seeds: list[int], more: list[str]) -> None:
    """A line a strategy."""
    from nograd.config.settings import Strategy

    for strategy in get_args(Strategy):
        scores, seconds, reached = zip(*(trained(strategy, seed, task, more) for seed in seeds), strict=True)
        print(
            f"{strategy:11} test {', '.join(f'{100 * score:.2f}' for score in scores)}%, "
            f"mean {statistics.mean(scores):.2%}; {statistics.median(seconds):.1f} s; "
            f"{MARK:.0%} on validation at generation {', '.join(map(str, reached))}",
            flush=True,
        )


def print_functions(dimensions: list[int], seeds: int = 10, target: float = 1e-8) -> None:
    """Mean evaluations to the target, ours and pycma's with a diagonal matrix and no negative weights."""
    import cma
    import jax
    import jax.numpy as jnp
    import numpy as np

    import nograd as ng

    def ours(function, n, population):
        es = ng.sep_cma_es(population, 0.5)

        def run(key):
            def unfinished(carry):
                return (carry[1] > target) & (carry[0].generation < 100_000)

            def step(carry):
                loss = jax.vmap(function)(es.ask(carry[0], key))
                return es.tell(carry[0], key, -loss)[0], jnp.min(loss)

            return jax.lax.while_loop(unfinished, step, (es.init(jnp.ones(n)), jnp.inf))[0].generation

        keys = jax.random.split(jax.random.key(0), seeds)
        return float(np.mean(jax.jit(lambda keys: jax.lax.map(run, keys))(keys))) * population

    def theirs(function, n, population):
        options = {"popsize": population, "CMA_diagonal": True, "CMA_active": False, "verbose": -9, "ftarget": target}
        runs = [cma.fmin2(function, np.ones(n), 0.5, options | {"seed": seed + 1})[1] for seed in range(seeds)]
        return float(np.mean([run.result.evaluations for run in runs]))

    functions = {
        "sphere": lambda x: (x**2).sum(),
        "ellipsoid": lambda x: (10.0 ** (6 * np.arange(len(x)) / (len(x) - 1)) * x**2).sum(),
        "sum of powers": lambda x: (abs(x) ** (2 + 4 * np.arange(len(x)) / (len(x) - 1))).sum(),
    }
    for name, function in functions.items():
        for n in dimensions:
            population = 4 + int(3 * np.log(n))
            both = ours(function, n, population), theirs(function, n, population)
            print(f"{name:13} n {n:3}, λ {population:2}: {both[0]:7.0f} evaluations, pycma {both[1]:7.0f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--task", default="digits")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--functions", action="store_true")
    parser.add_argument("--dimensions", type=int, nargs="+", default=[10, 40, 160])
    parser.add_argument("more", nargs="*", help="flags of nograd train, after --")
    arguments = parser.parse_args()
    if arguments.functions:
        print_functions(arguments.dimensions)
    else:
        print_task(arguments.task, arguments.seeds, arguments.more)


if __name__ == "__main__":
    main()
