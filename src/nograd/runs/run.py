"""A training that has been written: its settings, metrics, result, chosen parameters and predictions."""

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from nograd.config.settings import TrainConfig
from nograd.config.task_settings import a_kind
from nograd.core.imports import call_object
from nograd.core.metrics import Measure, measure_of
from nograd.core.types import ConfigError, Params, PyTree, RunError
from nograd.data import Dataset
from nograd.models import Builder, Model, is_built_in
from nograd.models.adapters.base import write
from nograd.runs.checkpoint import load_checkpoint
from nograd.runs.curves import curves_figure
from nograd.runs.directory import RunDirectory
from nograd.runs.export.base import Exported, write_export
from nograd.runs.inputs import inputs_of
from nograd.runs.new_examples import labelled_examples
from nograd.runs.placement import check_on_disk, on_data, placed
from nograd.runs.saved_settings import saved_settings
from nograd.runs.summary import as_html, described, summary
from nograd.tasks.base import Given, ReportInfo, TrainedTask
from nograd.tasks.examples import Split, known_split, split_arrays
from nograd.tasks.kinds import check_source, load_source, recorded_task, report_info

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Run:
    """A training on disk. `params` are the ones chosen on the validation split."""

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
        return as_html(summary(self.directory))

    @property
    def path(self) -> Path:
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
        """The figures of metrics.jsonl by name, each float64 [generations]; NaN in a generation without the figure."""
        lines = self.metrics
        names = dict.fromkeys(name for line in lines for name in line)
        return {name: np.array([line.get(name) for line in lines], np.float64) for name in names}

    def plot(self) -> "Figure":
        """A Matplotlib figure: the population's fitness and the scores over the generations.

        `run.plot().savefig("curves.pdf")` writes it.
        """
        return curves_figure(self.metrics, self.path.name, self.measure, self.result.get("best_generation"))

    @cached_property
    def settings(self) -> TrainConfig:
        """The settings the run was started with."""
        return saved_settings(self.directory)

    @property
    def model(self) -> Model:
        """The network. Raises ConfigError where only Python can say which: then pass it to `load`."""
        return self.task.model

    @property
    def measure(self) -> Measure:
        """The score that the run is judged by."""
        return measure_of(self.config)

    @cached_property
    def task(self) -> TrainedTask:
        """What the run was trained on, as config.json says it: an environment as it is, data without the examples."""
        return recorded_task(self.settings, self.config["data"], Given(self._named_model, metric=self._given_metric))

    @property
    def shown(self) -> ReportInfo:
        """What reports show of this run; computed without the network and the data."""
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
        """The trained parameters with the best validation score; the last ones where there was no evaluation.

        For an environment this is a `Policy`: the parameters, and the statistics that normalise observations.
        For the search for a minimum it is the point that was found.
        """
        return self.task.read_params(self.read)

    def read(self, like: PyTree, part: str) -> PyTree:
        """A part of the checkpoint that `params` are read from: a tree like this one of arrays or of their shapes."""
        if (path := self.directory.chosen) is None:
            raise RunError(f"{self.path} has no checkpoint yet; go on with nograd train --resume {self.path}")
        return load_checkpoint(path, like, part=part)[0]

    def outputs(self, x: np.ndarray) -> np.ndarray:
        """The network's outputs, [examples, outputs]; for observations of an environment [observations, outputs].

        Args:
            x: examples as the data set stores them: pixels 0 to 255 where it holds bytes.
        """
        return self.task.outputs(self.params, np.asarray(x))

    def examples(self, split: Split, dataset: Dataset | None = None) -> tuple[np.ndarray, np.ndarray]:
        """(x, y) of a split of the run's own data. Raises DataError where they are gone, or not the same any more."""
        if "input_shape" not in self.config["data"]:
            raise ConfigError(f"{self._trained_on}, which has no splits; leave the split out")
        return split_arrays(self.data(dataset), known_split(split))

    @property
    def _trained_on(self) -> str:
        return f"{self.path} was trained on {a_kind(self.settings.task)}"

    @property
    def placed(self) -> TrainConfig:
        """The settings, with the data where they lie now."""
        return placed(on_data(self.settings, self._given_data), self.path)

    def data(self, dataset: Dataset | None = None) -> Dataset:
        """The run's own data, read again where they were not handed over. Raises DataError where they are gone."""
        dataset = dataset or self._dataset
        if dataset is None:
            config = self.placed
            check_on_disk(config, self.path)
            dataset = cast(Dataset, load_source(config))
        check_source(self.config["data"], self.settings, dataset)
        return dataset

    def predict(self, x: Any) -> np.ndarray:
        """The prediction for each example: the most likely class by its name, numbers in their unit, labels of
        0 and 1; of observations, the actions.

        Args:
            x: a frame or a mapping of columns, taken by name in any order; or an array as the training was given. Of a
                policy with memory the observations of one episode, in their order.
        Raises:
            DataError: a column is missing or unknown, or the values are in another unit than those of the training.
        """
        return self.task.predictions(self.outputs(self._inputs(x)))

    def predict_proba(self, x: Any) -> np.ndarray:
        """The probability of each class, or that each label applies, [examples, classes]; `x` as in `predict`.

        Raises:
            ConfigError: the run predicts numbers or actions.
        """
        return self.probabilities(self.outputs(self._inputs(x)))

    def probabilities(self, outputs: np.ndarray) -> np.ndarray:
        """The probability of each class, or that each label applies, from the network's outputs."""
        probabilities = getattr(self.task, "probabilities", None)
        if probabilities is None:
            raise ConfigError(f"{self._trained_on}, which has no probabilities; use predict")
        return np.asarray(probabilities(outputs))

    def _inputs(self, x: Any) -> np.ndarray:
        recorded = self.config["data"]
        return inputs_of(recorded, self.settings, x) if "input_shape" in recorded else np.asarray(x)

    def evaluate(self, split: Split = "test", dataset: Any = None, episodes: int | None = None) -> dict[str, Any]:
        """The measure on a split of the run's own data, on new examples, or of fresh episodes, with its 95% interval.

        Args:
            split: "train", "val" or "test".
            dataset: the `Dataset` of a run that was trained on one in another program; or new examples with their
                labels, all of which count: a frame, or the path of a file.
            episodes: of an environment, default 100: none of those that training or validation used.
        Raises:
            DataError: the run's data are not to be found, or what is wrong with the new examples.
        """
        if dataset is not None and not isinstance(dataset, Dataset):
            return self._score(dataset, episodes)
        return self.task.evaluate(self.params, split, lambda: self.examples(split, dataset), episodes)

    def _score(self, source: Any, episodes: int | None) -> dict[str, Any]:
        """The measure on new examples."""
        recorded = self.config["data"]
        if "input_shape" not in recorded:
            raise ConfigError(f"{self._trained_on}, not on examples; leave the data out")
        return self.task.evaluate(
            self.params, "new", lambda: labelled_examples(recorded, self.settings, source), episodes
        )

    def to(self, model: Any) -> Any:
        """A model of Keras, Flax, Equinox or PyTorch with the trained parameters, to go on with that library.

        Args:
            model: the object that was trained, or one like it. A Keras model or an NNX module is written to and
                returned; an Equinox module stays as it is, and a new one is returned; of a Linen module variables for
                `module.apply` are.
        Raises:
            ModelError: it is another model than the one that was trained; the line names the first parameter that
                differs.
        """
        network = self.task.network(self.params)
        return write(model, network.params, network.shape)

    def export(self, path: str | Path, format: str | None = None) -> Path:
        """Writes the trained network to a file that needs no nograd, and returns its path; see docs/export.md.

        Args:
            path: the file.
            format: safetensors, stablehlo, onnx, keras or torch; default: by the suffix of the path.
        Raises:
            ConfigError: there is no such format, or it cannot hold this network.
        """
        given = Exported(self.task.network(self.params), self.settings.model, self._original)
        return write_export(given, Path(path), format)

    def _original(self) -> Any:
        """The object of another library that was trained; None where the network is nograd's own."""
        spec = self.settings.model
        if spec.startswith("("):
            raise ConfigError(
                f"{self.path} was trained on a model handed over in Python; write into it and save it there: "
                "run.to(model)"
            )
        return call_object(spec, "model") if ":" in spec and not is_built_in(spec) else None

    def film(self, path: str | Path) -> dict[str, Any]:
        """One fresh episode as a film, .mp4 or .gif, rendered without a screen; its return and length.

        Raises:
            ConfigError: the run is on examples, or its environment cannot be rendered here.
        """
        return self.task.film(self.params, Path(path))


def load(
    path: str | Path, model: Model | Builder | None = None, data: str | Path | None = None, metric: Any = None
) -> Run:
    """The run of a directory that `train` or `nograd train` wrote.

    Args:
        path: the run directory.
        model: needed only where the run was trained on a model object that words cannot name.
        data: where the data lie now, needed only where they have moved: the file, or the folder of MNIST's files.
        metric: needed only to evaluate where the run was chosen by a Python function.

    Raises:
        RunError: the path is no run directory.
    """
    run = Run(RunDirectory.open(path), model, data, metric)
    _ = run.settings
    return run
