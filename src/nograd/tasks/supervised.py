"""Labelled examples as a task: a minibatch a generation, the fitness of the outputs, scores on a split."""

from typing import Any, Literal, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from nograd.core.metrics import LOSS, Measure
from nograd.core.types import ConfigError, Key, Params
from nograd.data import Dataset, checksum, describe_arrays
from nograd.generation.base import Generation
from nograd.generation.minibatch import Batches
from nograd.models import Model
from nograd.perturbations.base import Perturbation
from nograd.perturbations.dense import as_dense
from nograd.perturbations.population import Local
from nograd.strategies.base import Strategy
from nograd.tasks.examples import (
    Arrays,
    ExampleIndices,
    Split,
    model_input,
    predict,
    shifted,
    split_arrays,
    target_shapes,
)
from nograd.tasks.final_metrics import final_metrics, scored
from nograd.tasks.fitness import checked_fitness, mean_fitness
from nograd.tasks.metrics import Metric
from nograd.tasks.own_metric import resolve_metric
from nograd.tasks.per_example import require_alone
from nograd.tasks.scores import interval_of
from nograd.tasks.target_kinds import targets_of
from nograd.tasks.targets import Fitness, Targets

Sampling: TypeAlias = Literal["random", "contiguous"]

_TRAIN_SAMPLE = 5000  # training examples that the training score is computed on


class Supervised(NamedTuple):
    """A labelled data set, a network and a fitness."""

    dataset: Dataset
    model: Model
    fitness: Fitness
    batch: int
    targets: Targets
    metric: Metric  # what the network is chosen by
    sampling: Sampling = "random"
    private: bool = False  # whether each unit of the population draws a minibatch of its own
    shift: int = 0  # pixels that each image of a minibatch may be moved by, up or down and left or right

    @property
    def measure(self) -> Measure:
        """The measure of its metric."""
        return self.metric.measure

    @property
    def note(self) -> str:
        """One line about the data."""
        return self.dataset.note

    @property
    def checksum(self) -> str:
        """The checksum of the data: a run can only be resumed on the same."""
        return checksum(self.dataset)

    def record(self) -> dict[str, Any]:
        """The record of the data in config.json."""
        data = self.dataset
        return {
            "name": data.name,
            "checksum": self.checksum,
            "train": len(data.x_train),
            "val": len(data.x_val),
            "test": len(data.x_test),
            "input_shape": list(data.x_train.shape[1:]),
            "targets": self.targets.word,
            "outputs": self.targets.width(data),
            "classes": data.classes,
            "target": None if data.target is None else data.target.to_json(),
            "columns": list(data.columns),
            "offset": data.offset.tolist(),
            "scale": data.scale.tolist(),
            "encoding": (data.encoding or describe_arrays(np.asarray(data.x_train))).to_json(),
        }

    def scores(self, params: Params) -> dict[str, float | None]:
        """Scores on (part of) the training split and on validation; for a table also the validation loss."""
        train = self._named("train", params, _TRAIN_SAMPLE)
        found = {name: value for name, value in train.items() if not name.endswith("_error")}
        return found | self._named("val", params) | (self._loss(params) if self.dataset.columns else {})

    def _loss(self, params: Params) -> dict[str, float | None]:
        """The validation loss: minus the mean default fitness. It decides between equal scores."""
        data, fitness = self.dataset, next(iter(self.targets.fitnesses.values()))
        outputs = predict(self.model, params, data.x_val, data.offset, data.scale)
        return {LOSS: -float(mean_fitness(fitness(jnp.asarray(outputs), jnp.asarray(data.y_val))))}

    def tested(self, params: Params) -> dict[str, Any]:
        """Scores on the test split: the measure and all usual metrics, with their intervals and baselines."""
        data, y = self.dataset, self.dataset.y_test
        outputs = predict(self.model, params, data.x_test, data.offset, data.scale)
        found = scored(self.metric, self.targets, outputs, y)
        named = {f"test_{name}": value for name, value in found.items()}
        interval = {"test_interval": interval_of(self.measure, found, len(y))}
        return named | interval | final_metrics(self.targets, outputs, data, found)

    def _named(self, split: Split, params: Params, limit: int | None = None) -> dict[str, float | None]:
        return {f"{split}_{name}": value for name, value in split_figures(self, params, split, limit).items()}

    def chunk_count(self, population: int, mirrored: bool) -> None:
        """None: as many as suit the population."""
        return None

    def generation(self, strategy: Strategy, local: Local | None, deadline: float) -> Generation:
        """The functions of one generation on minibatches."""
        return Batches(self, strategy, local)

    def begin(self, search: Any) -> Any:
        """The strategy's own state: nothing else is kept between generations."""
        return search

    def state_shapes(self, search: Any) -> Any:
        """The shapes of the strategy's own state."""
        return search

    def arrays(self) -> Arrays:
        """The training split on the default device."""
        data = self.dataset
        return Arrays(*map(jnp.asarray, (data.x_train, data.y_train, data.offset, data.scale)))

    def pick(self, arrays: Arrays, key: Key) -> ExampleIndices:
        """The examples of the minibatch at an address, by number.

        "random" draws with replacement, "contiguous" a slice at a random start (the blog's). A batch of the
        whole split is the split itself.
        """
        examples = arrays.x.shape[0]
        if self.batch == examples:
            rows = jnp.arange(examples)
        elif self.sampling == "contiguous":
            rows = jax.random.randint(key, (), 0, examples - self.batch + 1) + jnp.arange(self.batch)
        else:
            rows = jax.random.randint(key, (self.batch,), 0, examples)
        most = 2 * self.shift + 1
        corners = jax.random.randint(jax.random.fold_in(key, 1), (self.batch, 2), 0, most) if self.shift else None
        return ExampleIndices(rows, corners)

    def read(self, arrays: Arrays, picks: ExampleIndices) -> tuple[Array, Array]:
        """The examples picked: inputs [*picks, *input] as float32, labels [*picks]."""
        rows = picks.rows.reshape(-1)
        x = arrays.x[rows]
        if picks.corners is not None:
            x = shifted(x, picks.corners.reshape(-1, 2), self.shift)
        x = model_input(x, arrays.offset, arrays.scale)
        return x.reshape(*picks.rows.shape, *x.shape[1:]), arrays.y[picks.rows]

    def draw(self, arrays: Arrays, key: Key) -> tuple[Array, Array]:
        """The minibatch at an address: inputs [batch, *input] as float32, labels [batch]."""
        return self.read(arrays, self.pick(arrays, key))

    def objective(self, params: Params, x: Array, y: Array) -> Float[Array, ""]:
        """The mean fitness of the minibatch."""
        return mean_fitness(self.fitness(self.model.apply(params, x), y))

    def example_fitness(self, params: Params, x: Array, y: Array) -> Float[Array, ""]:
        """The fitness of one example."""
        return mean_fitness(self.fitness(self.model.apply(params, x[None]), y[None]))

    def population(self, perturbation: Perturbation, chunks: int | None = None) -> Local | None:
        """How a local perturbation's population is laid out on this task's minibatches.

        Raises:
            ConfigError: the fitness or the network needs the whole batch, and this perturbation evaluates each example
                alone.
        """
        if as_dense(perturbation) is None:
            require_alone(self.fitness, self.model, self.dataset, self.batch, self.targets.width(self.dataset))
        shape = self.dataset.x_train.shape[1:]
        x = jax.ShapeDtypeStruct((self.batch, *shape), jnp.float32)
        params = jax.eval_shape(self.model.init, jax.eval_shape(lambda: jax.random.key(0)))
        y = target_shapes(self.dataset, self.batch)
        return perturbation.layout(self.example_fitness, params, x, y, count=chunks)


