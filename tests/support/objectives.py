"""Functions to be minimised, in a module that worker processes can import."""

import math
import os
import random
import signal
import time
from pathlib import Path

import jax.numpy as jnp
import numpy as np

CENTRE = np.array([0.5, -1.0, 2.0])


def bowl(x):
    return float(((x - CENTRE) ** 2).sum())


def many_bowls(x):
    return ((x - CENTRE) ** 2).sum(axis=1)


def traced_bowl(x):
    return jnp.sum((x - CENTRE) ** 2)


def noisy_bowl(x, seed):
    return bowl(x) + random.Random(seed).gauss(0, 0.1)


def holed_bowl(x):
    """Without a value where the first coordinate is high, and infinite where the second is."""
    return math.nan if x[0] > 1 else math.inf if x[1] > 1 else bowl(x)


def signed_bowl(x):
    """Leaves a file for each process that calls it."""
    time.sleep(0.002)
    Path(os.environ["CALLERS"], str(os.getpid())).touch()
    return bowl(x)


def deadly_bowl(x):
    """Kills the worker process that calls it first, of all that are no main process."""
    time.sleep(0.002)
    mark = os.environ["DEADLY"]
    if os.getppid() == int(os.environ["DRIVER"]) and not os.path.exists(mark):  # noqa: PTH110
        open(mark, "w").close()  # noqa: PTH123
        os.kill(os.getpid(), signal.SIGKILL)
    return bowl(x)


def failing(x):
    if np.any(x != 0):
        raise ValueError("no luck\nat all")
    return 0.0


def slow(x):
    if np.any(x != 0):
        time.sleep(60)
    return 0.0


def rastrigin(x):
    """Of many local optima; the lowest is 0 at 0."""
    return float(10 * x.size + (x**2 - 10 * np.cos(2 * np.pi * x)).sum())


def traced_rastrigin(x):
    return 10 * x.size + jnp.sum(x**2 - 10 * jnp.cos(2 * jnp.pi * x))
