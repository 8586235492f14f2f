"""What a fitness and a network may return, and which perturbations take them: of any type, of one or many numbers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import nograd as ng
from nograd.core.types import ConfigError, ModelError
from nograd.models import build_model
from nograd.tasks.fitness import accuracy, cross_entropy
from nograd.tasks.supervised import supervised

TYPES = [jnp.float16, jnp.bfloat16, jnp.int8, jnp.int32, jnp.uint8, jnp.bool_, jnp.float32]
LOCAL = [ng.node(0.1, directions=2), ng.lowrank(1, 0.1, directions=2, group=2), ng.lowrank(1, 0.1, 2, group=0)]


def make(blobs, fitness, model="mlp:4", batch=8):
    shape = blobs.x_train.shape[1:]
    built = ng.mlp(4) if model == "mlp:4" else model
    return supervised(blobs, build_model(built, shape, blobs.classes), fitness, batch)


def right(outputs, labels):
    return jnp.argmax(outputs, -1) == labels


@pytest.mark.parametrize("kind", TYPES)
def test_fitness_of_any_type_counts_in_float32(blobs, kind):
    task = make(blobs, lambda outputs, labels: right(outputs, labels).astype(kind))
    params = task.model.init(jax.random.key(0))
    x, y = task.draw(task.arrays(), jax.random.key(1))
    found = task.objective(params, x, y)
    assert found.dtype == jnp.float32
    assert float(found) == float(np.mean(np.asarray(right(task.model.apply(params, x), y))))
    assert jax.eval_shape(task.example_fitness, params, x[0], y[0]).dtype == jnp.float32


@pytest.mark.parametrize("kind", TYPES)
def test_outputs_of_any_type_are_floats(blobs, kind):
    inputs = int(np.prod(blobs.x_train.shape[1:]))
    model = ng.Model(
        lambda key: {"w": jax.random.normal(key, (inputs, blobs.classes))},
        lambda params, x: (x.reshape(len(x), -1) @ params["w"]).astype(kind),
    )
    task = make(blobs, cross_entropy, model)
    x, y = task.draw(task.arrays(), jax.random.key(1))
    params = task.model.init(jax.random.key(0))
    assert task.model.apply(params, x).dtype == jnp.float32
    assert np.isfinite(task.objective(params, x, y))
    assert task.population(LOCAL[0]).members == 8 * 4


def test_complex_outputs_and_fitness_are_refused(blobs):
    inputs = int(np.prod(blobs.x_train.shape[1:]))
    model = ng.Model(lambda key: jnp.zeros((inputs, blobs.classes)), lambda p, x: x.reshape(len(x), -1) @ p + 1j)
    with pytest.raises(ModelError, match="must return real numbers"):
        build_model(model, blobs.x_train.shape[1:], blobs.classes)
    with pytest.raises(ConfigError, match="must return real numbers"):
        make(blobs, lambda outputs, labels: outputs[:, 0] + 1j)


WHOLE = {
    "std": lambda outputs, labels: jnp.std(outputs[:, 0]),
    "centred": lambda outputs, labels: outputs[:, 0] - jnp.mean(outputs[:, 0]),
    "rank": lambda outputs, labels: jnp.argsort(jnp.argsort(outputs[:, 0])),
    "share of the label": lambda outputs, labels: outputs[:, 0] / jnp.sum(labels == labels[:, None], 1),
}


@pytest.mark.parametrize("name", WHOLE)
def test_a_fitness_of_the_whole_batch_is_refused_where_examples_count_alone(blobs, name):
    task = make(blobs, WHOLE[name])
    for perturbation in LOCAL:
        with pytest.raises(ConfigError, match="use perturbation dense"):
            task.population(perturbation)


def test_a_network_with_statistics_of_its_batch_is_refused_where_examples_count_alone(blobs):
    inputs = int(np.prod(blobs.x_train.shape[1:]))

    def apply(params, x):
        y = x.reshape(len(x), -1) @ params
        return y - jnp.mean(y, 0)

    model = ng.Model(lambda key: jnp.zeros((inputs, blobs.classes)), apply)
    task = make(blobs, accuracy, model)
    with pytest.raises(ConfigError, match="depend on the rest of its batch"):
        task.population(LOCAL[0])


def test_parameters_behind_stop_gradient_are_constants_of_the_network(blobs):
    inputs = int(np.prod(blobs.x_train.shape[1:]))
    given = np.arange(inputs * 3, dtype=np.float32).reshape(inputs, 3) / 10

    def model(frozen):
        return ng.Model(
            lambda key: {"backbone": frozen(key), "head": jnp.ones((3, blobs.classes))},
            lambda p, x: jax.lax.stop_gradient(jnp.tanh(x.reshape(len(x), -1) @ p["backbone"])) @ p["head"],
        )

    raw = model(lambda key: jnp.asarray(given))
    built = build_model(raw, blobs.x_train.shape[1:], blobs.classes)
    params, x = built.init(jax.random.key(3)), blobs.x_train[:4].astype(np.float32)
    assert params["backbone"] is None
    assert len(jax.tree.leaves(params)) == 1
    np.testing.assert_array_equal(built.apply(params, x), raw.apply(raw.init(jax.random.key(3)), x))
    with pytest.raises(ModelError, match="'backbone' reaches the outputs through stop_gradient alone"):
        build_model(model(lambda key: jax.random.normal(key, (inputs, 3))), blobs.x_train.shape[1:], blobs.classes)
