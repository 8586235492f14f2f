"""Evaluates a function's jaxpr for all members, and computes values that are the same for all of them only once.

A member evaluates f(θ + sε, x) with s = ±σ. As long as a value depends on the parameters through *affine*
primitives only, it is v + s·u, where v is the same for the whole population and u for both of a mirrored pair:

    x(W + sE) + (b + sβ)  =  (xW + b) + s(xE + β)

So xW + b is computed once a generation and xE + β once a pair. The first primitive that is not affine in the
parameters (an activation, or a product of two values that both depend on them) puts v + s·u together, and
everything after it is computed for each member. The user's function needs no change.

Where E is low-rank (`Factors`) it is never multiplied out: its products are (xA)Bᵀ, and a member's own h meets W
as hW + s(hA)Bᵀ, so that the large product hW is the same matrix for the whole population.
"""

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
from jax.extend import core
from jaxtyping import Array

from nograd.core.trees import shown_names
from nograd.core.types import InterpretError, Params, PyTree
from nograd.perturbations.jaxpr.factors import Factors
from nograd.perturbations.jaxpr.flatten import bind, flat_jaxpr, flattened, read, write
from nograd.perturbations.jaxpr.rules import Slope, is_affine, rule_of, slopes_of

Dependence: TypeAlias = Literal["shared", "affine", "member"]
Lifted: TypeAlias = Callable[[Params, Array | float], PyTree]


def lift(function: Callable[..., PyTree], params: Params, *inputs: PyTree) -> Lifted:
    """evaluate(ε, s) = function(params + s·ε, *inputs), with what does not depend on ε and s computed here.

    Args:
        function: any traceable function of (params, *inputs).
        params: the mean θ, a tree of floating-point arrays.
        inputs: arrays that are the same for all members, such as a minibatch.

    Returns:
        `evaluate(noise, scale)`, where `noise` is a tree like `params` whose leaves are arrays or `Factors`, and
        `scale` a scalar. Under `vmap` over `scale` alone, what the two members of a mirrored pair share is
        computed once for both. It raises InterpretError where `Factors` meet a primitive without a rule.
    """
    closed, shape = flat_jaxpr(function, params, *inputs)
    names = shown_names(params)
    kinds: list[Dependence] = ["affine"] * len(names)
    kinds += ["shared"] * len(jax.tree.leaves(inputs))
    walk = _Walk(closed.jaxpr, kinds, names)
    given = dict(zip(closed.jaxpr.invars, jax.tree.leaves((params, inputs)), strict=True))
    means = walk.means(closed.consts, given)

    def evaluate(noise: Params, scale: Array | float) -> PyTree:
        slopes = jax.tree.leaves(noise, is_leaf=lambda leaf: isinstance(leaf, Factors))
        outputs = walk.members(means, dict(zip(closed.jaxpr.invars, slopes, strict=False)), {}, scale)
        return jax.tree.unflatten(jax.tree.structure(shape), outputs)

    return evaluate


class _Member(NamedTuple):
    """What a member's own equations are evaluated with."""

    slopes: dict[Any, Slope]
    means: dict[Any, Array]
    value: Callable[[Any, str], Array]  # (a value of the program, who reads it) -> what it is for the member
    scale: Array | float  # s of θ + sE


