"""Time of a generation and of a call of `ng.minimize` for a function of JAX at 20 dimensions, beside pycma.

    pip install cma
    python benchmarks/minimize.py

One process, the ellipsoid, CMA-ES with the default population of 12; medians of five searches, without compilation.
Last figures: docs/benchmarks/minimize.md.
"""

import statistics
import time

import cma
import jax.numpy as jnp
import numpy as np

import nograd as ng

DIMENSION = 20
SCALES = 1e6 ** np.linspace(0, 1, DIMENSION)
START = np.full(DIMENSION, 3.0)


def ours(seed: int) -> tuple[float, float]:
    """Seconds of a generation, and of a call."""
    given = {"sigma": 2.0, "bounds": (-5, 5), "generations": 4000, "tolfun": None, "tolx": None, "workers": 1}
    found = ng.minimize(lambda x: jnp.sum(SCALES * x**2), START, jit=True, seed=seed, **given)
    return found.seconds / found.nit, found.seconds / found.nfev


def pycma(seed: int) -> float:
    """Seconds of a call; the function itself is NumPy's and takes a few microseconds."""
    start = time.perf_counter()
    given = {"maxfevals": 20_000, "verbose": -9, "seed": seed}
    found = cma.fmin(lambda x: float(np.sum(SCALES * x**2)), START, 2.0, given)
    return (time.perf_counter() - start) / found[3]


def main() -> None:
    """Prints the medians."""
    generations, calls, others = [], [], []
    for seed in range(1, 6):
        generation, call = ours(seed)
        generations.append(generation)
        calls.append(call)
        others.append(pycma(seed))
    generation, call, other = map(statistics.median, (generations, calls, others))
    print(f"nograd: {1e3 * generation:.2f} ms a generation, {1e6 * call:.0f} µs a call")
    print(f"pycma: {1e6 * other:.0f} µs a call")


if __name__ == "__main__":
    main()
