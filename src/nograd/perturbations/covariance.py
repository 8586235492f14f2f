"""A search distribution with a full covariance matrix: N(m, F Fᵀ) over all parameters as one vector."""

from typing import NamedTuple

import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float

from nograd.core.types import Params


class Covariance(NamedTuple):
    """In a distribution: a factor F of the covariance matrix. In an estimate: how the matrix should change.

    A member is m + F z, z standard normal. The estimate is Σ v z zᵀ and Σ v over the members, with v = w where a
    member's weight w is not negative, and v = a w n/|z|² where it is: a matrix that moves away from bad steps then
    stays positive whatever their length (active CMA-ES: Hansen 2016, eq. 46; Jastrebski & Arnold 2006).
    """

    factor: Float[Array, "n n"]  # F; Σ v z zᵀ of an estimate
    active: Float[Array, ""]  # a; Σ v of an estimate, without the lengths n/|z|²


def moved(scale: Covariance, noise: Params) -> Params:
    """F z, a tree like z."""
    vector, back = ravel_pytree(noise)
    return back(scale.factor @ vector.astype(scale.factor.dtype))


def outer(scale: Covariance, noise: Params, weight: Float[Array, ""]) -> Covariance:
    """One member's contribution to the estimate: v z zᵀ and v."""
    vector = ravel_pytree(noise)[0].astype(scale.factor.dtype)
    signed = jnp.where(weight < 0, scale.active * weight, weight)
    length = jnp.where(weight < 0, vector.size / jnp.vdot(vector, vector), 1.0)
    return Covariance((signed * length) * jnp.outer(vector, vector), jnp.asarray(signed, scale.active.dtype))


def spread(scale: Covariance) -> Float[Array, ""]:
    """The root mean square of the standard deviations of all coordinates."""
    return jnp.linalg.norm(scale.factor) / scale.factor.shape[0] ** 0.5
