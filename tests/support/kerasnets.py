"""Keras models for tests, by the word module:function."""

import keras


def perceptron():
    return keras.Sequential([keras.Input((64,)), keras.layers.Dense(8, activation="relu"), keras.layers.Dense(10)])
