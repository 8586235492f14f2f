"""Types of numbers: results of a user's function are brought to float32 or wider before they are used."""

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array


def is_real(kind: Any) -> bool:
    """Whether a dtype is boolean, integer or floating-point, so that its numbers can be compared; false for complex."""
    return jnp.issubdtype(kind, jnp.bool_) or jnp.issubdtype(kind, jnp.integer) or jnp.issubdtype(kind, jnp.floating)


def widened(kind: Any) -> Any:
    """The dtype itself if it is a float of 32 bits or more; float32 for any other."""
    return jnp.promote_types(kind, jnp.float32)


def as_floats(values: Array) -> Array:
    """The values as floats: booleans, integers and half-precision floats as float32 (float16 overflows at 65,504)."""
    return jnp.asarray(values).astype(widened(jnp.result_type(values)))
