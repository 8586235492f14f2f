"""The supervised task: minibatches by address, inputs scaled, accuracy of a split."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nograd.core.types import ConfigError
from nograd.models import build_model, mlp
from nograd.tasks.examples import model_input
from nograd.tasks.fitness import accuracy, cross_entropy
from nograd.tasks.supervised import split_figures, supervised


def make_task(blobs, **settings):
    model = build_model(mlp(), blobs.x_train.shape[1:], blobs.classes)
    return supervised(blobs, model, **{"fitness": cross_entropy, "batch": 16, **settings})


@pytest.mark.parametrize("sampling", ["random", "contiguous"])
@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))])
def test_a_batch_holds_rows_of_the_data_with_their_labels(blobs, sampling, seed):
    task = make_task(blobs, sampling=sampling)
    x, y = task.draw(task.arrays(), jax.random.key(seed))
    rows = [np.flatnonzero((blobs.x_train == row).all(1))[0] for row in np.asarray(x)]
    assert x.shape == (16, 4)
    np.testing.assert_array_equal(blobs.y_train[rows], y)
    if sampling == "contiguous":
        np.testing.assert_array_equal(np.diff(rows), 1)


def test_a_batch_is_its_address(blobs):
    task = make_task(blobs)
    one, same, other = (task.draw(task.arrays(), jax.random.key(seed))[0] for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("sampling", ["random", "contiguous"])
def test_all_examples_are_drawn(blobs, sampling):
    task = make_task(blobs, sampling=sampling)
    arrays = task.arrays()._replace(x=jnp.arange(160.0))
    drawn = jax.vmap(lambda key: task.draw(arrays, key)[0])(jax.random.split(jax.random.key(0), 300))
    assert set(np.unique(drawn)) == set(range(160))


def test_a_batch_of_all_is_the_split_itself(blobs):
    task = make_task(blobs, batch=160)
    x, y = task.draw(task.arrays(), jax.random.key(0))
    np.testing.assert_array_equal(x, blobs.x_train)
    np.testing.assert_array_equal(y, blobs.y_train)


def test_bytes_stay_bytes_until_the_batch(blobs):
    data = blobs._replace(
        x_train=(np.arange(640) % 256).astype(np.uint8).reshape(160, 4), scale=np.float32(1 / 255).reshape(())
    )
    task = make_task(data)
    assert task.arrays().x.dtype == jnp.uint8
    x, _ = task.draw(task.arrays(), jax.random.key(0))
    assert x.dtype == jnp.float32
    assert 0 <= x.min() <= x.max() <= 1


def test_inputs_are_scaled_column_by_column():
    x = np.array([[2, 10], [4, 30]], np.uint8)
    expected = [[0.5, 0.0], [1.5, 2.0]]
    np.testing.assert_allclose(model_input(x, np.float32([1, 10]), np.float32([0.5, 0.1])), expected)


def test_the_objective_is_the_mean_fitness(blobs):
    task = make_task(blobs)
    params = task.model.init(jax.random.key(0))
    x, y = task.draw(task.arrays(), jax.random.key(1))
    np.testing.assert_allclose(
        task.objective(params, x, y), np.mean(cross_entropy(task.model.apply(params, x), y)), rtol=1e-6
    )
    scalar = make_task(blobs, fitness=lambda outputs, labels: jnp.mean(cross_entropy(outputs, labels)))
    np.testing.assert_allclose(scalar.objective(params, x, y), task.objective(params, x, y), rtol=1e-6)


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_accuracy_of_a_split(blobs, split):
    task = make_task(blobs)
    params = task.model.init(jax.random.key(0))
    x, y = getattr(blobs, f"x_{split}"), getattr(blobs, f"y_{split}")
    expected = float(np.mean(accuracy(task.model.apply(params, x), y)))
    assert split_figures(task, params, split)["accuracy"] == pytest.approx(expected)
    assert split_figures(task, params, split, limit=7)["accuracy"] == pytest.approx(
        float(np.mean(accuracy(task.model.apply(params, x[:7]), y[:7])))
    )


def test_accuracy_is_the_same_block_by_block(blobs, monkeypatch):
    task = make_task(blobs)
    params = task.model.init(jax.random.key(0))
    whole = split_figures(task, params, "train")["accuracy"]
    monkeypatch.setattr("nograd.tasks.examples._EVALUATION_BLOCK", 33)
    assert split_figures(task, params, "train")["accuracy"] == whole


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"batch": 161}, ["161", "160", "use batch 160"]),
        ({"batch": 0}, ["0", "use batch 1"]),
        ({"fitness": lambda outputs, labels: outputs}, ["(16,)", "(16, 3)"]),
        ({"fitness": lambda outputs: outputs}, ["fails"]),
    ],
)
def test_a_task_that_cannot_be_is_one_line(blobs, settings, words):
    with pytest.raises(ConfigError) as error:
        make_task(blobs, **settings)
    assert all(word in str(error.value) for word in words)
    assert "\n" not in str(error.value)
