"""What the population shares is computed once, and what a mirrored pair shares once a pair."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend import core

from nograd.core import chunks
from nograd.models import cnn, mlp
from nograd.perturbations.dense import dense, evaluator
from nograd.perturbations.jaxpr.interpret import lift

BATCH, FEATURES, HIDDEN, CLASSES = 6, 5, 7, 3
X = np.random.default_rng(0).normal(size=(BATCH, FEATURES)).astype(np.float32)
SCALES = jnp.array([0.1, -0.1])
UNITS = 9


def equations(jaxpr, loops=0):
    """All equations of a jaxpr with the number of loops around each."""
    for equation in jaxpr.eqns:
        yield loops, equation
        inside = loops + (equation.primitive.name in ("scan", "while"))
        for parameter in jax.tree.leaves(list(equation.params.values()), is_leaf=is_jaxpr):
            if is_jaxpr(parameter):
                yield from equations(parameter.jaxpr if isinstance(parameter, core.ClosedJaxpr) else parameter, inside)


def is_jaxpr(value):
    return isinstance(value, (core.Jaxpr, core.ClosedJaxpr))


def result_sizes(function, *arguments, primitive="dot_general", contracting=FEATURES):
    """Result sizes of the products over `contracting` features: outside of all loops, and inside of one."""
    sizes = {False: [], True: []}
    for loops, equation in equations(jax.make_jaxpr(function)(*arguments).jaxpr):
        if equation.primitive.name != primitive:
            continue
        if primitive == "dot_general":
            (left, _), _ = equation.params["dimension_numbers"]
            if [equation.invars[0].aval.shape[axis] for axis in left] != [contracting]:
                continue
        sizes[loops > 0].append(equation.outvars[0].aval.size)
    return sizes[False], sizes[True]


def noise_of(params, unit):
    return jax.tree.map(
        lambda leaf: jnp.cos(unit + jnp.arange(leaf.size, dtype=jnp.float32)).reshape(leaf.shape), params
    )


def over_population(function, params, *inputs):
    """[units, 2]: the mirrored pairs, a `vmap` over the signs in a `map` over the units."""
    lifted = lift(function, params, *inputs)

    def pair(unit):
        noise = noise_of(params, unit)
        return jax.vmap(lambda scale: lifted(noise, scale))(SCALES)

    return jax.lax.map(pair, jnp.arange(UNITS))


def network(*hidden, activation=jax.nn.relu):
    model = mlp(*hidden, activation=activation).build((FEATURES,), CLASSES)
    shapes = jax.eval_shape(model.init, jax.random.key(0))
    return model.apply, jax.tree.map(lambda leaf: np.ones(leaf.shape, leaf.dtype), shapes)


@pytest.mark.parametrize("wrap", [lambda f: f, jax.jit, jax.checkpoint], ids=["plain", "jit", "checkpoint"])
def test_first_layer_once_a_generation_and_once_a_pair(wrap):
    apply, params = network(HIDDEN)
    outside, inside = result_sizes(lambda p, x: over_population(wrap(apply), p, x), params, X)
    assert outside == [BATCH * HIDDEN]
    assert inside == [BATCH * HIDDEN]


def test_layers_after_an_activation_are_the_members_own():
    apply, params = network(HIDDEN)
    outside, inside = result_sizes(lambda p, x: over_population(apply, p, x), params, X, contracting=HIDDEN)
    assert outside == []
    assert inside == [2 * BATCH * CLASSES]


def test_densified_has_no_such_sharing():
    """The counter of this file sees the difference that it is there to see."""
    apply, params = network(HIDDEN)

    def densified(params, x):
        def member(unit, scale):
            moved = jax.tree.map(lambda leaf, step: leaf + scale * step, params, noise_of(params, unit))
            return apply(moved, x)

        return jax.lax.map(lambda unit: jax.vmap(lambda scale: member(unit, scale))(SCALES), jnp.arange(UNITS))

    outside, inside = result_sizes(densified, params, X)
    assert outside == []
    assert inside == [2 * BATCH * HIDDEN]


def test_convolution_once_a_generation_and_once_a_pair():
    images = np.ones((2, 8, 8, 1), np.float32)

    def apply(kernel, x):
        convolved = jax.lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
        return jax.nn.relu(convolved).sum(axis=(1, 2, 3))

    outside, inside = result_sizes(
        lambda p, x: over_population(apply, p, x),
        np.ones((3, 3, 1, 4), np.float32),
        images,
        primitive="conv_general_dilated",
    )
    assert outside == [2 * 8 * 8 * 4]
    assert inside == [2 * 8 * 8 * 4]


def test_first_layer_of_the_cnn_is_shared():
    model = cnn().build((8, 8), CLASSES)
    params, images = jax.eval_shape(model.init, jax.random.key(0)), np.ones((2, 8, 8), np.float32)
    outside, inside = result_sizes(lambda p, x: over_population(model.apply, p, x), params, images, contracting=25)
    assert outside == [2 * 8 * 8 * 8]
    assert inside == [2 * 8 * 8 * 8]


def test_embedding_in_a_linear_model_shares_nothing_but_gives_no_extra_product():
    def apply(params, tokens):
        return params["table"][tokens] @ params["w"]

    params = {"table": np.ones((11, FEATURES), np.float32), "w": np.ones((FEATURES, HIDDEN), np.float32)}
    outside, inside = result_sizes(lambda p, t: over_population(apply, p, t), params, np.arange(4))
    assert outside == []
    assert inside == [2 * 4 * HIDDEN]


def test_work_on_the_data_alone_is_done_once():
    def apply(params, x):
        return jnp.sum(jnp.sin(x) @ params)

    outside, inside = result_sizes(
        lambda p, x: over_population(apply, p, x), np.ones((FEATURES, 2), np.float32), X, primitive="sin"
    )
    assert outside == [X.size]
    assert inside == []


@pytest.mark.parametrize("mirrored", [True, False])
def test_generation_shares_the_first_layer(mirrored):
    """The same through `evaluator` and `evaluate_chunks`, as a generation runs them."""
    apply, params = network(HIDDEN)
    perturbation, plan = dense(0.1, "rademacher", mirrored), chunks.plan(40)

    def generation(params, x, key):
        evaluate = evaluator(perturbation, lambda p, x: apply(p, x).sum(), params, x)
        return chunks.evaluate_chunks(plan, lambda unit: evaluate((), jax.random.fold_in(key, unit)))

    outside, inside = result_sizes(generation, params, X, jax.random.key(0))
    assert outside == [BATCH * HIDDEN]
    assert inside == [BATCH * HIDDEN]
    *_, last = result_sizes(generation, params, X, jax.random.key(0), contracting=HIDDEN)
    assert last == [perturbation.members * BATCH * CLASSES]


def test_the_function_is_traced_once_a_lift():
    apply, params = network(HIDDEN)
    traces = []

    def counted(params, x):
        traces.append(None)
        return apply(params, x)

    lifted = lift(counted, params, X)
    for unit in range(3):
        lifted(noise_of(params, unit), 0.1)
    jax.lax.map(lambda unit: jax.vmap(lambda s: lifted(noise_of(params, unit), s))(SCALES), jnp.arange(UNITS))
    assert len(traces) == 1
    jax.jit(lambda p, x: over_population(counted, p, x))(params, X)
    assert len(traces) <= 2
