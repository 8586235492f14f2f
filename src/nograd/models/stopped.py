"""`jax.lax.stop_gradient` for ES: its argument is computed from the mean parameters for every member."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

import jax
from jax.extend import core
from jaxtyping import Array

from nograd.core.types import InterpretError, Params, PyTree
from nograd.models.straight_through import STRAIGHT_THROUGH

# A value at a member's parameters, and at the mean; one and the same object where no member differs.
Two: TypeAlias = tuple[Any, Any]

_CALLS = ("jit", "pjit", "closed_call", "core_call", "checkpoint", "remat", "remat2", "custom_jvp_call",
          "custom_vjp_call", "custom_vjp_call_jaxpr")  # fmt: skip
# Softmax and its like take out the largest value behind a stop_gradient of their own: that changes no result.
_NUMERIC = ("/jax/_src/nn/", "/jax/_src/ops/", "/jax/_src/numpy/", "/jax/_src/scipy/")


def held_at(function: Callable[..., PyTree], mean: Params) -> Callable[..., PyTree]:
    """g(params, *inputs) = function(params, *inputs) with each stop_gradient(h(params)) as h(mean).

    What `jax.grad` takes for a constant is one for members too. A function without stop_gradient is left as it is.

    Raises:
        InterpretError: a stop_gradient inside of a loop reads parameters (when called).
    """

    def held(params: Params, *inputs: PyTree) -> PyTree:
        closed, shape = jax.make_jaxpr(function, return_shape=True)(params, *inputs)
        if not any(_stops(closed.jaxpr)):
            return function(params, *inputs)
        same = [(leaf, leaf) for leaf in jax.tree.leaves(inputs)]
        given = [*zip(jax.tree.leaves(params), jax.tree.leaves(mean), strict=True), *same]
        results = _walk(closed.jaxpr, closed.consts, given)
        return jax.tree.unflatten(jax.tree.structure(shape), [own for own, _ in results])

    return held


def has_stops(function: Callable[..., PyTree], *inputs: PyTree) -> bool:
    """Whether a stop_gradient of the user's stands anywhere in it."""
    return any(_stops(jax.make_jaxpr(function)(*inputs).jaxpr))


def reaching(
    function: Callable[..., PyTree], params: Params, *inputs: PyTree, through_stops: bool = False
) -> list[bool]:
    """Which leaves of the parameters the result depends on, other than through stop_gradient where not asked for."""

    def held(params: Params, mean: Params, *inputs: PyTree) -> PyTree:
        return (function if through_stops else held_at(function, mean))(params, *inputs)

    jaxpr = jax.make_jaxpr(held)(params, params, *inputs).jaxpr
    needed = _needed(jaxpr, jaxpr.outvars)
    return [variable in needed for variable in jaxpr.invars[: len(jax.tree.leaves(params))]]


def _needed(jaxpr: core.Jaxpr, outputs: Sequence[Any]) -> set[Any]:
    """The variables that these outputs depend on."""
    needed = {atom for atom in outputs if not isinstance(atom, core.Literal)}
    for equation in reversed(jaxpr.eqns):
        if not needed.intersection(equation.outvars):
            continue
        read, body = list(equation.invars), body_of(equation)
        if body is not None:  # of a call only what its body reads for these results
            inner = body[0]
            wanted = [own for own, outer in zip(inner.outvars, equation.outvars, strict=True) if outer in needed]
            within = _needed(inner, wanted)
            read = [atom for atom, own in zip(read, inner.invars, strict=True) if own in within]
        needed |= {atom for atom in read if not isinstance(atom, core.Literal)}
    return needed


def _walk(jaxpr: core.Jaxpr, consts: Sequence[Array], given: Sequence[Two]) -> list[Two]:
    """The two values of each output, for a member and for the mean. If both are one object, it is computed once."""
    values: dict[Any, Two] = {v: (const, const) for v, const in zip(jaxpr.constvars, consts, strict=True)}
    values.update(zip(jaxpr.invars, given, strict=True))
    for equation in jaxpr.eqns:
        operands = [(a.val, a.val) if isinstance(a, core.Literal) else values[a] for a in equation.invars]
        values.update(zip(equation.outvars, _results(equation, operands), strict=True))
    return [(a.val, a.val) if isinstance(a, core.Literal) else values[a] for a in jaxpr.outvars]


def _results(equation: Any, operands: Sequence[Two]) -> list[Two]:
    if _is_stop(equation):
        return [(mean, mean) for _, mean in operands]
    own, mean = [list(side) for side in zip(*operands, strict=True)] if operands else ([], [])
    body = body_of(equation)
    if body is not None and equation.primitive.name.startswith("custom_"):  # its derivative is of no use here
        return _walk(*body, operands)
    if all(a is b for a, b in operands):
        results = _bound(equation, own)
        return list(zip(results, results, strict=True))
    if any(_stops_inside(equation)):
        if body is None:
            raise InterpretError(
                f"stop_gradient of what depends on the parameters is inside of a {equation.primitive.name!r}; "
                "move it out of the loop or branch, or keep these parameters out of the first argument"
            )
        return _walk(*body, operands)
    return list(zip(_bound(equation, own), _bound(equation, mean), strict=True))


def _bound(equation: Any, operands: Sequence[Any]) -> list[Any]:
    results = equation.primitive.bind(*operands, **equation.params)
    return list(results) if equation.primitive.multiple_results else [results]


def _is_stop(equation: Any) -> bool:
    """Whether it is a stop_gradient that a user wrote."""
    if equation.primitive.name != "stop_gradient":
        return False
    frames = list(getattr(equation.source_info.traceback, "frames", ()))
    at = next((i for i, frame in enumerate(frames) if frame.function_name == "stop_gradient"), None)
    caller = frames[at + 1].file_name.replace("\\", "/") if at is not None and at + 1 < len(frames) else ""
    return not any(folder in caller for folder in _NUMERIC)


def _stops(jaxpr: core.Jaxpr) -> Iterator[bool]:
    """True for each stop_gradient of a jaxpr, also within its calls and loops."""
    for equation in jaxpr.eqns:
        if _is_stop(equation):
            yield True
        yield from _stops_inside(equation)


def _stops_inside(equation: Any) -> Iterator[bool]:
    if equation.params.get("name") == STRAIGHT_THROUGH:
        return
    for value in equation.params.values():
        for part in value if isinstance(value, tuple | list) else (value,):
            inner = part.jaxpr if isinstance(part, core.ClosedJaxpr) else part
            if isinstance(inner, core.Jaxpr):
                yield from _stops(inner)


def body_of(equation: Any) -> tuple[core.Jaxpr, Sequence[Array]] | None:
    """The jaxpr and constants that a call runs; None for any other primitive."""
    if equation.primitive.name not in _CALLS:
        return None
    body = next(equation.params[n] for n in ("jaxpr", "call_jaxpr", "fun_jaxpr") if n in equation.params)
    return (body.jaxpr, body.consts) if isinstance(body, core.ClosedJaxpr) else (body, ())
