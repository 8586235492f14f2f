"""Keras models as they are: what they compute, softmax outputs, names, and what is refused."""

import warnings

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from adapters import assert_agrees, assert_refused, assert_trains, images
from keras import layers

from nograd.core.types import ModelError
from nograd.models import Builder, Model, build_model, from_keras
from nograd.models.adapters.keras import own_names

pytestmark = pytest.mark.slow  # minutes in all: before a release

KEY = jax.random.key(0)


def convolutional():
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(4, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.LayerNormalization(),
            layers.Dense(10),
        ]
    )


def attention(rate=0.0):
    tokens = keras.Input((64,), dtype="int32")
    x = layers.Embedding(17, 8)(tokens)
    x = layers.LayerNormalization()(x + layers.MultiHeadAttention(2, 4, dropout=rate, name="attend")(x, x))
    return keras.Model(tokens, layers.Dense(10)(layers.GlobalAveragePooling1D()(x)))


def with_norm():
    return keras.Sequential(
        [keras.Input((8, 8)), layers.Flatten(), layers.BatchNormalization(name="norm"), layers.Dense(10)]
    )


def with_dropout(rate=0.5):
    inner = keras.Sequential([layers.Dense(16), layers.Dropout(rate, name="drop")], name="inner")
    return keras.Sequential([keras.Input((8, 8)), layers.Flatten(), inner, layers.Dense(10)])


def call(model, x):
    return np.asarray(model(x))


@pytest.mark.parametrize(
    ("make", "shape"), [(convolutional, (8, 8, 1)), pytest.param(attention, (64,), marks=pytest.mark.slow)]
)
def test_outputs_are_its_own(make, shape):
    module, x = make(), np.round(images(4) * 16)
    model = build_model(from_keras(module), (8, 8), 10)
    assert_agrees(model, call(module, x.reshape(4, *shape)), x)


def test_a_model_without_a_shape_takes_the_data_s():
    module = keras.Sequential([layers.Flatten(), layers.Dense(10)])
    builder = from_keras(module)
    assert isinstance(builder, Builder)
    x = images(3)
    assert_agrees(build_model(builder, (8, 8), 10), call(module, x), x)
    assert isinstance(from_keras(module), Model)


def test_a_subclassed_model():
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.flat, self.dense = layers.Flatten(), layers.Dense(10)

        def call(self, x):
            return self.dense(self.flat(x))

    module, x = Own(), images(3)
    assert_agrees(build_model(from_keras(module), (8, 8), 10), call(module, x), x)


# A softmax at the end ------------------------------------------------------------------------------------


def typed_as_in_the_blog(inputs, how):
    """The blog of 2017 in the three ways that people typed it."""
    with warnings.catch_warnings():
        # Keras 3 prefers an Input layer, and says so.
        warnings.filterwarnings("ignore", "Do not pass an `input_shape`", UserWarning)
        if how == "list":
            return keras.Sequential(
                [layers.Dense(inputs, input_shape=(inputs,)), layers.Dense(10, activation="softmax")]
            )
        model = keras.models.Sequential()
        model.add(layers.Dense(inputs, input_dim=inputs))
        if how == "add":
            model.add(layers.Dense(10, activation="softmax"))
        else:
            model.add(layers.Dense(10))
            model.add(layers.Activation("softmax") if how == "activation" else layers.Softmax())
    return model


@pytest.mark.parametrize(
    "how", ["list", *(pytest.param(how, marks=pytest.mark.slow) for how in ("add", "activation", "layer"))]
)
def test_the_blog_s_model_returns_log_probabilities(how):
    module, x = typed_as_in_the_blog(784, how), images(3, (28, 28))
    module.compile(optimizer="sgd", loss="categorical_crossentropy")
    model = build_model(from_keras(module), (28, 28), 10)
    assert sum(leaf.size for leaf in model.init(KEY).values()) == 623_290
    probabilities = call(module, x.reshape(3, 784))
    assert_agrees(model, np.log(probabilities), x)
    np.testing.assert_allclose(jax.nn.softmax(model.apply(model.init(KEY), jnp.asarray(x))), probabilities, rtol=1e-4)


@pytest.mark.slow
def test_the_blog_s_model_trains(tmp_path):
    run = assert_trains(typed_as_in_the_blog(64, "list"), tmp_path / "run", fitness="squared_error")
    assert set(run.params) == {"dense/kernel", "dense/bias", "dense_1/kernel", "dense_1/bias"}


def test_a_functional_softmax_and_a_nested_one_are_seen():
    inputs = keras.Input((64,))
    operation = keras.Model(inputs, keras.ops.softmax(layers.Dense(10)(inputs)))
    nested = keras.Sequential([keras.Input((64,)), keras.Sequential([layers.Dense(10, activation="softmax")])])
    for module in (operation, nested):
        x = images(3)
        assert_agrees(build_model(from_keras(module), (8, 8), 10), np.log(call(module, x.reshape(3, 64))), x)


