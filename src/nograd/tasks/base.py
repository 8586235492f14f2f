"""The protocols of a task: `Task` for a training, `TrainedTask` for a finished run, which has no data."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

import numpy as np

from nograd.core.metrics import Measure
from nograd.core.types import Params, PyTree
from nograd.generation.base import Generation
from nograd.models import Builder, Model
from nograd.perturbations.base import Perturbation
from nograd.perturbations.population import Local
from nograd.strategies.base import Strategy
from nograd.tasks.network import Network
from nograd.tasks.targets import Fitness

# (a tree of shapes, the name of a part of the state) -> that part of a checkpoint.
ReadPart = Callable[[PyTree, str], PyTree]
# The inputs and targets of the split that is asked for, read only where they are needed.
ReadSplit = Callable[[], tuple[np.ndarray, np.ndarray]]


class ReportInfo(NamedTuple):
    """What reports show of a run beside its settings and metrics."""

    sections: tuple[str, ...]  # of the run's page that are this task's own: words of `nograd.reports.sections`
    unit_of_work: str  # what `evaluations` counts, for a person
    units: Mapping[str, int]  # the examples or episodes that a score of each split is the mean over
    facts: Mapping[str, str] = MappingProxyType({})  # about the data, the environment or the function, by name


class Given(NamedTuple):
    """Python objects that a caller gives in place of the config's words."""

    model: Model | Builder | None = None
    fitness: Fitness | None = None
    metric: Callable[[Any, Any], Any] | None = None


class SourceInfo(NamedTuple):
    """Facts about a data set or an environment that need no task."""

    note: str
    checksum: str
    measure: Measure
    validation: int  # examples or episodes of a validation score
    examples: int | None  # of the training split; None where there is none
    parts: str  # what may have changed where the checksum differs, in words
    fitnesses: tuple[str, ...] = ()  # those that a search may draw: one value per example


class TrainedTask(Protocol):
    """What a finished run knows of its task, from config.json alone: how to score, predict and film."""

    @property
    def model(self) -> Model:
        """The network whose parameters are trained."""

    @property
    def measure(self) -> Measure:
        """What a run is judged by: its name, direction, format and how its interval is made."""

    def read_params(self, read: ReadPart) -> Params:
        """The trained parameters, read from the parts of a checkpoint."""

    def outputs(self, params: Params, x: np.ndarray) -> np.ndarray:
        """The network's outputs [examples, outputs] for examples as the data store them, or for observations."""

    def predictions(self, outputs: np.ndarray) -> np.ndarray:
        """The predictions of outputs [examples, outputs]: classes, numbers or actions."""

    def table(self, outputs: np.ndarray, details: bool) -> str:
        """Predictions as the text of a CSV file, with the probabilities where details are asked for.

        Raises:
            ConfigError: nothing can be predicted from a file.
        """

    def evaluate(self, params: Params, split: str, read: ReadSplit, episodes: int | None) -> dict[str, Any]:
        """The measure on a split (or on fresh episodes), its 95% `interval`, and over how many units it is.

        Raises:
            ConfigError: there are no such splits, or no episodes.
        """

    def network(self, params: Params) -> Network:
        """The trained network by itself, to be handed over. Raises ConfigError where there is none."""

    def film(self, params: Params, path: Path) -> dict[str, Any]:
        """Films one episode; returns its return and length. Raises ConfigError where a task has no episodes."""


class Task(Protocol):
    """What a training asks of its task: member → fitness by `generation`, parameters → score by `scores`.

    `nograd.testing.task` tests that a task keeps the laws of this protocol.
    """

    @property
    def model(self) -> Model:
        """The network whose parameters are trained."""

    @property
    def measure(self) -> Measure:
        """The score that a run is judged by."""

    @property
    def note(self) -> str:
        """One line about the task, printed when a training starts."""

    @property
    def checksum(self) -> str:
        """A checksum of the data or the environment: a run can only be resumed on the same."""

    def record(self) -> dict[str, Any]:
        """The facts that config.json records about the task."""

    def chunk_count(self, population: int, mirrored: bool) -> int | None:
        """The number of chunks of a population where the settings name none; None: as many as suit the population."""

    def population(self, perturbation: Perturbation, chunks: int | None) -> Local | None:
        """The layout of a local perturbation's population on the examples; None where members are whole networks.

        Raises:
            ConfigError: members of this perturbation cannot be evaluated on this task.
        """

    def generation(self, strategy: Strategy, local: Local | None, deadline: float) -> Generation:
        """The functions of its generations.

        Args:
            deadline: seconds without an answer after which an environment or a function counts as hung.
        """

    def begin(self, search: Any) -> Any:
        """The state of generation 0: the strategy's own, with what else the task keeps between generations."""

    def state_shapes(self, search: Any) -> Any:
        """The shapes of any state, from those of the strategy's own, without computing one."""

    def scores(self, params: Params) -> dict[str, Any]:
        """The scores of trained parameters on the validation split, `measure.val` among them."""

    def tested(self, params: Params) -> dict[str, Any]:
        """The scores of trained parameters on the test split: `measure.test`, and `test_interval`, its 95% interval."""
