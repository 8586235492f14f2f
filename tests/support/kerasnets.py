"""Keras models for tests, by the word module:function."""

import keras


def frozen():
    """Dropout in inference mode."""
    import nograd as ng

    hidden = [keras.layers.Dense(8, activation="relu"), keras.layers.Dropout(0.5)]
    return ng.from_keras(keras.Sequential([keras.Input((64,)), *hidden, keras.layers.Dense(10)]), frozen=True)


def perceptron():
    return keras.Sequential([keras.Input((64,)), keras.layers.Dense(8, activation="relu"), keras.layers.Dense(10)])
