"""From settings to the objects of a training: data set, network, task, strategy and keys."""

import hashlib
import json
from dataclasses import replace
from typing import Any, NamedTuple, TypeAlias

import jax
import optax

from nograd import data, models
from nograd.config import (
    DEFAULT_POPULATION,
    TrainConfig,
    did_you_mean,
    identity_settings,
    settings,
    top_directions,
)
from nograd.data import Dataset
from nograd.engines.batches import Batches
from nograd.engines.episodes import Carried, Episodes
from nograd.engines.generation import Generation, Keys, run_keys
from nograd.envs import World, environment
from nograd.fitness import FITNESSES, Fitness
from nograd.imports import import_object
from nograd.models import Builder, Model
from nograd.perturb.dense import Dense, dense
from nograd.perturb.local import Local, Perturbation
from nograd.perturb.lowrank import lowrank
from nograd.perturb.node import Node, node
from nograd.play import chunk_count, make_environment, seated
from nograd.strategies.ars import ars
from nograd.strategies.openai_es import openai_es
from nograd.strategies.pgpe import pgpe
from nograd.strategies.sep_cma_es import sep_cma_es
from nograd.strategies.snes import snes
from nograd.strategies.strategy import Strategy
from nograd.task_settings import is_environment, options_of
from nograd.tasks.environment import Environment
from nograd.tasks.supervised import Supervised, supervised
from nograd.trees import leaf_names, parameter_count
from nograd.types import ConfigError, DataError

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
    count = config.chunks or chunk_count(_population(config), config.mirrored, config.episodes)
    cut = replace(config, chunks=count)
    strategy = objects.strategy or make_strategy(cut, objects.perturbation, objects.optimizer)
    perturbation = strategy.perturbation
    if isinstance(perturbation, Node):
        raise ConfigError("node perturbation goes by the examples of a batch; use a dense or low-rank one")
    if task.model.prepare and not isinstance(perturbation, Dense):
        raise ConfigError(
            f"--perturbation lowrank cannot be with --model {config.model}, which normalises by what each member's own "
            "weights make of a reference batch; use --perturbation dense"
        )
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


def make_perturbation(config: TrainConfig) -> Dense | Perturbation:
    """The perturbation that the config names."""
    if config.perturbation in (None, "dense"):
        return dense(config.sigma, config.noise, config.mirrored)
    same: dict[str, Any] = {"noise": config.noise, "mirrored": config.mirrored, "densify": config.densify}
    if config.perturbation == "node":
        return node(config.sigma, config.directions, **same)
    group = 0 if is_environment(config.task) else config.group
    directions = config.directions if group else _population(config) // (2 if config.mirrored else 1)
    return lowrank(config.rank, config.sigma, directions, group, **same)


def make_strategy(
    config: TrainConfig,
    perturbation: Dense | Perturbation | None = None,
    optimizer: optax.GradientTransformation | None = None,
) -> Strategy:
    """The strategy that the config names, with this perturbation and this optimizer in place of the config's."""
    perturbation = perturbation or make_perturbation(config)
    common: dict[str, Any] = {
        "population": _population(config) if isinstance(perturbation, Dense) else None,
        "perturbation": perturbation,
        "chunks": config.chunks,
    }
    if config.strategy == "snes":
        return snes(lr=config.lr, lr_sigma=config.lr_sigma, **common)
    if config.strategy == "sep-cma-es":
        return sep_cma_es(**common)
    decoupled = config.optimizer in ("adamw", "lion")
    common["optimizer"] = optimizer or make_optimizer(config)
    common["weight_decay"] = 0.0 if decoupled else config.weight_decay
    if config.strategy == "ars":
        return ars(top=top_directions(config), **common)
    if config.strategy == "pgpe":
        return pgpe(shaping=config.shaping, lr_sigma=config.lr_sigma, **common)
    if config.strategy in (None, "openai-es"):
        return openai_es(shaping=config.shaping, **common)
    raise ConfigError(f"the strategy of this run is {config.strategy}; give it: nograd.train(resume=…, strategy=…)")