def test_a_probability_of_zero_has_a_finite_logit():
    module = keras.Sequential([keras.Input((2,)), layers.Dense(3, activation="softmax")])
    module.set_weights([np.array([[1e4, 0, 0], [0, 0, 0]], "f4"), np.zeros(3, "f4")])
    model = from_keras(module)
    logits = model.apply(model.init(KEY), jnp.ones((1, 2)))
    assert np.isfinite(logits).all()
    np.testing.assert_allclose(jax.nn.softmax(logits), [[1, 0, 0]], atol=1e-6)


# State ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "layer"),
    [
        (with_norm, "norm"),
        (with_dropout, "inner/drop"),
        (lambda: attention(0.1), "attend"),
        (lambda: keras.Sequential([layers.Flatten(), layers.GaussianNoise(0.1, name="noise")]), "noise"),
        (
            lambda: keras.Sequential(
                [keras.Input((8, 8), batch_size=1), layers.SimpleRNN(10, stateful=True, name="rnn")]
            ),
            "rnn",
        ),
    ],
)
def test_state_is_refused(make, layer):
    assert_refused(lambda: build_model(from_keras(make()), (8, 8), 10), layer)


@pytest.mark.parametrize("make", [with_norm, with_dropout])
def test_frozen_is_inference_mode_with_stored_statistics(make):
    module, x = make(), images(4)
    for variable in module.non_trainable_variables:
        if "moving" in variable.path:
            variable.assign(variable.value + 0.3)
    before = [np.asarray(v.value) for v in module.variables]
    model = build_model(from_keras(module, frozen=True), (8, 8), 10)
    assert_agrees(model, call(module, x), x)
    for variable, old in zip(module.variables, before, strict=True):
        np.testing.assert_array_equal(variable.value, old)


def test_what_training_never_writes_is_a_constant():
    module, x = with_norm(), images(3)
    module.layers[1].trainable = False  # Keras then runs batch norm in inference mode
    model = build_model(from_keras(module), (8, 8), 10)
    assert set(model.init(KEY)) == {"dense/kernel", "dense/bias"}
    assert_agrees(model, call(module, x), x)


def test_a_dropout_that_never_drops_is_no_state():
    assert isinstance(from_keras(with_dropout(0.0)), Model)


# Names and errors ----------------------------------------------------------------------------------------


def test_the_same_code_gives_the_same_names():
    first, second = (list(from_keras(attention()).init(KEY)) for _ in range(2))
    assert first == second
    assert len(set(first)) == len(first)
    assert first[:2] == ["embedding/embeddings", "attend/query/kernel"]


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (["s_3/dense_7/kernel", "s_3/dense_9/kernel"], ["dense/kernel", "dense_1/kernel"]),
        (["dense_7/kernel", "dense_9/kernel"], ["dense/kernel", "dense_1/kernel"]),
        (["a/block_2/w", "b/block_2/w"], ["a/block/w", "b/block/w"]),
        (["w_1", "w_2", "w"], ["w", "w_1", "w_2"]),
        (["m/dense/kernel"] * 2, ["dense/kernel", "dense/kernel_1"]),
    ],
)
def test_names_are_numbered_within_the_model(paths, expected):
    assert own_names(paths) == expected


def test_another_backend_is_refused(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "torch")
    with pytest.raises(ModelError, match="Keras runs on torch; set KERAS_BACKEND=jax"):
        from_keras(convolutional())


def test_two_inputs_are_refused():
    one, two = keras.Input((3,)), keras.Input((3,))
    with pytest.raises(ModelError, match="2 inputs"):
        from_keras(keras.Model([one, two], layers.Add()([one, two])))


def test_a_model_that_fails_on_the_data_says_why():
    module = keras.Sequential([keras.Input((5,)), layers.Dense(10)])
    with pytest.raises(ModelError, match="shape") as error:
        build_model(from_keras(module), (8, 8), 10)
    assert "\n" not in str(error.value)
    assert "\x1b" not in str(error.value)


def test_what_is_no_model_is_refused():
    with pytest.raises(ModelError, match=r"keras\.Model, got Dense"):
        from_keras(layers.Dense(10))


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: from_keras(attention()), id="attention", marks=pytest.mark.slow),
        pytest.param(lambda: from_keras(with_norm(), frozen=True), id="frozen", marks=pytest.mark.slow),
        pytest.param(convolutional, id="raw", marks=pytest.mark.slow),
    ],
)
def test_it_trains(make, tmp_path):
    assert_trains(make(), tmp_path / "run")
