"""lift(f)(ε, s) ≡ f(θ + s·ε), whatever f is made of."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from lifting_cases import CASES, SCALES, WEIGHTS, X, assert_trees_close, moved, noise_like

from nograd.perturbations.jaxpr.interpret import lift


@pytest.mark.parametrize("name", CASES)
def test_lifted_is_the_function_at_the_moved_parameters(name):
    function, params, inputs = CASES[name]()
    noise = noise_like(params)

    @jax.jit
    def both(params, noise, inputs):
        lifted = lift(function, params, *inputs)
        ours = jax.vmap(lambda scale: lifted(noise, scale))(SCALES)
        return ours, jax.vmap(lambda scale: function(moved(params, noise, scale), *inputs))(SCALES)

    actual, expected = both(params, noise, inputs)
    assert_trees_close(actual, expected, tolerance=1e-2 if "half" in name else 3e-5)
    # A law on values that do not move would hold for anything.
    assert any(np.any(leaf[0] != leaf[1]) for leaf in jax.tree.leaves(expected))


def test_lifted_works_plain_and_under_jit_vmap_map_and_scan():
    function, params, inputs = CASES["custom jvp relu"]()
    units = jnp.arange(3)

    def noise_of(unit):
        return jax.tree.map(lambda leaf: jnp.cos(unit + 1.5 + leaf), params)

    expected = jax.vmap(lambda unit: function(moved(params, noise_of(unit), 0.1), *inputs))(units)
    lifted = lift(function, params, *inputs)

    def one(unit):
        return lifted(noise_of(unit), 0.1)

    compiled = jax.jit(one)
    contexts = {
        "plain": [one(unit) for unit in units],
        "jit": [compiled(unit) for unit in units],
        "vmap": jax.vmap(one)(units),
        "map": jax.lax.map(one, units),
        "scan": jax.lax.scan(lambda _, unit: (None, one(unit)), None, units)[1],
        "lifted inside": jax.lax.map(lambda unit: lift(function, params, *inputs)(noise_of(unit), 0.1), units),
        "over inputs": jax.vmap(lambda x: lift(function, params, x[None])(noise_of(1), 0.1)[0])(inputs[0])[None],
    }
    for name, actual in contexts.items():
        want = expected[1:2] if name == "over inputs" else expected
        np.testing.assert_allclose(np.stack(actual), want, rtol=3e-5, atol=3e-5, err_msg=name)


@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16])
def test_lifted_keeps_the_precision_of_the_parameters(dtype):
    params, noise = (jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), t) for t in (WEIGHTS, noise_like(WEIGHTS)))

    def function(params, x):
        return jnp.tanh(x.astype(dtype) @ params["w"] + params["b"]) @ params["v"]

    actual = jax.jit(lambda scale: lift(function, params, X)(noise, scale))(jnp.float32(0.1))
    assert actual.dtype == dtype
    expected = function(jax.tree.map(lambda leaf, step: leaf + dtype(0.1) * step, params, noise), X)
    resolution = float(jnp.finfo(dtype).eps)
    np.testing.assert_allclose(*(np.asarray(v, np.float32) for v in (actual, expected)), rtol=0, atol=40 * resolution)


def test_noise_zero_or_scale_zero_is_the_function_itself():
    function, params, inputs = CASES["attention head"]()
    lifted, noise = lift(function, params, *inputs), noise_like(params)
    for still in (lifted(noise, 0.0), lifted(jax.tree.map(np.zeros_like, noise), 0.5)):
        np.testing.assert_allclose(still, function(params, *inputs), rtol=1e-5, atol=1e-6)


def test_a_print_in_the_function_shows_the_members_values(capsys):
    def function(params, x):
        jax.debug.print("b = {}", params["s"])
        jax.debug.print("x = {}", x[0])
        return params["s"] * x

    lifted = lift(function, {"s": jnp.float32(1.0)}, jnp.array([7.0]))
    np.testing.assert_allclose(lifted({"s": jnp.float32(1.0)}, 0.5), [10.5])
    jax.effects_barrier()
    lines = capsys.readouterr().out.splitlines()
    assert "b = 1.5" in lines
    assert "x = 7.0" in lines
