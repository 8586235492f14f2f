"""A function as a flat list of equations: its jaxpr with every call in the caller's place."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
from jax.extend import core
from jaxtyping import Array

from nograd.core.types import PyTree
from nograd.models.straight_through import STRAIGHT_THROUGH

# Calls whose body may stand in the caller's place: nothing here is differentiated through them.
_CALLS = {
    "checkpoint", "closed_call", "core_call", "custom_jvp_call", "custom_vjp_call", "custom_vjp_call_jaxpr",
    "jit", "pjit", "remat", "remat2",
}  # fmt: skip


def flat_jaxpr(function: Callable[..., PyTree], *arguments: PyTree) -> tuple[core.ClosedJaxpr, PyTree]:
    """The jaxpr of function(*arguments) with every call inlined, and the shape of its result."""
    closed, shape = jax.make_jaxpr(function, return_shape=True)(*arguments)
    return flattened(closed), shape


def flattened(closed: core.ClosedJaxpr) -> core.ClosedJaxpr:
    """The jaxpr with every call inlined, except calls of `straight_through` functions."""
    shapes = [jax.ShapeDtypeStruct(v.aval.shape, v.aval.dtype, weak_type=v.aval.weak_type) for v in closed.jaxpr.invars]
    return jax.make_jaxpr(lambda *args: _inline(closed.jaxpr, closed.consts, args))(*shapes)


def is_straight_through(equation: Any) -> bool:
    """Whether an equation is a call of a function that a model has marked by `straight_through`."""
    return equation.primitive.name in _CALLS and equation.params.get("name") == STRAIGHT_THROUGH


def read(values: dict[Any, Any], atom: Any) -> Any:
    """The value of a variable or literal."""
    return atom.val if isinstance(atom, core.Literal) else values[atom]


def write(values: dict[Any, Any], equation: Any, results: Sequence[Any]) -> None:
    """Sets the equation's results."""
    values.update(zip(equation.outvars, results, strict=True))


def bind(equation: Any, operands: Sequence[Array]) -> list[Array]:
    """The results of the equation for these operands, always as a list."""
    results = equation.primitive.bind(*operands, **equation.params)
    return list(results) if equation.primitive.multiple_results else [results]


def _inline(jaxpr: core.Jaxpr, consts: Sequence[Array], arguments: Sequence[Array]) -> list[Array]:
    """Evaluates a jaxpr and steps into its calls instead of binding them."""
    values = dict(zip([*jaxpr.constvars, *jaxpr.invars], [*consts, *arguments], strict=True))
    for equation in jaxpr.eqns:
        operands = [read(values, atom) for atom in equation.invars]
        body = _body(equation)
        if equation.primitive.name == "stop_gradient":  # perturbations see values, not derivatives
            results = operands
        else:
            results = bind(equation, operands) if body is None else _inline(*body, operands)
        write(values, equation, results)
    return [read(values, atom) for atom in jaxpr.outvars]


def _body(equation: Any) -> tuple[core.Jaxpr, Sequence[Array]] | None:
    """The jaxpr and constants that a call runs; None for any other primitive."""
    if equation.primitive.name not in _CALLS or is_straight_through(equation):
        return None
    body = next(equation.params[n] for n in ("jaxpr", "call_jaxpr", "fun_jaxpr") if n in equation.params)
    return (body.jaxpr, body.consts) if isinstance(body, core.ClosedJaxpr) else (body, ())
