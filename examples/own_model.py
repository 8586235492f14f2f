"""A network that backpropagation cannot train: its hidden units are −1 or +1, and its fitness is the accuracy."""

import tempfile

import jax
import jax.numpy as jnp

import nograd as ng

HIDDEN = 64


def init(key):
    first, second = jax.random.split(key)
    return {
        "hidden": jax.random.normal(first, (64, HIDDEN)) / 8,
        "output": jax.random.normal(second, (HIDDEN, 10)) / 8,
    }


def apply(params, x):
    signs = jnp.sign(x.reshape(len(x), -1) @ params["hidden"])
    return signs @ params["output"]


with tempfile.TemporaryDirectory() as folder:
    run = ng.train(
        "digits",
        model=ng.Model(init, apply),
        fitness="accuracy",
        population=256,
        generations=300,
        out=f"{folder}/signs",
    )
    print(f"test accuracy {run.result['test_accuracy']:.1%} after {run.result['seconds']:.0f} s")
    assert run.result["test_accuracy"] > 0.85