def _population(config: TrainConfig) -> int:
    return config.population or DEFAULT_POPULATION


def _schedule(config: TrainConfig) -> float | optax.Schedule:
    if config.lr_schedule == "constant":
        return config.lr
    if config.lr_schedule == "linear":
        return optax.linear_schedule(config.lr, 0.0, config.generations)
    return optax.cosine_decay_schedule(config.lr, config.generations)


def make_optimizer(config: TrainConfig) -> optax.GradientTransformation:
    """The Optax optimizer that the config names."""
    lr, decay, momentum = _schedule(config), config.weight_decay, config.momentum
    makers = {
        "sgd": lambda: optax.sgd(lr),
        "momentum": lambda: optax.sgd(lr, momentum),
        "nesterov": lambda: optax.sgd(lr, momentum, nesterov=True),
        "rmsprop": lambda: optax.rmsprop(lr, momentum=momentum),
        "adam": lambda: optax.adam(lr),
        "adamw": lambda: optax.adamw(lr, weight_decay=decay),
        "lion": lambda: optax.lion(lr, weight_decay=decay),
    }
    if config.optimizer not in makers:
        raise ConfigError(f"unknown optimizer {config.optimizer!r}{did_you_mean(config.optimizer, makers)}")
    return makers[config.optimizer]()


def resolve_model(spec: str) -> Model | Builder:
    """The model that a spec names: a built-in, or what `module:function` of the user's returns."""
    if ":" in spec and not models.is_built_in(spec):
        made = import_object(spec, "model")()
        return models.adopt(made) or Builder(spec, made)
    return models.parse_model(spec)


def resolve_policy(spec: str) -> Model | Builder:
    """The policy that a spec names: a built-in, or what `module:function` of the user's returns."""
    return models.parse_policy(spec) if models.is_policy(spec) else resolve_model(spec)


def resolve_fitness(name: str) -> Fitness:
    """The fitness of this name, or the user's `module:function`."""
    if name in FITNESSES:
        return FITNESSES[name]
    if ":" in name:
        return import_object(name, "fitness")
    raise ConfigError(f"unknown fitness {name!r}{did_you_mean(name, FITNESSES)}; or module:function of your own")


def record(job: Job, versions: dict[str, str]) -> dict[str, Any]:
    """What config.json holds: everything that defines the run."""
    params = jax.eval_shape(job.task.model.init, job.keys.init)
    shapes = zip(leaf_names(params), jax.tree.leaves(params), strict=True)
    return {
        "nograd": versions,
        "settings": settings(job.config),
        "measure": job.task.measure.name,
        "data": job.task.record(),
        "population": job.generation.members,
        "parameters": parameter_count(params),
        "shapes": {name: list(leaf.shape) for name, leaf in shapes},
    }


def identity(config: TrainConfig, recorded: dict[str, Any]) -> str:
    """What all checkpoints of one run have in common, and no other run's: settings, data and shapes."""
    content = [identity_settings(config), recorded["data"]["checksum"], recorded["shapes"]]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def model_spec(model: Model | Builder) -> str:
    """The word for a model in config.json; one that only Python can say is marked so."""
    spec = model.spec if isinstance(model, Builder) else None
    return spec or "(a Python object)"


def check_data(recorded: dict[str, Any], source: Source) -> None:
    """Raises DataError where the data, or the environment, are not the ones that a run was trained on."""
    found = source.checksum if isinstance(source, World) else data.checksum(source)
    if found != recorded["data"]["checksum"]:
        what = "spaces or options" if isinstance(source, World) else "data"
        raise DataError(
            f"the {what} of {source.name} have changed since the run was started "
            f"(checksum {recorded['data']['checksum'][:12]} then, {found[:12]} now); "
            "restore them, or start a new run"
        )
