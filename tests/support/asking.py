"""What the tests of strategies share: a landscape for their twins, and laws that hold for any `ask` and `tell`."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nograd.core.types import ConfigError

SIGMA, LR, GENERATIONS, POPULATION, SIZE = 0.5, 0.05, 8, 10, 6
KEY = jax.random.key(11)
CURVATURE = np.random.default_rng(0).normal(size=(SIZE, SIZE))
START = np.random.default_rng(1).normal(size=SIZE)


def fitness_of(theta, xp):
    """Of members [n, size], in NumPy or JAX."""
    return xp.tanh(theta @ CURVATURE).sum(-1) - 0.1 * (theta**2).sum(-1)


def assert_tell_holds_no_members(es):
    """For a strategy with a population of 256."""
    state = es.init({"w": jnp.zeros((100, 199)), "b": jnp.zeros(100)})
    fitness = jax.ShapeDtypeStruct((256,), jnp.float32)
    compiled = jax.jit(lambda state, fitness: es.tell(state, KEY, fitness)).lower(state, fitness).compile()
    # Of 256 × 20,000 floats (20 MB) less than an eighth: the levels of the tree, no array of members.
    assert 0 < compiled.memory_analysis().temp_size_in_bytes < 256 * 20_000 * 4 / 8


def message(function, *arguments, **named):
    """The one line of the ConfigError that a call raises."""
    with pytest.raises(ConfigError) as error:
        function(*arguments, **named)
    assert "\n" not in str(error.value)
    return str(error.value)
