"""The 24 functions of BBOB: which share of the targets is reached after how many calls, beside pycma's BIPOP-CMA-ES.

    pip install ioh cma
    python benchmarks/bbob.py --dimensions 2 5 --instances 3 --calls 1000        # calls a dimension; about 10 minutes
    python benchmarks/bbob.py --dimensions 2 5 10 20 --instances 15 --calls 10000    # everything: some days of one core
    python benchmarks/bbob.py --speed                                            # time a call at 20 dimensions

A target is a distance to the optimal value: 51 of them, from 100 to 1e-8, evenly spaced in their logarithm (Hansen et
al. 2016, arXiv 1603.08785). Both optimizers begin at the same point, drawn in [-4, 4], with sigma 2, restart as BIPOP
does (Hansen 2009) from points drawn in [-5, 5], and stop at the last target. Both have the bounds [-5, 5]: without
them linear functions are solved by going far outside.
`--speed` times functions of JAX beside the same ones in NumPy called by pycma, to the same number of calls.
"""

import argparse
import json
import os
import statistics
import time
import warnings
from pathlib import Path

os.environ.setdefault("NPROC", "1")  # before JAX starts

import numpy as np

TARGETS = 10.0 ** np.linspace(2, -8, 51)
MARKS = (10, 100, 1000, 10_000)  # calls a dimension


class Counted:
    """A function that notes when its best value so far passes each target."""

    def __init__(self, function, optimum, most):
        self.function, self.optimum, self.most = function, optimum, most
        self.calls, self.reached = 0, np.full(len(TARGETS), np.inf)

    def __call__(self, x):
        value = self.function(np.asarray(x, float))
        self.calls += 1
        if self.calls <= self.most:
            self.reached[np.isinf(self.reached) & (value - self.optimum <= TARGETS)] = self.calls
        return value


def problem(number, instance, dimension, most):
    import ioh

    found = ioh.get_problem(number, instance=instance, dimension=dimension, problem_class=ioh.ProblemClass.BBOB)
    return Counted(found, found.optimum.y, most)


def ours(function, start, most, seed):
    import nograd as ng

    ng.minimize(
        function, start, bounds=(-5, 5), sigma=2.0, restarts="bipop", evaluations=most, workers=1, jit=False, seed=seed,
        target=function.optimum + TARGETS[-1],
    )  # fmt: skip


def pycma(function, start, most, seed):
    import cma

    draws = np.random.default_rng(seed + 1)
    given = {"maxfevals": most, "ftarget": function.optimum + TARGETS[-1], "verbose": -9, "seed": seed + 1,
             "bounds": (-5, 5)}  # fmt: skip
    first = [start]  # restarts begin elsewhere
    cma.fmin(
        function, lambda: first.pop() if first else draws.uniform(-5, 5, len(start)), 2.0, given, restarts=9, bipop=True
    )


OPTIMIZERS = {"nograd": ours, "pycma": pycma}


def compare(arguments):
    """A line a dimension and optimizer, and one for each function where the two differ most."""
    rows = []
    for dimension in arguments.dimensions:
        most = arguments.calls * dimension
        for number in arguments.functions:
            for instance in range(1, arguments.instances + 1):
                start = np.random.default_rng([number, instance, dimension]).uniform(-4, 4, dimension)
                for name, optimizer in OPTIMIZERS.items():
                    function, begun = problem(number, instance, dimension, most), time.perf_counter()
                    optimizer(function, start, most, seed=instance)
                    rows.append({"dimension": dimension, "function": number, "instance": instance, "optimizer": name,
                                 "reached": function.reached.tolist(), "calls": function.calls,
                                 "seconds": time.perf_counter() - begun})  # fmt: skip
        table(rows, dimension, arguments)
    if arguments.json:
        arguments.json.write_text(json.dumps(rows))


def table(rows, dimension, arguments):
    """The share of all targets reached after some calls."""
    marks = [mark for mark in MARKS if mark <= arguments.calls]
    print(f"{dimension} dimensions: % of targets after {', '.join(map(str, marks))} calls a dimension; seconds of all")
    shares = {}
    for name in OPTIMIZERS:
        own = [row for row in rows if row["dimension"] == dimension and row["optimizer"] == name]
        reached = np.array([row["reached"] for row in own])
        shares[name] = {mark: 100 * (reached <= mark * dimension).mean() for mark in marks}
        print(f"  {name}: {', '.join(f'{share:.1f}' for share in shares[name].values())}; "
              f"{sum(row['seconds'] for row in own):.0f} s", flush=True)  # fmt: skip
    for number in arguments.functions:
        last = {
            name: 100 * np.mean([np.array(row["reached"]) <= marks[-1] * dimension for row in rows
                                 if (row["dimension"], row["optimizer"], row["function"]) == (dimension, name, number)])
            for name in OPTIMIZERS
        }  # fmt: skip
        if abs(last["nograd"] - last["pycma"]) > 5:
            print(f"    f{number}: {last['nograd']:.0f} beside {last['pycma']:.0f}")


def speed(calls=200_000, dimension=20):
    """Microseconds a call, beside pycma's own with a function of NumPy that costs a few."""
    import cma
    import jax.numpy as jnp

    import nograd as ng

    scales = 1e6 ** np.linspace(0, 1, dimension)
    functions = {
        "ellipsoid": lambda xp: lambda x: xp.sum(scales * x**2),
        "rastrigin": lambda xp: lambda x: 10 * dimension + xp.sum(x**2 - 10 * xp.cos(2 * np.pi * x)),
        "rosenbrock": lambda xp: lambda x: xp.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2),
    }
    for name, make in functions.items():
        start, took = np.full(dimension, 3.0), {"nograd": [], "pycma": []}
        for seed in (1, 2, 3):
            begun = time.perf_counter()
            given = {"bounds": (-5, 5), "sigma": 2.0, "evaluations": calls, "restarts": "bipop", "jit": True}
            found = ng.minimize(make(jnp), start, seed=seed, **given)
            took["nograd"].append(((time.perf_counter() - begun) / found.nfev, found.seconds / found.nfev))
            function, begun = make(np), time.perf_counter()
            result = cma.fmin(
                function, start, 2.0, {"maxfevals": calls, "verbose": -9, "seed": seed}, restarts=9, bipop=True
            )
            took["pycma"].append((time.perf_counter() - begun) / result[3])
        whole, inside = (1e6 * statistics.median(one) for one in zip(*took["nograd"], strict=True))
        print(f"{name}: nograd {whole:.1f} µs a call ({inside:.1f} without compiling), "
              f"pycma {1e6 * statistics.median(took['pycma']):.1f} µs", flush=True)  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dimensions", type=int, nargs="+", default=[2, 5])
    parser.add_argument("--instances", type=int, default=3)
    parser.add_argument("--functions", type=int, nargs="+", default=range(1, 25))
    parser.add_argument("--calls", type=int, default=1000, help="a dimension, at most")
    parser.add_argument("--json", type=Path, help="write every run to this file")
    parser.add_argument("--speed", action="store_true")
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore", module="cma")
    speed() if arguments.speed else compare(arguments)


if __name__ == "__main__":
    main()
