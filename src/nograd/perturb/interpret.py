"""Walks the jaxpr of a function of the parameters and computes once what all members share.

A member evaluates f(θ + sε, x) with s = ±σ. As long as a value depends on the parameters through *affine*
primitives only, it is v + s·u, where v is the same for the whole population and u for both of a mirrored pair:

    x(W + sE) + (b + sβ)  =  (xW + b) + s(xE + β)

So xW + b is computed once a generation and xE + β once a pair. The first primitive that is not affine in the
parameters (an activation, or a product of two values that both depend on them) puts v + s·u together, and
everything after it is the member's own. The function is not changed and needs no cooperation.
"""

from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeAlias

import jax
import jax.numpy as jnp
from jax.extend import core
from jaxtyping import Array

from nograd.types import Params, PyTree

Kind: TypeAlias = Literal["shared", "affine", "member"]
Lifted: TypeAlias = Callable[[Params, Array | float], PyTree]

# Linear in their one operand.
_LINEAR = {
    "broadcast_in_dim", "copy", "expand_dims", "neg", "reduce_sum", "reshape", "rev", "slice", "squeeze",
    "transpose",
}  # fmt: skip
# Linear in each of their two operands.
_BILINEAR = {"conv_general_dilated", "dot_general", "mul"}
_SUMS = {"add", "add_any", "sub"}
# Calls whose body may stand in the caller's place: nothing here is differentiated through them.
_CALLS = {
    "checkpoint", "closed_call", "core_call", "custom_jvp_call", "custom_vjp_call", "custom_vjp_call_jaxpr",
    "jit", "pjit", "remat", "remat2",
}  # fmt: skip


def lift(function: Callable[..., PyTree], params: Params, *inputs: PyTree) -> Lifted:
    """evaluate(ε, s) = function(params + s·ε, *inputs), with what does not depend on ε and s computed here.

    Args:
        function: any traceable function of (params, *inputs).
        params: the mean θ, a tree of floating-point arrays.
        inputs: what all members share, such as a minibatch.

    Returns:
        `evaluate(noise, scale)`, where `noise` is a tree like `params` and `scale` a scalar. Under `vmap` over
        `scale` alone, what the two members of a mirrored pair share is computed once for both.
    """
    closed, shape = _flat_jaxpr(function, params, *inputs)
    jaxpr, count = closed.jaxpr, len(jax.tree.leaves(params))
    kinds = _classify(jaxpr, count)
    means = dict(zip(jaxpr.invars, jax.tree.leaves((params, inputs)), strict=True))
    means.update(zip(jaxpr.constvars, closed.consts, strict=True))
    for equation in jaxpr.eqns:
        if _kind_of_result(equation, kinds) != "member":
            _write(means, equation, _bind(equation, [_read(means, atom) for atom in equation.invars]))

    def evaluate(noise: Params, scale: Array | float) -> PyTree:
        slopes = dict(zip(jaxpr.invars[:count], jax.tree.leaves(noise), strict=True))
        own: dict[Any, Array] = {}

        def value(atom: Any) -> Array:
            if _kind(kinds, atom) == "shared":
                return _read(means, atom)
            if atom not in own:  # affine and read for the first time: put v + s·u together
                own[atom] = means[atom] + jnp.asarray(scale, slopes[atom].dtype) * slopes[atom]
            return own[atom]

        for equation in jaxpr.eqns:
            kind = _kind_of_result(equation, kinds)  # not of its results: a print has none
            if kind == "affine":
                slopes[equation.outvars[0]] = _slope(equation, slopes, means)
            elif kind == "member":
                _write(own, equation, _bind(equation, [value(atom) for atom in equation.invars]))
        return jax.tree.unflatten(jax.tree.structure(shape), [value(atom) for atom in jaxpr.outvars])

    return evaluate


