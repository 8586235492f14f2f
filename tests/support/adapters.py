"""Laws that every model from another library keeps, shared by their tests."""

import jax
import numpy as np
import pytest

import nograd as ng
from nograd.core.types import ModelError
from nograd.data import load
from nograd.models import build_model


def images(count: int, shape=(8, 8), seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(size=(count, *shape)).astype("f4")


def assert_agrees(model, expected, x, params=None) -> None:
    """apply gives what the library's own call gives, on a batch and member by member on single examples."""
    params = model.init(jax.random.key(0)) if params is None else params
    np.testing.assert_allclose(jax.jit(model.apply)(params, x), expected, rtol=1e-4, atol=1e-5)
    members = jax.tree.map(lambda leaf: np.stack([leaf, 2 * leaf]), params)
    each = jax.jit(jax.vmap(jax.vmap(model.apply, (None, 0)), (0, None)))(members, x[:, None])
    np.testing.assert_allclose(each[0, :, 0], expected, rtol=1e-4, atol=1e-5)


def assert_refused(make, layer: str) -> None:
    """One line that names the layer and the two ways out."""
    with pytest.raises(ModelError) as error:
        make()
    text = str(error.value)
    assert "\n" not in text
    for word in (repr(layer), "frozen=True", "LayerNorm"):
        assert word in text, text


def assert_trains(model, out, **settings):
    """Three generations move the parameters, and the run is read back."""
    run = ng.train("digits", model=model, generations=3, population=8, batch=64, out=out, **settings)
    built = build_model(model, (8, 8), 10)
    start = jax.tree.leaves(built.init(jax.random.key(0)))
    assert [leaf.shape for leaf in jax.tree.leaves(run.params)] == [leaf.shape for leaf in start]
    again = ng.load(run.path, model=model)
    examples = load("digits").x_test[:5]
    np.testing.assert_array_equal(again.outputs(examples), run.outputs(examples))
    return run
