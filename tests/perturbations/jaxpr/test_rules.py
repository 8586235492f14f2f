"""The table of rules: each primitive is really linear in the operands that it names, and in no other."""

import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from nograd.models.straight_through import straight_through
from nograd.perturbations.jaxpr.flatten import flat_jaxpr
from nograd.perturbations.jaxpr.rules import RULES, is_affine, rule_of, slopes_of

W = jnp.arange(12.0).reshape(3, 4) - 5.0
V = jnp.linspace(1.0, 2.0, 12).reshape(3, 4)
KERNEL, IMAGE = jnp.arange(18.0).reshape(2, 1, 3, 3) - 7.0, jnp.linspace(0.0, 1.0, 25).reshape(1, 1, 5, 5)
ROWS = lax.GatherDimensionNumbers((1,), (0,), (0,))

# A function that is one equation of the primitive, and its operands.
EXAMPLES = {
    "add": (lax.add, W, V),
    "broadcast_in_dim": (lambda w: lax.broadcast_in_dim(w, (2, 3, 4), (1, 2)), W),
    "concatenate": (lambda w, v: lax.concatenate([w, v], 0), W, V),
    "conv_general_dilated": (lambda x, k: lax.conv(x, k, (1, 1), "VALID"), IMAGE, KERNEL),
    "convert_element_type": (lambda w: lax.convert_element_type(w, jnp.float16), W),
    "copy": (jnp.array, W),
    "cumsum": (lambda w: lax.cumsum(w, 1), W),
    "div": (lax.div, W, V),
    "dot_general": (lambda w, v: lax.dot_general(w, v, (((1,), (1,)), ((), ()))), W, V),
    "dynamic_slice": (lambda w, i: lax.dynamic_slice(w, (i, i), (2, 2)), W, jnp.int32(1)),
    "dynamic_update_slice": (lambda w, v, i: lax.dynamic_update_slice(w, v, (i, i)), W, V[:2, :2], jnp.int32(1)),
    "expand_dims": None,  # of older versions of JAX, as broadcast_in_dim is now
    "gather": (lambda w, i: lax.gather(w, i, ROWS, (1, 4)), W, jnp.array([[2], [0]])),
    "mul": (lax.mul, W, V),
    "neg": (lax.neg, W),
    "pad": (lambda w, v: lax.pad(w, v, [(1, 0, 0), (0, 2, 0)]), W, V[0, 0]),
    "real": None,  # of complex numbers, which no parameter is
    "reduce_precision": (lambda w: lax.reduce_precision(w, 8, 10), W),
    "reduce_sum": (lambda w: jnp.sum(w, 0), W),
    "reduce_window_sum": (lambda w: lax.reduce_window(w, 0.0, lax.add, (2, 2), (1, 1), "VALID"), W),
    "reshape": (lambda w: lax.reshape(w, (2, 6)), W),
    "rev": (lambda w: lax.rev(w, (0,)), W),
    "select_n": (lambda which, w, v: lax.select_n(which, w, v), W > 0, W, V),
    "slice": (lambda w: lax.slice(w, (0, 1), (3, 3)), W),
    "split": (lambda w: lax.split(w, (1, 3), 1), W),
    "squeeze": (lambda w: lax.squeeze(w, (0,)), W[:1]),
    "sub": (lax.sub, W, V),
    "transpose": (lambda w: lax.transpose(w, (1, 0)), W),
    "add_any": None,  # only of differentiation
    "copy_p": None,  # its name in older versions of JAX
}


def equation_of(name):
    """The example's one equation of this primitive, and a value for each of its operands."""
    function, *operands = EXAMPLES[name]
    (equation,) = [e for e in flat_jaxpr(function, *operands)[0].jaxpr.eqns if e.primitive.name == name]
    left = iter(operands)  # an index may be given twice, and a number may be part of the equation
    values = [atom.val if hasattr(atom, "val") else next(left, operands[-1]) for atom in equation.invars]
    return equation, list(map(jnp.asarray, values))


def subsets(count):
    return [[bool(bits >> at & 1) for at in range(count)] for bits in range(1, 2**count)]


def applied(equation, operands):
    results = equation.primitive.bind(*operands, **equation.params)
    return [np.asarray(r, np.float64) for r in (results if equation.primitive.multiple_results else [results])]


def test_every_primitive_of_the_table_has_an_example():
    assert RULES.keys() == EXAMPLES.keys()


@pytest.mark.parametrize("name", [name for name, example in EXAMPLES.items() if example])
def test_a_rule_is_true_of_its_primitive(name):
    """f(v + su) = f(v) + s·slope wherever the table says affine; elsewhere some s breaks that."""
    equation, operands = equation_of(name)
    floating = [jnp.issubdtype(operand.dtype, jnp.floating) for operand in operands]
    for affine in subsets(len(operands)):
        if any(own and not real for own, real in zip(affine, floating, strict=True)):
            continue
        u = [jnp.cos(jnp.arange(o.size, dtype=jnp.float32)).reshape(o.shape) if a else None
             for o, a in zip(operands, affine, strict=True)]  # fmt: skip
        at = {s: applied(equation, [o if v is None else o + s * v for o, v in zip(operands, u, strict=True)])
              for s in (0.0, 1.0, -2.0)}  # fmt: skip
        straight = all(np.allclose(c - a, -2 * (b - a), atol=2e-2) for a, b, c in zip(*at.values(), strict=True))
        assert is_affine(equation, affine) == straight, affine
        if straight:
            for a, b, slope in zip(at[0.0], at[1.0], slopes_of(equation, u, operands), strict=True):
                np.testing.assert_allclose(b - a, np.asarray(slope, np.float64), atol=2e-2)


def test_a_whole_number_has_no_slope():
    (equation,) = flat_jaxpr(lambda w: lax.convert_element_type(w, jnp.int32), W)[0].jaxpr.eqns
    assert not is_affine(equation, [True])


def test_a_marked_rounding_passes_the_slope():
    (equation,) = flat_jaxpr(straight_through(jnp.round), W)[0].jaxpr.eqns
    assert is_affine(equation, [True])
    assert slopes_of(equation, [V], [W]) == [V]


def test_what_is_not_in_the_table_is_not_linear():
    (equation,) = flat_jaxpr(jnp.tanh, W)[0].jaxpr.eqns
    assert rule_of(equation) is None
    assert not is_affine(equation, [True])