class _Walk:
    """A flat jaxpr with the kind of each variable: the same for all members, affine, or a member's own."""

    def __init__(self, jaxpr: core.Jaxpr, kinds: Sequence[Dependence], names: Sequence[str]) -> None:
        """`kinds` and `names` of the jaxpr's inputs; the names (of parameters) serve errors only."""
        self.jaxpr = jaxpr
        self._kinds: dict[Any, Dependence] = dict.fromkeys(jaxpr.constvars, "shared")
        self._kinds.update(zip(jaxpr.invars, kinds, strict=True))
        self._names: dict[Any, str] = dict(zip(jaxpr.invars, names, strict=False))
        for equation in jaxpr.eqns:
            kind = self._of_results(equation)
            self._kinds.update(dict.fromkeys(equation.outvars, kind))
            if kind == "affine":  # its parameter: the first that it comes from
                source = next(self._names.get(v, "") for v in equation.invars if self.kind(v) == "affine")
                self._names.update(dict.fromkeys(equation.outvars, source))

    def kind(self, atom: Any) -> Dependence:
        return "shared" if isinstance(atom, core.Literal) else self._kinds[atom]

    def means(self, consts: Sequence[Array], given: dict[Any, Array]) -> dict[Any, Array]:
        """Every value that is not a member's own, at the mean θ; `given` holds those of the inputs."""
        means = dict(zip(self.jaxpr.constvars, consts, strict=True)) | given
        for equation in self.jaxpr.eqns:
            if self._of_results(equation) != "member":
                write(means, equation, bind(equation, [read(means, atom) for atom in equation.invars]))
        return means

    def members(
        self, means: dict[Any, Array], slopes: dict[Any, Slope], own: dict[Any, Array], scale: Array | float
    ) -> list[Array]:
        """The outputs for the member at this scale; `slopes` and `own` hold those of the inputs and are filled."""

        def value(atom: Any, reader: str) -> Array:
            if self.kind(atom) == "shared":
                return read(means, atom)
            if atom not in own:  # affine and read for the first time: put v + s·u together
                own[atom] = _together(means[atom], self._array(atom, slopes[atom], reader), scale)
            return own[atom]

        for equation in self.jaxpr.eqns:
            kind = self._of_results(equation)  # not of its results: a print has none
            if kind == "affine":
                write(slopes, equation, self._slopes(equation, slopes, means))
            elif kind == "member":
                write(own, equation, self._own(equation, _Member(slopes, means, value, scale)))
        return [value(atom, "the value itself") for atom in self.jaxpr.outvars]

    def _slope(self, atom: Any, slopes: dict[Any, Slope]) -> Slope | None:
        return slopes[atom] if self.kind(atom) == "affine" else None

    def _of_results(self, equation: Any) -> Dependence:
        kinds = [self.kind(atom) for atom in equation.invars]
        if "member" in kinds:
            return "member"
        if "affine" not in kinds:
            return "shared"
        return "affine" if is_affine(equation, [kind == "affine" for kind in kinds]) else "member"

    def _slopes(self, equation: Any, slopes: dict[Any, Slope], means: dict[Any, Array]) -> Sequence[Slope]:
        operands = [self._slope(v, slopes) for v in equation.invars]
        results = slopes_of(equation, operands, [read(means, v) for v in equation.invars])
        if results is None:
            raise self._no_rule(equation.primitive.name, equation.invars, operands)
        return results

    def _own(self, equation: Any, member: _Member) -> list[Array]:
        """The results of an equation that are a member's own."""
        if any(isinstance(self._slope(v, member.slopes), Factors) for v in equation.invars):
            rule = rule_of(equation)
            if rule is not None and rule.linear.each:
                return [self._member_product(equation, member)]
            if equation.primitive.name == "scan":
                return self._scan(equation, member)
        return bind(equation, [member.value(atom, equation.primitive.name) for atom in equation.invars])

    def _member_product(self, equation: Any, member: _Member) -> Array:
        """h(W + sE) = hW + s(hA)Bᵀ."""
        factors = [self._slope(v, member.slopes) for v in equation.invars]
        at = [isinstance(slope, Factors) for slope in factors].index(True)
        reader = equation.primitive.name
        operands = [member.means[v] if own == at else member.value(v, reader) for own, v in enumerate(equation.invars)]
        found = slopes_of(equation, [slope if own == at else None for own, slope in enumerate(factors)], operands)
        if found is None or isinstance(found[0], Factors):
            raise self._no_rule(reader, equation.invars, factors)
        return _together(bind(equation, operands)[0], found[0], member.scale)

    def _scan(self, equation: Any, member: _Member) -> list[Array]:
        """A scan over a body that is walked in its turn; what it carries is the member's own."""
        consts, carries = equation.params["num_consts"], equation.params["num_carry"]
        atoms = equation.invars
        given_slopes = [self._slope(v, member.slopes) for v in atoms]
        structured = [isinstance(slope, Factors) for slope in given_slopes]
        kinds: list[Dependence] = ["affine" if s else "member" for s in structured]
        if any(structured[consts : consts + carries]):
            carried = slice(consts, consts + carries)
            raise self._no_rule("scan (as what it carries)", atoms[carried], given_slopes[carried])
        body = flattened(equation.params["jaxpr"])
        names = [self._names[v] if s else "" for v, s in zip(atoms, structured, strict=True)]
        walk = _Walk(body.jaxpr, kinds, names)
        given = [member.means[v] if s else member.value(v, "scan") for v, s in zip(atoms, structured, strict=True)]
        rows = [slope if s else None for slope, s in zip(given_slopes, structured, strict=True)]

        def step(carry: list[Array], x: tuple[list[Array], list[Any]]) -> tuple[list[Array], list[Array]]:
            arrays, varying = [*given[:consts], *carry, *x[0]], [*rows[: consts + carries], *x[1]]
            varying = [Factors(v, f.b) if isinstance(f, Factors) and not isinstance(v, Factors) else v
                       for v, f in zip(varying, rows, strict=True)]  # fmt: skip
            inner = dict(zip(body.jaxpr.invars, arrays, strict=True))
            affine = {v: a for v, a in inner.items() if walk.kind(v) == "affine"}
            own = {v: a for v, a in inner.items() if walk.kind(v) == "member"}
            means_inside = walk.means(body.consts, affine)
            outputs = walk.members(
                means_inside,
                {v: f for v, f in zip(body.jaxpr.invars, varying, strict=True) if f is not None},
                own,
                member.scale,
            )
            return outputs[:carries], outputs[carries:]

        # Over the layers of a stack: the rows of a belong to the steps, b to all of them.
        varying = [f.a if isinstance(f, Factors) else None for f in rows[consts + carries :]]
        carry, stacked = jax.lax.scan(
            step,
            given[consts : consts + carries],
            (given[consts + carries :], varying),
            length=equation.params["length"],
            reverse=equation.params["reverse"],
            unroll=equation.params["unroll"],
        )
        return [*carry, *stacked]

    def _array(self, atom: Any, slope: Slope, reader: str) -> Array:
        if isinstance(slope, Factors):
            raise self._no_rule(reader, [atom], [slope])
        return slope

    def _no_rule(self, primitive: str, atoms: Sequence[Any], slopes: Sequence[Slope | None]) -> "NoRuleError":
        at = next(i for i, slope in enumerate(slopes) if isinstance(slope, Factors))
        return NoRuleError(primitive, self._names.get(atoms[at], ""))


class NoRuleError(InterpretError):
    """`Factors` of the parameter `path` met a primitive that would need them multiplied out."""

    def __init__(self, primitive: str, path: str) -> None:
        super().__init__(f"no low-rank rule for {primitive!r} on parameter {path!r}")
        self.primitive, self.path = primitive, path


def _together(mean: Array, slope: Array, scale: Array | float) -> Array:
    return mean + jnp.asarray(scale, slope.dtype) * slope
