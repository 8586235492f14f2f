"""Types of numbers: results of a user's function are brought to float32 or wider before they are used."""

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array


def is_real(kind: Any) -> bool:
    """Whether numbers of this type can be compared: booleans, whole numbers and floats, not complex ones."""
    return jnp.issubdtype(kind, jnp.bool_) or jnp.issubdtype(kind, jnp.integer) or jnp.issubdtype(kind, jnp.floating)


def widened(kind: Any) -> Any:
    """The type itself where it is a float of 32 bits or more; float32 for any other."""
    return jnp.promote_types(kind, jnp.float32)


def as_floats(values: Array) -> Array:
    """Booleans, whole numbers and half-precision floats as float32: half floats overflow at 65,504."""
    return jnp.asarray(values).astype(widened(jnp.result_type(values)))
