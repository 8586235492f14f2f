"""Trained parameters in models of other libraries: `run.to` and `write` of the adapters."""

import equinox as eqx
import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from flax import linen, nnx

from nograd.core.types import ModelError
from nograd.models import adopt, build_model
from nograd.models.adapters.base import write

SHAPE = (6,)


def keras_model(width=4):
    return keras.Sequential([keras.Input(SHAPE), keras.layers.Dense(width, "relu"), keras.layers.Dense(3)])


class Nnx(nnx.Module):
    def __init__(self, width, rngs):
        self.one, self.two = nnx.Linear(6, width, rngs=rngs), nnx.Linear(width, 3, rngs=rngs)

    def __call__(self, x):
        return self.two(jax.nn.relu(self.one(x)))


class Linen(linen.Module):
    width: int

    @linen.compact
    def __call__(self, x):
        return linen.Dense(3)(jax.nn.relu(linen.Dense(self.width)(x)))


def bound(width):
    module = Linen(width)
    return module.bind(module.init(jax.random.key(0), jnp.zeros((1, *SHAPE))))


CASES = {
    "keras": (keras_model, lambda made, x: made(x)),
    "nnx": (lambda width=4: Nnx(width, nnx.Rngs(0)), lambda made, x: made(x)),
    "linen": (lambda width=4: Linen(width), lambda made, x: Linen(4).apply(made, x)),
    "bound": (lambda width=4: bound(width), lambda made, x: Linen(4).apply(made, x)),
    "equinox": (
        lambda width=4: eqx.nn.MLP(6, 3, width, 1, key=jax.random.key(0)),
        lambda made, x: jax.vmap(made)(x),
    ),
}


def trained(make):
    """A model and parameters that are not its own."""
    model = build_model(adopt(make()), SHAPE, 3)
    drawn = jax.tree.leaves(model.init(jax.random.key(0)))
    draws = [jax.random.normal(jax.random.key(i), leaf.shape) for i, leaf in enumerate(drawn)]
    return model, jax.tree.unflatten(jax.tree.structure(model.init(jax.random.key(0))), draws)


@pytest.mark.parametrize("name", CASES)
def test_the_written_model_computes_what_the_trained_one_does(name):
    make, call = CASES[name]
    model, params = trained(make)
    x = jax.random.normal(jax.random.key(9), (5, *SHAPE))
    given = make()
    written = write(given, params, SHAPE)
    np.testing.assert_allclose(call(written, x), model.apply(params, x), rtol=1e-5, atol=1e-5)
    assert (written is given) == (name in ("keras", "nnx"))


@pytest.mark.parametrize("name", CASES)
def test_another_model_is_one_line_and_stays_as_it_was(name):
    make, _ = CASES[name]
    _, params = trained(make)
    wider = make(5)
    before = arrays_of(wider)
    with pytest.raises(ModelError, match="another model than the one that was trained: parameter ") as error:
        write(wider, params, SHAPE)
    assert "\n" not in str(error.value)
    assert "float32[5" in str(error.value) or "5]" in str(error.value)
    jax.tree.map(np.testing.assert_array_equal, before, arrays_of(wider))


def arrays_of(model):
    """What a model holds; a Linen module holds nothing."""
    if isinstance(model, keras.Model):
        return [np.array(variable.value) for variable in model.variables]
    return [
        np.array(leaf)
        for leaf in jax.tree.leaves(nnx.state(model) if isinstance(model, Nnx) else model)
        if hasattr(leaf, "dtype")
    ]


def test_what_was_constant_is_the_models_own():
    class Held(eqx.Module):
        kernel: jax.Array
        scale: jax.Array

        def __call__(self, x):
            return x @ self.kernel * jax.lax.stop_gradient(self.scale)

    made = Held(jnp.ones((6, 3)), jnp.full(3, 2.0))
    model = build_model(adopt(made), SHAPE, 3)
    params = jax.tree.map(lambda leaf: 3 * leaf, model.init(jax.random.key(0)))
    written = write(made, params, SHAPE)
    np.testing.assert_array_equal(written.kernel, jnp.full((6, 3), 3.0))
    np.testing.assert_array_equal(written.scale, made.scale)


def test_a_pair_with_state_comes_back_as_a_pair():
    made = eqx.nn.make_with_state(lambda key: eqx.nn.Sequential([eqx.nn.Linear(6, 3, key=key)]))(jax.random.key(0))
    _, params = trained(lambda: made)
    module, state = write(made, params, SHAPE)
    assert state is made[1]
    np.testing.assert_array_equal(module.layers[0].weight, params["layers/0/weight"])


def test_anything_else_is_refused():
    with pytest.raises(ModelError, match=r"a model of Flax, Equinox, Keras.*got dict"):
        write({}, [], SHAPE)
