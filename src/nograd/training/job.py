"""Makes a training from the settings: data set or environment, network, task, strategy and keys."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import jax
import optax

from nograd.config.settings import TrainConfig
from nograd.generation.base import Generation, Keys, run_keys
from nograd.models import Builder, Model
from nograd.perturbations.base import Perturbation
from nograd.perturbations.population import Local
from nograd.strategies.base import Strategy
from nograd.tasks.base import Given, Task
from nograd.tasks.kinds import Source, kind_of
from nograd.tasks.targets import Fitness
from nograd.training.factories import make_strategy, population_of
from nograd.training.initial import Initial, begin, initial_of
from nograd.training.restarts import Restarts

Adapted = Callable[[Strategy], Strategy]


class Job(NamedTuple):
    """All parts of one training."""

    config: TrainConfig
    task: Task
    strategy: Strategy
    local: Local | None  # how directions are divided over a batch; None for a dense perturbation
    keys: Keys
    restarts: Restarts | None = None  # for a search with restarts
    initial: Initial | None = None  # parameters to begin with; None: drawn from the seed
    adapted: Adapted | None = None  # makes the strategy that is used of one from the settings; see `Objects`

    @property
    def generation(self) -> Generation:
        """The functions that compute its generations."""
        return self.task.generation(self.strategy, self.local, self.config.deadline)

    def init_state(self) -> Any:
        """The state of generation 0, from the seed or from given parameters."""
        if self.initial is None:
            return self.task.begin(self._search())
        return begin(self.task, self.strategy.init(self.initial.params), self.initial)

    def state_shapes(self) -> Any:
        """The shapes and types of a state of this job; nothing is computed."""
        return self.task.state_shapes(jax.eval_shape(self._search))

    def sized(self, population: int, narrowed: float = 1.0) -> "Job":
        """This job with another population, and with its first sigma multiplied by `narrowed`."""
        config = replace(self.config, population=population)
        strategy = make_strategy(replace(config, sigma=self.config.sigma * narrowed))
        return self._replace(config=config, strategy=self.adapted(strategy) if self.adapted else strategy)

    def _search(self) -> Any:
        return self.strategy.init(jax.jit(self.task.model.init)(self.keys.init))


class Objects(NamedTuple):
    """Python objects that the caller gave in place of the names in the settings; None: the name counts."""

    model: Model | Builder | None = None
    fitness: Fitness | None = None
    metric: Callable[[Any, Any], Any] | None = None  # (y_true, y_pred) -> a number
    optimizer: optax.GradientTransformation | None = None
    perturbation: Perturbation | None = None
    strategy: Strategy | None = None  # with its own optimizer and perturbation
    restarts: Restarts | None = None
    adapted: Adapted | None = None  # makes of a strategy the one that is used, such as one with a margin
    init: Any = None  # a tree of parameters, or the `params` of a run on an environment


def build_job(config: TrainConfig, source: Source, objects: Objects | None = None) -> Job:
    """The job of a config on its data or environment. Raises ConfigError or ModelError if the parts do not fit."""
    objects = objects or Objects()
    config = kind_of(source).with_defaults(config, source)
    task = kind_of(source).task(config, source, Given(objects.model, objects.fitness, objects.metric))
    chunks = config.chunks or task.chunk_count(population_of(config), config.mirrored)
    cut = replace(config, chunks=chunks)
    strategy = objects.strategy or make_strategy(cut, objects.perturbation, objects.optimizer)
    strategy = objects.adapted(strategy) if objects.adapted else strategy
    local = task.population(strategy.perturbation, strategy.chunks)
    initial = initial_of(config, objects.init, task)
    return Job(config, task, strategy, local, run_keys(config.seed), objects.restarts, initial, objects.adapted)
