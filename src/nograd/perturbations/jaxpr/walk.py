"""Evaluates a function's jaxpr with node perturbation's noise, the whole of it or only the part before any noise.

It keeps two kinds of values: *data*, and values that are *linear* in the parameters with data as coefficients (xW + b,
a convolution, an embedding, γ ∘ normalised). Where a linear value meets a function that is not linear, it is a layer's
output: noise is added, and it is data from there on.
"""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
from jax.extend import core
from jaxtyping import Array

from nograd.perturbations.jaxpr.flatten import bind, flattened, write
from nograd.perturbations.jaxpr.rules import is_affine, rule_of

# (shape, dtype, the parameter's path or None, the primitive that reads the value, whether it is a first site) -> σξ
AddNoise: TypeAlias = Callable[[tuple[int, ...], Any, str | None, str, bool], Array]


class Value(NamedTuple):
    """What a variable of the jaxpr holds."""

    array: Any
    linear: bool  # in the parameters, with data as coefficients
    constant: bool  # the same for every example
    first: bool = True  # it does not depend on noise
    path: str | None = None  # of the (first) parameter of a linear value


class _UnknownError(Exception):
    """The value follows from noise."""


class Walk:
    """One pass over a flat jaxpr.

    Args:
        closed: the jaxpr.
        arguments: the values of its variables.
        noise: gives σξ for a layer's output.
        known: values of other variables, from `before_noise`: what computes them is passed over.
    """

    def __init__(
        self,
        closed: core.ClosedJaxpr,
        arguments: Sequence[Value],
        noise: AddNoise,
        known: Mapping[Any, Value] | None = None,
    ) -> None:
        self._jaxpr, self._noise = closed.jaxpr, noise
        consts = zip(closed.jaxpr.constvars, closed.consts, strict=True)
        self._values = {variable: Value(const, False, True) for variable, const in consts}
        self._values.update(zip(closed.jaxpr.invars, arguments, strict=True))
        self._values.update(known or {})
        self._noisy: dict[Any, Array] = {}
        self._ended: set[Any] = set()  # outputs that the walk before noise has met, and may not read any more
        self.layers: list[Array] = []  # outputs as they were before their noise

    def run(self) -> list[Array]:
        """The outputs as data."""
        for equation in self._jaxpr.eqns:
            if not _is_known(equation, self._values):
                self._step(equation)
        return [self._data(atom, "the value itself") for atom in self._jaxpr.outvars]

    def before_noise(self) -> dict[Any, Value]:
        """The values that depend on an example but on no noise, by variable."""
        for equation in self._jaxpr.eqns:
            with contextlib.suppress(_UnknownError):
                self._step(equation)
        computed = (variable for equation in self._jaxpr.eqns for variable in equation.outvars)
        found = {variable: self._values[variable] for variable in computed if variable in self._values}
        return {variable: value for variable, value in found.items() if not value.constant}

    def _get(self, atom: Any) -> Value:
        if isinstance(atom, core.Literal):
            return Value(atom.val, False, True)
        if atom not in self._values or atom in self._ended:
            raise _UnknownError
        return self._values[atom]

    def _data(self, atom: Any, reader: str) -> Array:
        """The value of an atom as data. A linear value gets its noise here, once for all its readers."""
        value = self._get(atom)
        if not value.linear:
            return value.array
        if atom not in self._noisy:
            path = value.path if value.constant else None
            if not value.constant:
                self._ended.add(atom)
            drawn = self._noise(value.array.shape, value.array.dtype, path, reader, value.first)
            self.layers.append(value.array)
            # stop_gradient: the transpose of later layers must not reach the parameters before this one.
            self._noisy[atom] = jax.lax.stop_gradient(value.array) + drawn
            if not value.constant:  # a layer's output has its noise for whoever reads it from here on
                self._values[atom] = Value(self._noisy[atom], False, False, False)
                self._ended.remove(atom)
        return self._noisy[atom]

    def _step(self, equation: Any) -> None:
        operands, name = [self._get(atom) for atom in equation.invars], equation.primitive.name
        for at in _coefficients(equation, operands):
            operands[at] = Value(self._data(equation.invars[at], name), False, operands[at].constant, False)
        linear = [operand.linear for operand in operands]
        constant, first = (all(getattr(operand, what) for operand in operands) for what in ("constant", "first"))
        if not any(linear) or is_affine(equation, linear):
            path = next((operand.path for operand in operands if operand.linear), None)
            results = bind(equation, [operand.array for operand in operands])
            write(self._values, equation, [Value(r, any(linear), constant, first, path) for r in results])
            return
        if name == "scan":
            data = [partial(self._data, atom, name) for atom in equation.invars]
            results, found = _scan(equation, operands, data, self._noise)
            self.layers += found
        else:
            results = bind(equation, [self._data(atom, name) for atom in equation.invars])
        write(self._values, equation, [Value(result, False, constant, False) for result in results])