def supervised(
    dataset: Dataset,
    model: Model,
    fitness: Fitness,
    batch: int,
    sampling: Sampling = "random",
    private: bool = False,
    shift: int = 0,
    targets: Targets | None = None,
    metric: Metric | None = None,
) -> Supervised:
    """A `Supervised` task, checked.

    Args:
        targets: their kind, default the one that fits the data set.
        metric: what the network is chosen by, default that of the kind of target.

    Raises:
        ConfigError: the batch is larger than the training split, or the fitness does not return one number
            or one number an example.
    """
    examples = len(dataset.x_train)
    if not 1 <= batch <= examples:
        raise ConfigError(
            f"batch must be 1 to {examples:,}, the training examples of {dataset.name}, got {batch:,}; "
            f"use batch {min(max(batch, 1), examples)}"
        )
    shape = dataset.x_train.shape[1:]
    if shift and (len(shape) not in (2, 3) or not 0 <= shift < min(shape[:2])):
        raise ConfigError(
            f"shift cannot be {shift} for examples of shape {shape}; it moves images [height, width] by fewer pixels "
            "than they have; use 0 to 2"
        )
    targets = targets or targets_of(dataset)
    metric = metric or resolve_metric(None, None, targets)
    checked_fitness(fitness, batch, targets.width(dataset), target_shapes(dataset, batch))
    if metric.measure != targets.measure:  # one that fails does so here, before anything is written
        metric.value(targets, np.zeros((len(dataset.y_val), targets.width(dataset)), np.float32), dataset.y_val)
    return Supervised(dataset, model, fitness, batch, targets, metric, sampling, private, shift)


def split_figures(task: Supervised, params: Params, split: Split, limit: int | None = None) -> dict[str, float | None]:
    """What a split's examples (its first `limit`) score, by name."""
    x, y = (array[:limit] for array in split_arrays(task.dataset, split))
    outputs = predict(task.model, params, x, task.dataset.offset, task.dataset.scale)
    return scored(task.metric, task.targets, outputs, y, sure=False)
