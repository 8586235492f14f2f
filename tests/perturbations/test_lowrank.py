"""Low-rank perturbation: where it cuts, what it draws, evaluates and adds up, and what it refuses."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from lifting_cases import CASES
from networks import FRAMEWORKS
from unshared import members, multiplied_out

import nograd as ng
from nograd.core.types import ConfigError, InterpretError
from nograd.perturbations import lowrank_members as module
from nograd.perturbations.alignment import along_data
from nograd.perturbations.jaxpr.interpret import lift
from nograd.perturbations.lowrank import MatrixSplits, lowrank

KEY = jax.random.fold_in(jax.random.key(3), 1)
PARAMS = {"b": jnp.ones(5), "w": jnp.ones((4, 5))}


# Lifted is densified -------------------------------------------------------------------------------------

FAST = ("scan over layers", "loop and branch")


def some_of(cases, fast):
    return [name if name in fast else pytest.param(name, marks=pytest.mark.slow) for name in cases]


def assert_lifted_is_densified(function, params, inputs, rank):
    perturbation = lowrank(rank=rank, noise="gaussian", densify=True)
    cuts = perturbation.prepare(function, params, inputs)

    @jax.jit
    def both(params):
        noise = perturbation.draw(cuts, params, KEY, 0, 1)
        lifted, own = lift(function, params, *inputs), module.one_direction(noise)
        dense = jax.tree.map(lambda leaf: leaf[0, 0], multiplied_out(noise))

        def plain(scale):
            return function(jax.tree.map(lambda mean, step: mean + scale * step, params, dense), *inputs)

        scales = jnp.array([0.1, -0.1])
        return jax.vmap(lambda scale: lifted(own, scale))(scales), jax.vmap(plain)(scales)

    for left, right in zip(*map(jax.tree.leaves, both(params)), strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-4, atol=1e-4)
    return cuts


@pytest.mark.parametrize("name", some_of(sorted(set(CASES) - {"cast to half and back"}), FAST))
def test_lifted_is_densified(name):
    function, params, inputs = CASES[name]()
    assert_lifted_is_densified(function, jax.tree.map(jnp.asarray, params), inputs, rank=2)


@pytest.mark.parametrize("name", some_of(FRAMEWORKS, ("nnx images",)))
def test_lifted_is_densified_for_the_layers_of_the_frameworks(name):
    network = FRAMEWORKS[name]()
    cuts = assert_lifted_is_densified(network.loss, network.params, network.inputs, rank=1)
    shapes = [leaf.shape for leaf in jax.tree.leaves(network.params)]
    # Every kernel and embedding is cut: only vectors, (3, 1, 1) among them, and an attention's biases (2, 2) are not.
    uncut = [shape for cut, shape in zip(cuts.at, shapes, strict=True) if cut is None]
    assert all(len(shape) < 2 or shape in ((2, 2), (3, 1, 1)) for shape in uncut), uncut
    assert any(cut is not None for cut in cuts.at)


# Cuts ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "rank", "cut"),
    [((), 1, None), ((7,), 1, None), ((6, 8), 1, 1), ((2, 8), 2, None), ((1, 8), 1, None), ((3, 3, 4, 8), 1, 2),
     ((3, 3, 1, 8), 8, None), ((40, 2, 20), 1, 1), ((5, 1, 5), 1, 1)],
)  # fmt: skip
def test_a_parameter_is_cut_where_its_factors_are_smallest(shape, rank, cut):
    params = {"p": jnp.zeros(shape)}
    cuts = lowrank(rank=rank).prepare(lambda p, x: jnp.vdot(x, jnp.ones(3)), params, (jnp.zeros(3),))
    assert cuts.at == (cut,)


def test_a_parameter_is_cut_where_the_network_allows():
    params = {"heads": jnp.ones((6, 2, 3)), "kernel": jnp.ones((12, 3, 3, 2))}

    def loss(p, x):
        h = jnp.tanh(x @ p["heads"].reshape(12, 3))  # (6, 2 | 3) although (6 | 2, 3) is as small
        layout = ("NHWC", "OHWI", "NHWC")
        return (
            jax.lax.conv_general_dilated(
                jnp.ones((1, 4, 4, 2)), p["kernel"], (1, 1), "SAME", dimension_numbers=layout
            ).sum()
            + h.sum()
        )

    assert lowrank().prepare(loss, params, (jnp.ones(12),)).at == (2, 1)


# Draws ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rank", [1, 2])
@pytest.mark.parametrize("noise", ["rademacher", "gaussian"])
def test_weights_have_mean_zero_variance_one_and_do_not_correlate(noise, rank):
    units, directions = 8192, 3
    drawn = jax.jit(
        lambda: multiplied_out(
            lowrank(rank, 0.1, directions, noise=noise).draw(MatrixSplits((None, 1)), PARAMS, KEY, 0, units)
        )
    )()
    flat = np.concatenate([np.asarray(leaf, np.float64).reshape(units, directions, -1) for leaf in drawn.values()], -1)
    for own in flat.swapaxes(0, 1):  # a product of two normals has kurtosis 9, and Σ over ranks less
        assert np.all(np.abs(own.mean(0)) < 6 / np.sqrt(units))
        assert np.all(np.abs(own.T @ own / units - np.eye(25)) < 6 * np.sqrt(8 / units))


def test_a_unit_has_the_same_noise_whatever_tile_draws_it():
    def of(first, units):
        return jax.tree.leaves(
            jax.jit(lambda: lowrank(2, 0.1, 4).draw(MatrixSplits((None, 1)), PARAMS, KEY, first, units))()
        )

    whole, parts = of(0, 6), [of(0, 3), of(3, 3)]
    for i, leaf in enumerate(whole):
        if leaf.shape[0] == 6:  # else the rows of a frame, the same for all units
            np.testing.assert_array_equal(np.concatenate([part[i] for part in parts]), leaf)


# Fitness and estimate ------------------------------------------------------------------------------------


def loss(params, x, y):
    return jnp.square(jnp.sum(jnp.tanh(x @ params["w"] + params["b"])) - y)


X = np.random.default_rng(0).normal(size=(3, 2, 4)).astype(np.float32)
Y = np.random.default_rng(1).normal(size=(3, 2)).astype(np.float32)


@pytest.mark.parametrize(("rank", "mirrored", "shared"), [(2, True, False), (1, False, True)])
def test_fitness_and_estimate_are_those_of_the_members_written_out(rank, mirrored, shared):
    perturbation = lowrank(rank, 0.3, 5, mirrored=mirrored)
    noise = perturbation.draw(MatrixSplits((None, 1)), PARAMS, KEY, 0, 3)
    inputs = (X[0], Y[0]) if shared else (X, Y)

    @jax.jit
    def both(weights):
        fitness = perturbation.fitness(MatrixSplits((None, 1)), loss, PARAMS, inputs, noise, shared, 5)
        return fitness, module.estimate(noise, weights)

    weights = np.random.default_rng(2).normal(size=(3, 5, 1 + mirrored)).astype(np.float32)
    fitness, total = both(weights)
    assert fitness.shape == weights.shape
    dense = multiplied_out(noise)
    params = members(PARAMS, dense, 0.3, mirrored)
    for unit in range(3):
        x, y = inputs if shared else (X[unit], Y[unit])
        own = jax.tree.map(lambda leaf, unit=unit: leaf[unit].reshape(-1, *leaf.shape[3:]), params)
        expected = jax.vmap(lambda p, x=x, y=y: jnp.mean(jax.vmap(lambda x, y: loss(p, x, y))(x, y)))(own)
        np.testing.assert_allclose(fitness[unit].reshape(-1), expected, rtol=1e-4, atol=1e-4)
    signed = weights @ np.array([1.0, -1.0][: 1 + mirrored])
    for name, leaf in dense.items():
        np.testing.assert_allclose(total[name], np.einsum("ud,ud...->...", signed, leaf), rtol=1e-4, atol=1e-4)


@pytest.mark.slow
def test_parameters_of_low_precision_stay_so():
    params = {"w": jnp.ones((6, 4), jnp.bfloat16), "b": jnp.ones(4, jnp.bfloat16)}
    gradient = ng.grad(
        lambda p, x: jnp.tanh(x.astype(jnp.bfloat16) @ p["w"] + p["b"]).sum(1).astype(jnp.float32), lowrank(group=1)
    )
    estimate = jax.jit(gradient)(params, jnp.ones((2, 6)), key=KEY)
    assert {leaf.dtype for leaf in jax.tree.leaves(estimate)} == {jnp.dtype(jnp.bfloat16)}
    assert all(jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves(estimate))


# What is refused -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"sigma": 0.0}, ("sigma", "0.0", "0.01 to 0.1")),
        ({"rank": 0}, ("rank", "0", "1 to 4")),
        ({"rank": 1.0}, ("rank", "1.0", "1 to 4")),
        ({"directions": 0}, ("directions", "0", "32")),
        ({"group": -1}, ("group", "-1", "whole batch")),
        ({"noise": "table"}, ("'table'", "rademacher, gaussian")),
    ],
)
def test_errors_are_one_line_with_the_value_and_the_remedy(arguments, words):
    with pytest.raises(ConfigError) as error:
        lowrank(**arguments)
    text = str(error.value)
    assert "\n" not in text
    assert all(word in text for word in words), text


@pytest.mark.parametrize(
    ("function", "primitive"),
    [
        (lambda w: jnp.round(w), "round"),
        (lambda w: jnp.tanh(w), "tanh"),
        (lambda w: w * jnp.arange(90.0)[:, None], "mul"),
        (lambda w: jnp.cumsum(w, axis=0), "cumsum"),
        (lambda w: jax.lax.cond(True, lambda w: w, lambda w: -w, w), "cond"),
    ],
)
def test_a_large_matrix_without_a_rule_is_named(function, primitive):
    def loss(params, x):
        return x @ function(params["layer"]["kernel"]).sum(1)

    params = {"layer": {"kernel": jnp.ones((90, 100))}, "other": jnp.ones((4, 4))}
    with pytest.raises(InterpretError) as error:
        ng.grad(loss, lowrank(group=1))(params, jnp.ones((2, 90)), key=KEY)
    text = str(error.value)
    assert "\n" not in text
    for word in (repr(primitive), "'layer/kernel'", "0.036 MB a member", "densify=True", "node or dense"):
        assert word in text, text
    cuts = lowrank(densify=True).prepare(lambda p, x: loss(p, x), params, (jnp.ones(90),))
    assert cuts.at == (None, 1)
    assert len(lowrank().fallbacks(cuts)) == 1


def test_a_small_one_has_dense_noise_of_its_own():
    """Such as the biases [heads, width] of an attention."""
    params = {"bias": jnp.ones((3, 4))}
    assert lowrank().prepare(lambda p, x: jnp.sum(jnp.tanh(x + p["bias"])), params, (jnp.ones((3, 4)),)).at == (None,)


# Aligned with the data -----------------------------------------------------------------------------------


def test_factors_along_the_data_are_combinations_of_the_groups_examples():
    noise = np.random.default_rng(0)
    x = jnp.asarray(noise.normal(size=(5, 3, 2, 4)), jnp.float32)
    signs = jnp.asarray(noise.choice([-1, 1], size=(5, 8, 2)), jnp.float32)
    found = along_data(signs, x)
    for unit in range(5):
        flat = np.asarray(x[unit]).reshape(3, 8)
        expected = flat.T @ np.asarray(signs[unit, :3]) / np.sqrt(np.mean(np.sum(flat**2, 1)))
        np.testing.assert_allclose(found[unit], expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(along_data(signs, x[:, :1].repeat(9, 1)), signs)  # more examples than numbers
    assert np.isfinite(along_data(signs, 0 * x)).all()


@pytest.mark.parametrize(
    ("loss", "found"),
    [
        (lambda p, x: (jnp.tanh(x.reshape(1, -1) @ p["a"]) @ p["b"]).sum(), (0, None)),
        (lambda p, x: (x.reshape(-1) @ p["a"]).sum() + p["b"].sum(), (0, None)),
        (lambda p, x: (x @ p["a"][:4]).sum() + p["b"].sum(), (None, None)),  # part of the rows
        (lambda p, x: (jnp.sin(x).reshape(-1) @ p["a"]).sum() + p["b"].sum(), (None, None)),  # not the example itself
        (lambda p, x: (p["a"].T @ x.reshape(-1)).sum() + p["b"].sum(), (None, None)),
    ],
)
def test_a_matrix_that_multiplies_the_examples_is_found(loss, found):
    params = {"a": jnp.ones((8, 6)), "b": jnp.ones((6, 3))}
    perturbation = lowrank(noise="aligned", directions=8)
    prepared = perturbation.prepare(lambda params, x: loss(params, x), params, (jnp.ones((2, 4)),))
    assert prepared.data == found


def test_along_an_example_the_first_layer_has_its_gradient():
    """With one example a group and columns for all units, nothing of the first matrix is left to chance."""
    keys = jax.random.split(jax.random.key(0), 4)
    params = [jax.random.normal(keys[0], (5, 9)), jax.random.normal(keys[1], (9, 4))]
    x, slope = jax.random.normal(keys[2], (6, 5)), jax.random.normal(keys[3], (4,))

    def loss(params, x):
        return jax.nn.leaky_relu(x @ params[0]) @ params[1] @ slope + 1.0

    perturbation = lowrank(sigma=1e-3, directions=16, group=1, noise="aligned", mirrored=False)
    found = jax.jit(ng.grad(loss, perturbation))(params, x, key=jax.random.key(9))
    expected = jax.grad(lambda params: jnp.mean(loss(params, x)))(params)
    np.testing.assert_allclose(found[0], expected[0], atol=0.05)


def test_aligned_noise_needs_the_examples_of_a_group():
    with pytest.raises(ConfigError, match="use rademacher"):
        ng.dense(noise="aligned")
    with pytest.raises(ConfigError, match="'aligned'"):
        ng.node(noise="aligned")
