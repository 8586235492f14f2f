"""Classification as a task: a minibatch a generation, the fitness of the outputs, accuracy on a split."""

from functools import partial
from typing import Any, Literal, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from nograd.core.metrics import ACCURACY, Measure
from nograd.core.types import ConfigError, Key, Params
from nograd.data import Dataset, checksum
from nograd.models import Model
from nograd.perturbations.population import Local, Perturbation, local_population
from nograd.tasks.fitness import Fitness, checked_fitness, mean_fitness
from nograd.tasks.per_example import require_alone

Split: TypeAlias = Literal["train", "val", "test"]
Sampling: TypeAlias = Literal["random", "contiguous"]

_TRAIN_SAMPLE = 5000  # training examples whose accuracy stands beside the validation accuracy
_EVALUATION_BLOCK = 250  # examples: what a network makes of so many stays in the caches of a core


class Arrays(NamedTuple):
    """What a generation reads, on the device. Images stay uint8 until a batch is drawn."""

    x: Array  # [examples, *input]
    y: Array  # int32 [examples]
    offset: Array
    scale: Array


class Picks(NamedTuple):
    """Some examples, by number: little to draw, where the examples themselves are read only by who needs them."""

    rows: Int[Array, " batch"]
    corners: Int[Array, "batch 2"] | None  # where the window of each image starts, with a shift


class Supervised(NamedTuple):
    """A labelled data set, a network and a fitness."""

    dataset: Dataset
    model: Model
    fitness: Fitness
    batch: int
    sampling: Sampling = "random"
    private: bool = False  # whether each unit of the population draws a minibatch of its own
    shift: int = 0  # pixels that each image of a minibatch may be moved by, up or down and left or right

    @property
    def measure(self) -> Measure:
        """The share of examples whose largest output is the label's."""
        return ACCURACY

    @property
    def note(self) -> str:
        """One line about the data."""
        return self.dataset.note

    @property
    def checksum(self) -> str:
        """Of what a run on it is bound to: the data."""
        return checksum(self.dataset)

    def record(self) -> dict[str, Any]:
        """What config.json says of the data."""
        data = self.dataset
        return {
            "name": data.name,
            "checksum": self.checksum,
            "train": len(data.x_train),
            "val": len(data.x_val),
            "test": len(data.x_test),
            "input_shape": list(data.x_train.shape[1:]),
            "classes": data.classes,
            "columns": list(data.columns),
            "offset": data.offset.tolist(),
            "scale": data.scale.tolist(),
            "encoding": None if data.encoding is None else data.encoding.to_json(),
        }

    def scores(self, params: Params) -> dict[str, float]:
        """The accuracies on the training and the validation split."""
        train = split_accuracy(self, params, "train", _TRAIN_SAMPLE)
        return {self.measure.train: train, self.measure.val: split_accuracy(self, params, "val")}

    def tested(self, params: Params) -> dict[str, float]:
        """The accuracy on the test split, for the end."""
        return {self.measure.test: split_accuracy(self, params, "test")}

    def arrays(self) -> Arrays:
        """The training split on the default device."""
        data = self.dataset
        return Arrays(*map(jnp.asarray, (data.x_train, data.y_train, data.offset, data.scale)))

    def pick(self, arrays: Arrays, key: Key) -> Picks:
        """Which examples are in the minibatch at an address.

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
        return Picks(rows, corners)

    def read(self, arrays: Arrays, picks: Picks) -> tuple[Array, Array]:
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

    def population(self, perturbation: Perturbation, chunks: int | None = None) -> Local:
        """How a local perturbation's population is laid out on this task's minibatches.

        Raises:
            ConfigError: the fitness or the network needs the whole batch, and this perturbation evaluates each example
                alone.
        """
        require_alone(self.fitness, self.model, self.dataset, self.batch)
        shape = self.dataset.x_train.shape[1:]
        x = jax.ShapeDtypeStruct((self.batch, *shape), jnp.float32)
        params = jax.eval_shape(self.model.init, jax.eval_shape(lambda: jax.random.key(0)))
        y = jax.ShapeDtypeStruct((self.batch,), jnp.int32)
        return local_population(perturbation, self.example_fitness, params, x, y, count=chunks)


def supervised(
    dataset: Dataset,
    model: Model,
    fitness: Fitness,
    batch: int,
    sampling: Sampling = "random",
    private: bool = False,
    shift: int = 0,
) -> Supervised:
    """A `Supervised` task, checked.

    Raises:
        ConfigError: the batch is larger than the training split, or the fitness does not return one number
            or one number an example.
    """
    if dataset.problem != "classification":
        raise ConfigError(
            f"{dataset.name} is a {dataset.problem} by its labels, which this task cannot train; "
            "choose a label of classes, or --problem classification"
        )
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
    checked_fitness(fitness, batch, dataset.classes)
    return Supervised(dataset, model, fitness, batch, sampling, private, shift)


def shifted(x: Array, corners: Int[Array, "batch 2"], most: int) -> Array:
    """Each image moved by its own whole number of pixels, −most..most down and right; zeros come in.

    Args:
        x: images [batch, height, width, ...].
        corners: where each image's window starts in the padded one, 0..2 · most.
        most: pixels.
    """
    rest = ((0, 0),) * (x.ndim - 3)
    padded = jnp.pad(x, ((0, 0), (most, most), (most, most), *rest))
    size = x.shape[1:]
    return jax.vmap(lambda image, at: jax.lax.dynamic_slice(image, (*at, *(0,) * len(rest)), size))(padded, corners)


def model_input(x: Array, offset: Array, scale: Array) -> Array:
    """(x − offset) · scale in float32: what the network sees of stored examples."""
    return (x.astype(jnp.float32) - offset) * scale


@partial(jax.jit, static_argnums=0)
def _outputs(apply: Any, params: Params, x: Array, offset: Array, scale: Array) -> Array:
    return apply(params, model_input(x, offset, scale))


def predict(model: Model, params: Params, x: np.ndarray, offset: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """The network's outputs [examples, classes] for stored examples, block by block."""
    blocks = [
        np.asarray(_outputs(model.apply, params, x[start : start + _EVALUATION_BLOCK], offset, scale))
        for start in range(0, len(x), _EVALUATION_BLOCK)
    ]
    return np.concatenate(blocks)


def split_arrays(dataset: Dataset, split: Split) -> tuple[np.ndarray, np.ndarray]:
    """(x, y) of one split."""
    return getattr(dataset, f"x_{split}"), getattr(dataset, f"y_{split}")


def split_accuracy(task: Supervised, params: Params, split: Split, limit: int | None = None) -> float:
    """The share of a split's examples (its first `limit`) whose largest output is the label's."""
    x, y = (array[:limit] for array in split_arrays(task.dataset, split))
    outputs = predict(task.model, params, x, task.dataset.offset, task.dataset.scale)
    return float(np.mean(outputs.argmax(-1) == y))
