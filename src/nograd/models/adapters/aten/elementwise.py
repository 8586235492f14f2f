"""Operations on one element at a time: activations, arithmetic, comparisons, conversions."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.scipy.special import gammaln
from jaxtyping import Array


def converted(x: Any, dtype: Any = None, **unused: Any) -> Array:
    """x in another type, where one is given; whether it is a copy means nothing here."""
    return jnp.asarray(x) if dtype is None else jnp.asarray(x).astype(dtype)


def _add(x: Any, y: Any, *, alpha: Any = 1) -> Array:
    return jnp.add(x, y if alpha == 1 else y * alpha)


def _sub(x: Any, y: Any, *, alpha: Any = 1) -> Array:
    return jnp.subtract(x, y if alpha == 1 else y * alpha)


def _rsub(x: Any, y: Any, *, alpha: Any = 1) -> Array:
    return _sub(y, x, alpha=alpha)


def _div(x: Any, y: Any, *, rounding_mode: str | None = None) -> Array:
    if rounding_mode == "floor":
        return jnp.floor_divide(x, y)
    quotient = jnp.true_divide(x, y)
    return quotient if rounding_mode is None else jnp.trunc(quotient).astype(jnp.result_type(x, y))


def _pow(x: Any, y: Any) -> Array:
    is_float = jnp.issubdtype(jnp.result_type(x), jnp.floating)
    if is_float and isinstance(y, int | float) and abs(y) < 9 and y == int(y):  # exact for negative x, and cheaper
        return x ** int(y)
    return jnp.power(x, y)


def _clamp(x: Array, low: Any = None, high: Any = None) -> Array:
    low = None if low is None else jnp.asarray(low, x.dtype)
    high = None if high is None else jnp.asarray(high, x.dtype)
    return jnp.clip(x, low, high)


def _gelu(x: Array, *, approximate: str = "none") -> Array:
    return jax.nn.gelu(x, approximate=approximate == "tanh")


def _elu(x: Array, alpha: float = 1, scale: float = 1, input_scale: float = 1) -> Array:
    # Where x is positive the other branch sees 0, which cannot overflow.
    return scale * jnp.where(x > 0, x, alpha * jnp.expm1(jnp.minimum(x, 0) * input_scale))


def _leaky_relu(x: Array, slope: float = 0.01) -> Array:
    return jnp.where(x > 0, x, slope * x)


def _prelu(x: Array, weight: Array) -> Array:
    """A slope for each channel, the second axis, or one for all."""
    if weight.size > 1 and x.ndim > 1:
        weight = weight.reshape(-1, *[1] * (x.ndim - 2))
    return jnp.where(x > 0, x, weight * x)


def _softplus(x: Array, beta: float = 1, threshold: float = 20) -> Array:
    return jnp.where(x * beta > threshold, x, jax.nn.softplus(x * beta) / beta)


def _where(condition: Array, x: Any, y: Any) -> Array:
    return jnp.where(condition, x, y)


def _round(x: Array, *, decimals: int = 0) -> Array:
    return jnp.round(x, decimals)


_UNARY: dict[str, Callable[..., Any]] = {
    "abs": jnp.abs, "acos": jnp.arccos, "acosh": jnp.arccosh, "asin": jnp.arcsin, "asinh": jnp.arcsinh,
    "atan": jnp.arctan, "atanh": jnp.arctanh, "bitwise_not": jnp.bitwise_not, "ceil": jnp.ceil, "cos": jnp.cos,
    "cosh": jnp.cosh, "erf": jax.scipy.special.erf, "exp": jnp.exp, "exp2": jnp.exp2, "expm1": jnp.expm1,
    "floor": jnp.floor, "isfinite": jnp.isfinite, "isinf": jnp.isinf, "isnan": jnp.isnan, "lgamma": gammaln,
    "log": jnp.log, "log10": jnp.log10, "log1p": jnp.log1p, "log2": jnp.log2, "logical_not": jnp.logical_not,
    "neg": jnp.negative, "reciprocal": jnp.reciprocal, "relu": jax.nn.relu, "rsqrt": jax.lax.rsqrt,
    "sigmoid": jax.nn.sigmoid, "sign": jnp.sign, "silu": jax.nn.silu, "sin": jnp.sin, "sinh": jnp.sinh,
    "sqrt": jnp.sqrt, "square": jnp.square, "tan": jnp.tan, "tanh": jnp.tanh, "trunc": jnp.trunc,
}  # fmt: skip
_BINARY: dict[str, Callable[..., Any]] = {
    "atan2": jnp.arctan2, "bitwise_and": jnp.bitwise_and, "bitwise_or": jnp.bitwise_or,
    "bitwise_xor": jnp.bitwise_xor, "eq": jnp.equal, "floor_divide": jnp.floor_divide, "fmod": jnp.fmod,
    "ge": jnp.greater_equal, "gt": jnp.greater, "le": jnp.less_equal, "logical_and": jnp.logical_and,
    "logical_or": jnp.logical_or, "logical_xor": jnp.logical_xor, "lt": jnp.less, "maximum": jnp.maximum,
    "minimum": jnp.minimum, "mul": jnp.multiply, "ne": jnp.not_equal, "remainder": jnp.remainder,
}  # fmt: skip
RULES: dict[str, Callable[..., Any]] = {
    **_UNARY,
    **_BINARY,
    "_to_copy": converted,
    "add": _add,
    "clamp": _clamp,
    "div": _div,
    "elu": _elu,
    "gelu": _gelu,
    "hardtanh": lambda x, low=-1, high=1: _clamp(x, low, high),
    "leaky_relu": _leaky_relu,
    "pow": _pow,
    "prelu": _prelu,
    "round": _round,
    "rsub": _rsub,
    "softplus": _softplus,
    "sub": _sub,
    "where.self": _where,
}
