"""Policies with memory for tests: module:function words that worker processes import."""

import jax
import jax.numpy as jnp

from nograd.models import Model


def counting(by=1.0):
    """Its only output is the number of steps that it has carried through, times `by`; its parameters do nothing."""

    def apply(params, carry, x):
        outputs = by * carry["steps"][:, None] + 0.0 * (x @ params["kernel"])
        return outputs, {"steps": carry["steps"] + 1.0}

    return Model(lambda key: {"kernel": jnp.zeros((2, 1))}, apply, initial_carry=lambda: {"steps": jnp.zeros(())})


def hundredths():
    return counting(0.01)


def summing():
    """Sums what it has seen, weighed by its parameters."""

    def apply(params, carry, x):
        after = carry + x @ params["kernel"]
        return jnp.tanh(after), after

    def init(key):
        return {"kernel": 0.1 * jax.random.normal(key, (3, 1))}

    return Model(init, apply, initial_carry=lambda: jnp.zeros(1))
