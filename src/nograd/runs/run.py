"""A training that is on disk: its settings, metrics, result, best parameters and predictions."""

from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from nograd.config.settings import TrainConfig
from nograd.config.task_settings import a_kind
from nograd.core.metrics import Measure, measure_of
from nograd.core.types import ConfigError, Params, PyTree, RunError
from nograd.data import Dataset
from nograd.models import Builder, Model
from nograd.models.adapters.base import write
from nograd.runs.checkpoint import load_checkpoint
from nograd.runs.curves import curves_figure
from nograd.runs.directory import RunDirectory
from nograd.runs.export.base import Exported, original_model, write_export
from nograd.runs.inputs import inputs_of
from nograd.runs.new_examples import labelled_examples
from nograd.runs.placement import check_on_disk, on_data, placed
from nograd.runs.saved_settings import saved_settings
from nograd.runs.summary import described, described_in_html
from nograd.tasks.acting import Actor, actor_of
from nograd.tasks.base import Given, ReportInfo, TrainedTask
from nograd.tasks.examples import Split, known_split, split_arrays
from nograd.tasks.kinds import check_source, load_source, recorded_task, report_info

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Run:
    """A training on disk. `params` are the parameters with the best validation score.

    `model`, `data` and `metric` are as in `load`; `dataset` is the data set, if it was a Python object.
    """

    def __init__(
        self,
        directory: RunDirectory,
        model: Model | Builder | None = None,
        data: str | Path | None = None,
        metric: Any = None,
        dataset: Dataset | None = None,
    ) -> None:
        self.directory = directory
        self._given_model, self._given_data, self._given_metric = model, data, metric
        self._dataset = dataset

    def __repr__(self) -> str:
        return described(self.directory)

    def _repr_html_(self) -> str:
        return described_in_html(self.directory)

    @property
    def path(self) -> Path:
        """The run directory."""
        return self.directory.path

    @cached_property
    def config(self) -> dict[str, Any]:
        """config.json: settings, versions, data and shapes."""
        return self.directory.config()

    @property
    def result(self) -> dict[str, Any]:
        """result.json; empty while the run has not ended."""
        return self.directory.result() or {}

    @property
    def metrics(self) -> list[dict[str, Any]]:
        """The lines of metrics.jsonl, a dict for each logged generation."""
        return self.directory.metrics()

    @property
    def history(self) -> dict[str, np.ndarray]:
        """The values of metrics.jsonl by name, each float64 [generations]; NaN in generations without this value."""
        lines = self.metrics
        names = dict.fromkeys(name for line in lines for name in line)
        return {name: np.array([line.get(name) for line in lines], np.float64) for name in names}

    def plot(self) -> "Figure":
        """A Matplotlib figure with fitness and scores over the generations; save it with `run.plot().savefig(path)`."""
        return curves_figure(self.metrics, self.path.name, self.measure, self.result.get("best_generation"))

    @cached_property
    def settings(self) -> TrainConfig:
        """The settings with which the run was started."""
        return saved_settings(self.directory)

    @property
    def model(self) -> Model:
        """The network. Raises ConfigError if it was a Python object: then give it to `load`."""
        return self.task.model

    @property
    def measure(self) -> Measure:
        """The metric by which the best parameters were chosen."""
        return measure_of(self.config)

    @cached_property
    def task(self) -> TrainedTask:
        """The task of the run, made from config.json: an environment is made again, a data set has no examples."""
        return recorded_task(self.settings, self.config["data"], Given(self._named_model, metric=self._given_metric))

    @property
    def shown(self) -> ReportInfo:
        """What reports show of this run; needs neither the network nor the data."""
        return report_info(self.settings, self.config["data"])

    @property
    def _named_model(self) -> Model | Builder | None:
        if self._given_model is None and self.settings.model.startswith("("):
            raise ConfigError(
                f"{self.path} was trained on a model handed over in Python; give it: nograd.load(path, model=…)"
            )
        return self._given_model

    @cached_property
    def params(self) -> Params:
        """The trained parameters with the best validation score; without an evaluation, the last ones.

        For an environment this is a `Policy`: the parameters, and the statistics that normalise observations.
        For a search for a minimum it is the point that was found.
        """
        return self.task.read_params(self.read)

    def read(self, like: PyTree, part: str) -> PyTree:
        """Reads a part of the best checkpoint, such as "params"; `like` is a tree with its shapes and types."""
        if (path := self.directory.chosen) is None:
            raise RunError(f"{self.path} has no checkpoint yet; go on with nograd train --resume {self.path}")
        return load_checkpoint(path, like, part=part)[0]

    def outputs(self, x: np.ndarray) -> np.ndarray:
        """The outputs of the network: [examples, outputs], or [observations, outputs] for an environment.

        Args:
            x: examples as the data set stores them; pixels are 0 to 255 if it stores bytes.
        """
        return self.task.outputs(self.params, np.asarray(x))

    def examples(self, split: Split, dataset: Dataset | None = None) -> tuple[np.ndarray, np.ndarray]:
        """(x, y) of a split of the run's data; give `dataset` if it was trained on a `Dataset` object.

        Raises:
            ConfigError: the run was not trained on a data set.
            DataError: the data cannot be found, or have changed.
        """
        if "input_shape" not in self.config["data"]:
            raise ConfigError(f"{self._trained_on}, which has no splits; leave the split out")
        return split_arrays(self.data(dataset), known_split(split))

    @property
    def _trained_on(self) -> str:
        return f"{self.path} was trained on {a_kind(self.settings.task)}"

    @property
    def placed(self) -> TrainConfig:
        """The settings, with the present paths of the data."""
        return placed(on_data(self.settings, self._given_data), self.path)

    def data(self, dataset: Dataset | None = None) -> Dataset:
        """The data set of the run, read from disk unless it is given. Raises DataError if it cannot be found."""
        dataset = dataset or self._dataset
        if dataset is None:
            config = self.placed
            check_on_disk(config, self.path)
            dataset = cast(Dataset, load_source(config))
        check_source(self.config["data"], self.settings, dataset)
        return dataset

    def predict(self, x: Any) -> np.ndarray:
        """Predicts each example.

        Args:
            x: a frame or a mapping of columns, in any order; or an array in the form of the training data. For a policy
                with memory: the observations of one episode, in their order.
        Returns:
            The name of the most likely class, a number in the unit of the label, or a 0 or 1 for each label; for
            observations the actions. The first axis is that of x.
        Raises:
            DataError: a column is missing or unknown, or the values are in another unit than the training data.
        """
        return self.task.predictions(self.outputs(self._inputs(x)))

    def predict_proba(self, x: Any) -> np.ndarray:
        """The probability of each class, or that each label applies: [examples, classes]; x is as in `predict`.

        Raises ConfigError if the run predicts numbers or actions, which have no probabilities.
        """
        return self.probabilities(self.outputs(self._inputs(x)))

    def probabilities(self, outputs: np.ndarray) -> np.ndarray:
        """As `predict_proba`, from the outputs of the network: [examples, outputs] -> [examples, classes]."""
        probabilities = getattr(self.task, "probabilities", None)
        if probabilities is None:
            raise ConfigError(f"{self._trained_on}, which has no probabilities; use predict")
        return np.asarray(probabilities(outputs))

    def _inputs(self, x: Any) -> np.ndarray:
        recorded = self.config["data"]
        return inputs_of(recorded, self.settings, x) if "input_shape" in recorded else np.asarray(x)

    def evaluate(self, split: Split = "test", dataset: Any = None, episodes: int | None = None) -> dict[str, Any]:
        """Computes the metric with its 95% interval: on a split of the run's data, on new examples, or on new episodes.

        Args:
            split: "train", "val" or "test".
            dataset: new examples with their labels, all of which count: a frame, or the path of a file. Or the
                `Dataset` object on which the run was trained, if that is not on disk.
            episodes: number of episodes for an environment, default 100; none was used in training or validation.
        Returns:
            The metric and its interval by name.
        Raises:
            DataError: the data of the run cannot be found, or the new examples are not valid.
        """
        if dataset is not None and not isinstance(dataset, Dataset):
            return self._score(dataset, episodes)
        return self.task.evaluate(self.params, split, lambda: self.examples(split, dataset), episodes)

    def _score(self, source: Any, episodes: int | None) -> dict[str, Any]:
        """The metric on new examples."""
        recorded = self.config["data"]
        if "input_shape" not in recorded:
            raise ConfigError(f"{self._trained_on}, not on examples; leave the data out")
        return self.task.evaluate(
            self.params, "new", lambda: labelled_examples(recorded, self.settings, source), episodes
        )

    def to(self, model: Any) -> Any:
        """Puts the trained parameters into a model of Keras, Flax, Equinox or PyTorch.

        Args:
            model: the object that was trained, or one of the same structure.
        Returns:
            For Keras, PyTorch and NNX: the same object, now with the trained parameters. For Equinox: a new module; the
            given one is unchanged. For Linen: the variables for `module.apply`.
        Raises:
            ModelError: the structure differs from the one that was trained; the message names the first parameter that
                differs.
        """
        network = self.task.network(self.params)
        return write(model, network.params, network.shape)

    def export(self, path: str | Path, format: str | None = None) -> Path:
        """Writes the trained network to a file that can be used without nograd; see docs/how-to/export.md.

        Args:
            path: the file.
            format: safetensors, stablehlo, onnx, keras or torch; default: by the suffix of the path.
        Returns:
            The path of the file.
        Raises:
            ConfigError: the format is unknown, or it cannot hold this network.
        """
        spec = self.settings.model
        given = Exported(self.task.network(self.params), spec, partial(original_model, self.path, spec))
        return write_export(given, Path(path), format)

    def policy(self) -> Actor:
        """The trained policy, asked step by step; see `Actor`. Raises ConfigError without an environment."""
        return actor_of(self.task, self.params, self._trained_on)

    def film(self, path: str | Path) -> dict[str, Any]:
        """Films one new episode to a .mp4 or .gif file, without a display; returns its return and length.

        Raises:
            ConfigError: the run is not on an environment, or the environment cannot be rendered here.
        """
        return self.task.film(self.params, Path(path))


def load(
    path: str | Path, model: Model | Builder | None = None, data: str | Path | None = None, metric: Any = None
) -> Run:
    """Opens the run in a directory that `nograd.train` or `nograd train` wrote.

    Args:
        path: the run directory.
        model: needed only if the run was trained on a Python object that config.json cannot name.
        data: needed only if the data have moved: the file, or the folder of MNIST's files.
        metric: needed only to evaluate a run whose metric was a Python function.

    Raises:
        RunError: the path is not a run directory.
    """
    run = Run(RunDirectory.open(path), model, data, metric)
    _ = run.settings
    return run
