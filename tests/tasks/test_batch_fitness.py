"""Fitness of a whole batch: scikit-learn's number for the same outputs, also with ties and absent classes."""

import warnings

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as of_sklearn

from nograd.tasks import batch_fitness as batch
from nograd.tasks.fitness import fitnesses_of
from nograd.tasks.target_kinds import TARGETS

ROWS = 24
SEEDS = st.integers(0, 2**32 - 1)
LAW = settings(max_examples=40, deadline=None, database=None)


def softmax(outputs):
    return np.asarray(jax.nn.softmax(outputs.astype(np.float32)), np.float64)


def drawn(seed, columns):
    """Outputs with many ties, and classes of which some may be absent."""
    rng = np.random.default_rng(seed)
    outputs = rng.normal(size=(ROWS, columns)).round(rng.integers(0, 3)).astype(np.float32)
    classes = rng.choice(columns, rng.integers(1, columns + 1), replace=False)
    return outputs, rng.choice(classes, ROWS).astype(np.int32)


def each_auc(scores, true):
    """The mean over the columns that have both values; 1/2 without any."""
    known = [of_sklearn.roc_auc_score(y, s) for s, y in zip(scores.T, true.T, strict=True) if 0 < y.sum() < len(y)]
    return np.mean(known) if known else 0.5


@pytest.mark.parametrize("columns", [2, 4])
@LAW
@given(seed=SEEDS)
def test_of_classes(columns, seed):
    outputs, labels = drawn(seed, columns)
    found = outputs.argmax(-1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of classes that are predicted and not there
        recall = of_sklearn.balanced_accuracy_score(labels, found)
    assert float(jax.jit(batch.balanced_accuracy)(outputs, labels)) == pytest.approx(recall, abs=1e-6)
    f1 = of_sklearn.f1_score(labels, found, average="macro", zero_division=0)
    assert float(jax.jit(batch.f1_of_classes)(outputs, labels)) == pytest.approx(f1, abs=1e-6)
    # The order of softmax outputs, before their rounding can make ties.
    scores = np.asarray(jax.nn.log_softmax(outputs)) if columns > 2 else outputs[:, 1:] - outputs[:, :1]
    true = labels[:, None] == (np.arange(columns) if columns > 2 else 1)
    area = float(jax.jit(batch.auc_of_classes)(outputs, labels))
    assert area == pytest.approx(each_auc(scores, true), abs=1e-6)
    if columns == 4 and len(np.unique(labels)) == 4 and len(np.unique(softmax(outputs))) == outputs.size:
        ovr = of_sklearn.roc_auc_score(labels, softmax(outputs), multi_class="ovr", average="macro")
        assert area == pytest.approx(ovr, abs=1e-6)


@LAW
@given(seed=SEEDS)
def test_of_labels(seed):
    rng = np.random.default_rng(seed)
    outputs = rng.normal(size=(ROWS, 3)).round(1).astype(np.float32)
    y = (rng.random((ROWS, 3)) < rng.random(3)).astype(np.float32)
    f1 = of_sklearn.f1_score(y > 0.5, outputs > 0, average="macro", zero_division=0)
    assert float(jax.jit(batch.f1_of_labels)(outputs, y)) == pytest.approx(f1, abs=1e-6)
    assert float(jax.jit(batch.auc_of_labels)(outputs, y)) == pytest.approx(each_auc(outputs, y > 0.5), abs=1e-6)


@LAW
@given(seed=SEEDS)
def test_of_numbers(seed):
    rng = np.random.default_rng(seed)
    y = rng.normal(size=(ROWS, 2)).astype(np.float32)
    outputs = (y + rng.normal(size=y.shape) * rng.random(2)).astype(np.float32)
    if seed % 4 == 0:
        y[:, 0] = 0.25
    if seed % 8 == 0:
        outputs[:, 0] = 0.25
    expected = of_sklearn.r2_score(y.astype(np.float64), outputs.astype(np.float64))
    assert float(jax.jit(batch.r2)(outputs, y)) == pytest.approx(expected, rel=1e-4, abs=1e-4)


@pytest.mark.parametrize("kind", TARGETS)
def test_outputs_that_are_no_numbers_are_worth_none(kind):
    y = np.array([0, 1, 0, 1], np.int32) if kind == "classes" else np.array([[0.0], [1], [0], [1]], np.float32)
    outputs = np.full((4, 2 if kind == "classes" else 1), 0.5, np.float32)
    for word, fitness in fitnesses_of(kind).items():
        constant = np.asarray(fitness(outputs, y))
        assert np.isfinite(constant).all(), word
        if constant.shape == ():
            assert np.isnan(fitness(np.where(np.arange(4)[:, None] == 2, np.nan, outputs), y)), word


def test_a_batch_of_one_class_has_an_area_of_chance():
    outputs = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
    assert float(batch.auc_of_classes(outputs, np.zeros(6, np.int32))) == 0.5
    assert float(batch.auc_of_classes(outputs[:, :2], np.ones(6, np.int32))) == 0.5
