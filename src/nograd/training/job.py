"""From settings to a training: data set or environment, network, task, strategy and keys."""

from dataclasses import replace
from typing import Any, NamedTuple, TypeAlias

import jax
import optax

from nograd import data, models
from nograd.config.settings import TrainConfig
from nograd.config.task_settings import is_environment, options_of
from nograd.core.types import ConfigError
from nograd.data import Dataset
from nograd.envs import World, environment
from nograd.generation.base import Generation, Keys, run_keys
from nograd.generation.host_episodes import Episodes
from nograd.generation.jax_episodes import Traced
from nograd.generation.minibatch import Batches
from nograd.generation.policy import Carried
from nograd.models import Builder, Model
from nograd.perturbations.dense import Dense
from nograd.perturbations.node import Node
from nograd.perturbations.population import Local, Perturbation
from nograd.strategies.base import Strategy
from nograd.tasks.classification import Supervised, supervised
from nograd.tasks.control import Environment
from nograd.tasks.fitness import Fitness
from nograd.training.environments import chunk_count, make_environment, seated
from nograd.training.factories import make_strategy, population_of, resolve_fitness, resolve_model, resolve_policy

Source: TypeAlias = Dataset | World  # what a task is made from


class Job(NamedTuple):
    """Everything that one training runs on."""

    config: TrainConfig
    task: Supervised | Environment
    strategy: Strategy
    local: Local | None  # how the population lies on a batch; None for a dense one
    keys: Keys

    @property
    def generation(self) -> Generation:
        """The functions of its generations."""
        if isinstance(self.task, Supervised):
            return Batches(self.task, self.strategy, self.local)
        if self.task.world.is_traced:
            return Traced(self.task, self.strategy, self.local)
        return Episodes(self.task, self.strategy, self.local, self.config.deadline)

    def init_state(self) -> Any:
        """The state of generation 0, from the seed."""
        search = self._search()
        return search if isinstance(self.task, Supervised) else Carried(self.task.context(), search)

    def state_shapes(self) -> Any:
        """The shapes and types of any state of this job, without computing one."""
        search = jax.eval_shape(self._search)
        return search if isinstance(self.task, Supervised) else Carried(jax.eval_shape(self.task.blank), search)

    def _search(self) -> Any:
        return self.strategy.init(jax.jit(self.task.model.init)(self.keys.init))


class Objects(NamedTuple):
    """What a Python caller hands over in place of the settings' words."""

    model: Model | Builder | None = None
    fitness: Fitness | None = None
    optimizer: optax.GradientTransformation | None = None
    perturbation: Dense | Perturbation | None = None
    strategy: Strategy | None = None  # with its own optimizer and perturbation


def build_job(config: TrainConfig, source: Source, objects: Objects | None = None) -> Job:
    """The job of a config on its data or environment. Raises ConfigError or ModelError for what does not fit."""
    objects = objects or Objects()
    if isinstance(source, World):
        return _environment_job(config, source, objects)
    dataset = source
    model = models.build_model(objects.model or resolve_model(config.model), dataset.x_train.shape[1:], dataset.classes)
    task = supervised(
        dataset,
        model,
        objects.fitness or resolve_fitness(config.fitness),
        config.batch,
        config.batch_sampling,
        config.batch_sharing == "private",
        config.shift,
    )
    strategy = objects.strategy or make_strategy(config, objects.perturbation, objects.optimizer)
    perturbation = strategy.perturbation
    local = None if isinstance(perturbation, Dense) else task.population(perturbation, config.chunks)
    return Job(config, task, strategy, local, run_keys(config.seed))


def _environment_job(config: TrainConfig, world: World, objects: Objects) -> Job:
    model = objects.model or resolve_policy(config.model)
    task = make_environment(config, world, model)
    count = config.chunks or chunk_count(config, population_of(config), world)
    cut = replace(config, chunks=count)
    strategy = objects.strategy or make_strategy(cut, objects.perturbation, objects.optimizer)
    perturbation = strategy.perturbation
    if isinstance(perturbation, Node):
        raise ConfigError("node perturbation goes by the examples of a batch; use a dense or low-rank one")
    local = None if isinstance(perturbation, Dense) else seated(perturbation, task, strategy.chunks)
    return Job(config, task, strategy, local, run_keys(config.seed))


def load_data(config: TrainConfig) -> Source:
    """The data set or the environment that the config names."""
    if is_environment(config.task):
        return environment(config.task or "", **options_of(config.env_options))
    return load_dataset(config)


def load_dataset(config: TrainConfig) -> Dataset:
    """The data set that the config names."""
    return data.load(
        config.task or "mnist",
        data_dir=config.data_dir,
        label=config.label,
        seed=config.seed if config.split_seed is None else config.split_seed,
        standardize=config.standardize,
    )
