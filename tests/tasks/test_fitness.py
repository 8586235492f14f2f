"""Fitness functions against NumPy."""

import jax.numpy as jnp
import numpy as np
import pytest

from nograd.tasks.fitness import accuracy, cross_entropy, squared_error


@pytest.fixture(params=range(3))
def case(request):
    rng = np.random.default_rng(request.param)
    return 3 * rng.normal(size=(20, 5)).astype("f4"), rng.integers(0, 5, 20).astype("i4")


def softmax(outputs):
    exponentials = np.exp(outputs - outputs.max(-1, keepdims=True))
    return exponentials / exponentials.sum(-1, keepdims=True)


def test_cross_entropy(case):
    outputs, labels = case
    expected = np.log(softmax(outputs)[np.arange(20), labels])
    np.testing.assert_allclose(cross_entropy(outputs, labels), expected, rtol=1e-4, atol=1e-5)


def test_squared_error(case):
    outputs, labels = case
    expected = -((np.eye(5)[labels] - softmax(outputs)) ** 2).sum(-1)
    np.testing.assert_allclose(squared_error(outputs, labels), expected, rtol=1e-4, atol=1e-5)


def test_accuracy(case):
    outputs, labels = case
    np.testing.assert_array_equal(accuracy(outputs, labels), outputs.argmax(-1) == labels)


@pytest.mark.parametrize("fitness", [cross_entropy, squared_error, accuracy])
def test_higher_is_better_and_large_outputs_stay_finite(fitness):
    labels = jnp.array([0])
    right, wrong = (fitness(jnp.array([[value, 0.0]]), labels)[0] for value in (1e4, -1e4))
    assert np.isfinite(right)
    assert np.isfinite(wrong)
    assert right > wrong
