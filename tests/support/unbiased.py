"""The law of every estimate: its mean over many keys is the gradient, within standard errors."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

import nograd as ng

REPEATS = 16  # more noise for one gradient in one call: cheaper than as many calls


def estimates(loss, perturbation, params, inputs, count, seed=0):
    """[count, parameters]: nograd.grad with as many keys, on the inputs REPEATS times over."""
    gradient = ng.grad(loss, perturbation)
    inputs = jax.tree.map(lambda leaf: jnp.concatenate([leaf] * REPEATS), inputs)

    @jax.jit
    def run(params, inputs):
        keys = jax.vmap(lambda i: jax.random.fold_in(jax.random.key(seed), i))(jnp.arange(count))
        return jax.lax.map(lambda key: ravel_pytree(gradient(params, *inputs, key=key))[0], keys)

    return np.asarray(run(params, inputs), np.float64)


def plain_gradient(loss, params, inputs):
    """jax.grad of the mean loss."""
    return jax.jit(jax.grad(lambda p: jnp.mean(loss(p, *inputs))))(params)


def assert_unbiased(loss, perturbation, params, inputs, count=100, gradient=None, seed=0):
    """Every coordinate agrees within 5 standard errors, and so does each leaf's length along the gradient.

    The lengths are the sharp part, and the samples must be many enough for it: a leaf that is missing would be
    seen, and so would 15% of the whole gradient.
    """
    gradient = plain_gradient(loss, params, inputs) if gradient is None else gradient
    samples = estimates(loss, perturbation, params, inputs, count, seed)
    expected = np.asarray(ravel_pytree(gradient)[0], np.float64)
    assert np.all(np.isfinite(samples))
    # Beside the standard errors, what finite differences in float32 leave over.
    tolerance = 5 * samples.std(axis=0) / np.sqrt(count) + 1e-3 * np.abs(expected).max()
    assert np.all(np.abs(samples.mean(axis=0) - expected) < tolerance)
    leaves, start = {"": slice(None)}, 0
    for path, leaf in jax.tree_util.tree_flatten_with_path(gradient)[0]:
        leaves[jax.tree_util.keystr(path)] = slice(start, start := start + leaf.size)
    for name, own in leaves.items():
        length = np.linalg.norm(expected[own])
        if length < 0.1 * np.linalg.norm(expected):
            continue
        along = samples[:, own] @ expected[own] / length**2
        error = along.std() / np.sqrt(count)
        assert abs(along.mean() - 1) < 5 * error + 2e-3, (name, along.mean(), error)
        assert 5 * error < (0.7 if name else 0.15), (name, error)
