"""A finished run on examples, without its data: config.json has all that is needed to use the network."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from nograd.core.metrics import Measure
from nograd.core.types import ConfigError, Params
from nograd.models import Model
from nograd.tasks.base import ReadPart, ReadSplit
from nograd.tasks.examples import predict
from nograd.tasks.final_metrics import scored
from nograd.tasks.metrics import Metric
from nograd.tasks.network import Network, network_of_examples
from nograd.tasks.scores import interval_of
from nograd.tasks.targets import Targets


class TrainedSupervised(NamedTuple):
    """A network, its kind of target, and the record of the data that it was trained on."""

    model: Model
    targets: Targets
    data: Mapping[str, Any]  # what `Supervised.record` gave
    metric: Metric  # the metric by which its parameters were chosen

    @property
    def measure(self) -> Measure:
        """The score that the run is judged by."""
        return self.metric.measure

    def read_params(self, read: ReadPart) -> Params:
        """The network's parameters, from the arrays of a checkpoint."""
        return read(jax.eval_shape(self.model.init, jax.random.key(0)), "params")

    def outputs(self, params: Params, x: np.ndarray) -> np.ndarray:
        """The network's outputs [examples, outputs] for examples as the data set stores them."""
        offset, scale = (np.asarray(self.data[name], np.float32) for name in ("offset", "scale"))
        return predict(self.model, params, x, offset, scale)

    def predictions(self, outputs: np.ndarray) -> np.ndarray:
        """The predictions of outputs, one per example."""
        return self.targets.predictions(outputs)

    def probabilities(self, outputs: np.ndarray) -> np.ndarray:
        """Of each class or label, [examples, classes]. Raises ConfigError where the targets have none."""
        found = getattr(self.targets, "probabilities", None)
        if found is None:
            raise ConfigError(f"targets that are {self.targets.word} have no probabilities; use predict")
        return np.asarray(found(outputs))

    def table(self, outputs: np.ndarray, details: bool) -> str:
        """Predictions as the text of a CSV file."""
        return self.targets.table(outputs, details)

    def evaluate(self, params: Params, split: str, read: ReadSplit, episodes: int | None) -> dict[str, Any]:
        """All figures of a split, with the interval of the measure."""
        if episodes is not None:
            raise ConfigError(f"episodes cannot be {episodes}: this run was trained on examples; leave them out")
        x, targets = read()
        figures = scored(self.metric, self.targets, self.outputs(params, x), targets)
        found = {name: value for name, value in figures.items() if not name.endswith("_error")}
        return {"split": split, **found, "interval": interval_of(self.measure, figures, len(x)), "examples": len(x)}

    def network(self, params: Params) -> Network:
        """With the encoding of its inputs, and the meaning of its outputs."""
        return network_of_examples(self.model, params, self.targets, self.data)

    def film(self, params: Params, path: Path) -> dict[str, Any]:
        """Raises ConfigError: a run on examples has no episodes to film."""
        raise ConfigError(f"--video cannot be {path}: this run was trained on examples; leave it out")
