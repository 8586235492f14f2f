"""The network behind fixed oriented filters."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import nograd
from nograd.core.types import ModelError
from nograd.models import oriented, parse_model
from nograd.models.oriented import oriented_filters

pytestmark = pytest.mark.slow  # minutes in all: before a release


def twin(params, x, count):
    """What the network computes, by loops."""
    filters, height, width = oriented_filters(count), *(size // 4 * 4 for size in x.shape[1:])
    padded = np.pad(x, ((0, 0), (3, 3), (3, 3)))
    seen = np.zeros((len(x), height // 2, width // 2, count))
    for row in range(height // 2):
        for column in range(width // 2):
            patch = padded[:, 2 * row : 2 * row + 7, 2 * column : 2 * column + 7]
            seen[:, row, column] = np.maximum(np.einsum("nij,ijc->nc", patch, filters), 0)
    h = seen.reshape(len(x), height // 4, 2, width // 4, 2, count).mean((2, 4)).reshape(len(x), -1)
    for layer in params[:-1]:
        h = np.maximum(h @ layer["kernel"] + layer["bias"], 0)
    return h @ params[-1]["kernel"] + params[-1]["bias"]


@pytest.mark.parametrize("shape", [pytest.param((28, 28), marks=pytest.mark.slow), (9, 14)])
def test_it_is_its_twin(shape):
    model = oriented(6, 16)(shape, 10)
    params = model.init(jax.random.key(0))
    x = np.asarray(jax.random.uniform(jax.random.key(1), (5, *shape)))
    np.testing.assert_allclose(model.apply(params, x), twin(jax.tree.map(np.asarray, params), x, 6), atol=1e-5)


def test_filters_are_unit_vectors_of_mean_zero():
    filters = oriented_filters(32).reshape(-1, 32)
    np.testing.assert_allclose(filters.mean(0), 0, atol=1e-7)
    np.testing.assert_allclose((filters**2).sum(0), 1, rtol=1e-5)
    assert len(np.unique(filters.round(4), axis=1).T) == 32  # no two are the same


def test_a_flat_image_shows_nothing_inside():
    model = oriented(8)((28, 28), 10)
    params = jax.tree.map(jnp.ones_like, model.init(jax.random.key(0)))
    inner = jnp.zeros((1, 28, 28)).at[:, 8:20, 8:20].set(1.0)
    assert model.apply(params, jnp.zeros((1, 28, 28)))[0, 0] == 1.0  # the bias alone
    assert model.apply(params, inner)[0, 0] > 1.1  # edges


@pytest.mark.parametrize("shape", [(64,), (28, 28, 3), (3, 28)])
def test_it_needs_grey_images(shape):
    with pytest.raises(ModelError, match="grey images"):
        oriented(8, 16)(shape, 10)


def test_its_word_reads_back():
    assert oriented(16, 32).spec == "oriented:16,32"
    assert parse_model("oriented:16,32").spec == "oriented:16,32"
    with pytest.raises(ModelError, match="at least 1"):
        parse_model("oriented:0,32")


@pytest.mark.slow
def test_it_trains(tmp_path):
    quick = {"perturbation": "node", "directions": 4, "batch": 8, "generations": 2, "workers": "1"}
    run = nograd.train("digits", model="oriented:2,4", out=tmp_path / "run", **quick)
    assert run.result["generations"] == 2