def _classify(jaxpr: core.Jaxpr, parameters: int) -> dict[Any, Kind]:
    """The kind of each variable: the same for all members, affine in the parameters, or a member's own."""
    kinds: dict[Any, Kind] = dict.fromkeys([*jaxpr.constvars, *jaxpr.invars], "shared")
    kinds.update(dict.fromkeys(jaxpr.invars[:parameters], "affine"))
    for equation in jaxpr.eqns:
        kinds.update(dict.fromkeys(equation.outvars, _kind_of_result(equation, kinds)))
    return kinds


def _kind_of_result(equation: Any, kinds: dict[Any, Kind]) -> Kind:
    operands = [_kind(kinds, atom) for atom in equation.invars]
    name = equation.primitive.name
    if "member" in operands:
        return "member"
    if "affine" not in operands:
        return "shared"
    affine = (
        name in _LINEAR
        or name in _SUMS
        or (name in _BILINEAR and operands.count("affine") == 1)
        or (name == "div" and operands[1] == "shared")
        or (name == "convert_element_type" and jnp.issubdtype(equation.params["new_dtype"], jnp.floating))
    )
    return "affine" if affine else "member"


def _slope(equation: Any, slopes: dict[Any, Array], means: dict[Any, Array]) -> Array:
    """The u of an affine equation's result: the equation applied to the u of its affine operands."""
    has_slope = [not isinstance(atom, core.Literal) and atom in slopes for atom in equation.invars]
    name = equation.primitive.name
    if name in _SUMS and not all(has_slope):  # a shared operand has no u
        # A scalar may meet a whole array here: jnp leaves that broadcast to the primitive.
        slope = jnp.broadcast_to(slopes[equation.invars[has_slope.index(True)]], equation.outvars[0].aval.shape)
        return -slope if name == "sub" and has_slope[1] else slope
    operands = [
        slopes[atom] if affine else _read(means, atom) for atom, affine in zip(equation.invars, has_slope, strict=True)
    ]
    return _bind(equation, operands)[0]


def _flat_jaxpr(function: Callable[..., PyTree], *arguments: PyTree) -> tuple[core.ClosedJaxpr, PyTree]:
    """The jaxpr of function(*arguments) with every call inlined, and the shape of its result."""
    closed, shape = jax.make_jaxpr(function, return_shape=True)(*arguments)
    leaves = jax.tree.leaves(arguments)
    return jax.make_jaxpr(lambda *args: _inline(closed.jaxpr, closed.consts, args))(*leaves), shape


def _inline(jaxpr: core.Jaxpr, consts: Sequence[Array], arguments: Sequence[Array]) -> list[Array]:
    """Evaluates a jaxpr and steps into its calls instead of binding them."""
    values = dict(zip([*jaxpr.constvars, *jaxpr.invars], [*consts, *arguments], strict=True))
    for equation in jaxpr.eqns:
        operands = [_read(values, atom) for atom in equation.invars]
        body = _body(equation)
        results = _bind(equation, operands) if body is None else _inline(*body, operands)
        _write(values, equation, results)
    return [_read(values, atom) for atom in jaxpr.outvars]


def _body(equation: Any) -> tuple[core.Jaxpr, Sequence[Array]] | None:
    """The jaxpr and constants that a call runs; None for any other primitive."""
    if equation.primitive.name not in _CALLS:
        return None
    body = next(equation.params[n] for n in ("jaxpr", "call_jaxpr", "fun_jaxpr") if n in equation.params)
    return (body.jaxpr, body.consts) if isinstance(body, core.ClosedJaxpr) else (body, ())


def _kind(kinds: dict[Any, Kind], atom: Any) -> Kind:
    return "shared" if isinstance(atom, core.Literal) else kinds[atom]


def _read(values: dict[Any, Array], atom: Any) -> Array:
    return atom.val if isinstance(atom, core.Literal) else values[atom]


def _write(values: dict[Any, Array], equation: Any, results: Sequence[Array]) -> None:
    values.update(zip(equation.outvars, results, strict=True))


def _bind(equation: Any, operands: Sequence[Array]) -> list[Array]:
    results = equation.primitive.bind(*operands, **equation.params)
    return list(results) if equation.primitive.multiple_results else [results]
