"""The members of a low-rank population one by one, with all that they share multiplied out."""

import jax
import jax.numpy as jnp

from nograd.perturbations.directions import Directions
from nograd.perturbations.jaxpr.factors import Factors, multiply_out


def is_noise(node):
    return isinstance(node, Factors | Directions)


def multiplied_out(noise):
    """[units, directions, ...] of every leaf, without any sharing."""

    def leaf(node):
        if isinstance(node, Directions):
            return node.all()
        return jax.vmap(lambda a, b: jax.vmap(lambda b: multiply_out(Factors(a, b)))(b))(node.a, node.b.all())

    return jax.tree.map(leaf, noise, is_leaf=is_noise)


def members(params, dense, sigma, mirrored):
    """[units, directions, signs, ...]: the parameters of every member."""
    signs = jnp.array([sigma, -sigma][: 1 + mirrored])

    def leaf(mean, own):
        signs_last = signs.reshape(-1, *(1,) * mean.ndim)
        return mean + signs_last * own[:, :, None]

    return jax.tree.map(leaf, params, dense)
