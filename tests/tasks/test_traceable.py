"""Only what JAX can compile without freezing anything is taken for a function of JAX."""

import math
import random
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from nograd.tasks.traceable import is_traceable

DATA, SCALE, MUTABLE = np.ones(3), 2.0, [1.0]


def helper(x):
    return lax.cos(x) * math.pi


def calls_a_clock(x):
    return jnp.sum(x) + time.time()


def around(centre):
    return lambda x: jnp.sum((x - centre) ** 2)


def counting():
    calls = 0

    def count(x):
        nonlocal calls
        calls += 1
        return jnp.sum(x) + calls

    return count


YES = {
    "jitted": jax.jit(lambda x: x),
    "plain": lambda x: jnp.sum(x**2),
    "with constants": lambda x: jnp.sum(x * DATA) * SCALE,
    "with a helper": lambda x: jnp.sum(helper(x)) + sum(range(3)),
    "a closure": around(1.0),
    "a function within": lambda x: jax.lax.map(lambda one: jnp.exp(one), x).sum(),
}
NO = {
    "numpy": lambda x: np.sum(x) + jnp.sum(x),
    "pure python": lambda x: sum(x),
    "random": lambda x: jnp.sum(x) + random.random(),
    "a clock in a helper": lambda x: jnp.sum(x) + calls_a_clock(x),
    "prints": lambda x: print(x) or jnp.sum(x),
    "reads a file": lambda x: jnp.sum(x) + len(open("x").read()),  # noqa: PTH123, SIM115
    "a list": lambda x: jnp.sum(x) * MUTABLE[0],
    "not there": lambda x: jnp.sum(x) + nowhere,  # noqa: F821
    "counts its calls": counting(),
    "an object": type("Model", (), {"__call__": lambda self, x: jnp.sum(x)})(),
    "built in": math.sqrt,
}


@pytest.mark.parametrize("name", YES)
def test_a_function_of_jax_is_one(name):
    assert is_traceable(YES[name])


@pytest.mark.parametrize("name", NO)
def test_whatever_may_change_between_calls_is_none(name):
    assert not is_traceable(NO[name])
