"""Laws of a kind of target: scores by name, and one prediction and one table row per example."""

import csv
import io
import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from nograd.data import Dataset
from nograd.tasks.examples import split_arrays
from nograd.tasks.metrics import metrics_of
from nograd.tasks.targets import Targets
from nograd.testing.laws import Law, laws_of, require


def targets_laws(make: Callable[[], tuple[Targets, Dataset]]) -> list[Law]:
    """The laws of a kind of target, to be called one by one.

    Args:
        make: returns the kind and a data set that it fits.
    """
    laws = (
        it_fits_its_data,
        figures_hold_the_measure,
        an_example_has_a_prediction_and_a_row,
        fitness_is_one_an_example,
        metrics_of_its_word_are_its_own,
    )
    return laws_of(laws, make)


def it_fits_its_data(make: Callable[[], tuple[Targets, Dataset]]) -> None:
    """The kind fits its data set, and gives a number of outputs of at least 1."""
    targets, dataset = make()
    require(targets.fits(dataset), f"{targets.word} must fit the data set")
    require(targets.width(dataset) >= 1, "a network has at least one output")


def figures_hold_the_measure(make: Callable[[], tuple[Targets, Dataset]]) -> None:
    """The scores are finite numbers or None; the interval of the measure contains its value."""
    targets, outputs, y = _examples(make)
    figures, measure = targets.figures(outputs, y), targets.measure
    value = figures.get(measure.name)
    require(value is not None and math.isfinite(value), f"figures must hold {measure.name}, got {figures}")
    assert value is not None
    found = measure.interval(value, len(y), figures.get(f"{measure.name}_error"))
    require(found is None or found[0] <= value <= found[1], f"the interval {found} does not hold the value {value}")
    require(targets.figures(outputs[:1], y[:1]).keys() == figures.keys(), "a single example must have the same figures")


def an_example_has_a_prediction_and_a_row(make: Callable[[], tuple[Targets, Dataset]]) -> None:
    """Each example has one prediction, and one row in the CSV text, below a header."""
    targets, outputs, _ = _examples(make)
    require(len(targets.predictions(outputs)) == len(outputs), "an example must have one prediction")
    for details in (False, True):
        rows = list(csv.reader(io.StringIO(targets.table(outputs, details))))
        require(len(rows) == len(outputs) + 1, "the table must have a header and a row an example")
        require(len({len(row) for row in rows}) == 1, "all rows of the table must have the header's columns")


def fitness_is_one_an_example(make: Callable[[], tuple[Targets, Dataset]]) -> None:
    """Every fitness gives one finite value per example, or one for the whole batch."""
    targets, outputs, y = _examples(make)
    require(len(targets.fitnesses) > 0, "a kind of target must offer a fitness")
    for name, fitness in targets.fitnesses.items():
        values = np.asarray(jax.jit(fitness)(jnp.asarray(outputs), jnp.asarray(y)))
        require(values.shape in ((), (len(y),)), f"{name} must give one value an example, got {values.shape}")
        require(bool(np.all(np.isfinite(values))), f"{name} must be finite")


def metrics_of_its_word_are_its_own(make: Callable[[], tuple[Targets, Dataset]]) -> None:
    """The metrics registered for its word can be computed. So a new kind needs a new word."""
    targets, outputs, y = _examples(make)
    for name, metric in metrics_of(targets).items():
        try:
            metric.value(targets, outputs, y)
        except (AttributeError, TypeError, ValueError) as error:
            require(False, f"the metric {name} of {targets.word!r} cannot be computed ({error}); take another word")


def _examples(make: Callable[[], tuple[Targets, Dataset]]) -> tuple[Targets, np.ndarray, np.ndarray]:
    targets, dataset = make()
    _, y = split_arrays(dataset, "val")
    outputs = np.random.default_rng(0).normal(size=(len(y), targets.width(dataset))).astype(np.float32)
    return targets, outputs, y