def refuse(*_: Any) -> Array:
    """Stands for the noise in a walk that must end before any noise."""
    raise _UnknownError


def read_later(closed: core.ClosedJaxpr, known: Mapping[Any, Value]) -> list[bool]:
    """Which arguments are read where some values are known already."""
    needed = {atom for atom in closed.jaxpr.outvars if not isinstance(atom, core.Literal)} - known.keys()
    for equation in reversed(closed.jaxpr.eqns):
        if needed.intersection(equation.outvars):
            read = {atom for atom in equation.invars if not isinstance(atom, core.Literal)}
            needed |= read - known.keys()
    return [variable in needed for variable in closed.jaxpr.invars]


def _is_known(equation: Any, values: Mapping[Any, Value]) -> bool:
    return all(variable in values for variable in equation.outvars)


def _coefficients(equation: Any, operands: Sequence[Value]) -> Sequence[int]:
    """Which linear operands of a product or quotient become data, so that it is linear in the one that is left.

    In hW the layer's output h, not the parameter W; of two parameters the smaller one; of two layers' outputs both.
    """
    rule = rule_of(equation)
    if rule is None or len(operands) != 2 or not all(operand.linear for operand in operands):
        return ()
    if not rule.linear.each:  # of a quotient the divisor
        return range(len(operands))[rule.linear.stop :] if rule.linear.stop else ()
    left, right = operands
    if left.constant and right.constant:
        return (0,) if left.array.size <= right.array.size else (1,)
    return [at for at, operand in enumerate(operands) if not operand.constant]


def _scan(
    equation: Any, operands: Sequence[Value], data: Sequence[Callable[[], Array]], noise: AddNoise
) -> tuple[list[Array], list[Array]]:
    """A scan whose body is walked in its turn, with noise of its own at every step; what it carries is data."""
    consts, carries = equation.params["num_consts"], equation.params["num_carry"]
    body, length = flattened(equation.params["jaxpr"]), equation.params["length"]
    carried = range(consts, consts + carries)
    given = [
        (Value(data[i](), False, False) if i in carried else operand)._replace(first=False)
        for i, operand in enumerate(operands)
    ]
    arrays = [value.array for value in given]

    def inside(arrays: Sequence[Array], noise: AddNoise) -> tuple[list[Array], list[Array]]:
        walk = Walk(body, [value._replace(array=a) for value, a in zip(given, arrays, strict=True)], noise)
        return walk.run(), walk.layers

    asked: list[tuple[tuple[int, ...], Any, str | None, str]] = []

    def ask(shape: tuple[int, ...], kind: Any, path: str | None, reader: str, _: bool) -> Array:
        asked.append((shape, kind, path, reader))
        return jnp.zeros(shape, kind)

    rows = [jax.ShapeDtypeStruct(v.aval.shape, v.aval.dtype) for v in body.jaxpr.invars]
    jax.eval_shape(lambda arrays: inside(arrays, ask)[0], rows)
    drawn = [noise((length, *shape), kind, path, reader, False) for shape, kind, path, reader in asked]

    def step(
        carry: list[Array], x: tuple[list[Array], list[Array]]
    ) -> tuple[list[Array], tuple[list[Array], list[Array]]]:
        left = iter(x[1])
        outputs, layers = inside([*arrays[:consts], *carry, *x[0]], lambda *_: next(left))
        return outputs[:carries], (outputs[carries:], layers)

    carry, (stacked, layers) = jax.lax.scan(
        step,
        arrays[consts : consts + carries],
        (arrays[consts + carries :], drawn),
        length=length,
        reverse=equation.params["reverse"],
        unroll=equation.params["unroll"],
    )
    return [*carry, *stacked], layers
