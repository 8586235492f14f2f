"""How tasks are made from a source: a data set, an environment or a function. New kinds of source are added here."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol, TypeAlias

from nograd import data
from nograd.config.name_lists import kinds_of, name_list
from nograd.config.scores import is_whole
from nograd.config.settings import AUTO, DEFAULT_MODEL, TrainConfig
from nograd.config.task_settings import is_environment, options_of
from nograd.core.metrics import RETURN
from nograd.core.types import ConfigError, DataError
from nograd.data import Dataset
from nograd.envs import EnvSpec, environment
from nograd.envs.spec import from_portable
from nograd.models import build_model
from nograd.models.resolve import resolve_model, resolve_policy
from nograd.tasks.base import Given, ReportInfo, SourceInfo, Task, TrainedTask
from nograd.tasks.class_weights import weighted
from nograd.tasks.defaults import default_batch, default_model, default_weight_decay
from nograd.tasks.environments import make_environment
from nograd.tasks.fitness import resolve_fitness
from nograd.tasks.functions import Functions
from nograd.tasks.objective import Objective
from nograd.tasks.own_metric import resolve_metric
from nograd.tasks.supervised import supervised
from nograd.tasks.target_kinds import recorded_targets, targets_of
from nograd.tasks.trained import TrainedSupervised

Source: TypeAlias = Dataset | EnvSpec | Objective  # what a task is made from


class SourceKind(Protocol):
    """One kind of source, and how tasks are made from it."""

    def accepts(self, source: Any) -> bool:
        """Whether a source is of this kind."""

    def matches(self, config: TrainConfig) -> bool:
        """Whether the task of a config is of this kind."""

    def recorded(self, record: Mapping[str, Any]) -> bool:
        """Whether the "data" of a config.json were written by a task of this kind."""

    def load(self, config: TrainConfig) -> Any:
        """The source that a config names."""

    def checked(self, source: Any) -> Any:
        """A source that a Python caller gives. Raises NogradError where something is wrong with it."""

    def settings(self, source: Any) -> dict[str, Any]:
        """The settings that name a source that a Python caller gives, beside the task, for config.json."""

    def with_defaults(self, config: TrainConfig, source: Any) -> TrainConfig:
        """The config with what follows from the source where it was not given."""

    def task(self, config: TrainConfig, source: Any, given: Given) -> Task:
        """The task of a config on a source, with what a Python caller gave in place of the config's words."""

    def trained_task(self, config: TrainConfig, record: Mapping[str, Any], given: Given) -> TrainedTask:
        """A run's task from what its config.json says, without the data."""

    def report_info(self, config: TrainConfig, record: Mapping[str, Any]) -> ReportInfo:
        """What reports show of a run, from the same."""

    def summary(self, source: Any, wanted: TrainConfig, final: TrainConfig) -> list[str]:
        """Lines about the parts of a source, to be printed before a training.

        Args:
            wanted: the config before `with_defaults`; `final`: after it.
        """

    def describe(self, config: TrainConfig, source: Any) -> SourceInfo:
        """The facts about a source that do not need a task."""


class Examples:
    """Tasks on the examples of a data set."""

    def accepts(self, source: Any) -> bool:
        """Whether the source is a `Dataset`."""
        return isinstance(source, Dataset)

    def matches(self, config: TrainConfig) -> bool:
        """Whether the task's word is not that of an environment."""
        return not is_environment(config.task)

    def recorded(self, record: Mapping[str, Any]) -> bool:
        """Whether the record has the shape of inputs."""
        return "input_shape" in record

    def load(self, config: TrainConfig) -> Dataset:
        """The data set of this name or file."""
        return data.load(
            config.task or "mnist",
            data_dir=config.data_dir,
            label=config.label,
            seed=config.seed if config.split_seed is None else config.split_seed,
            standardize=config.standardize,
            problem=config.problem,
            columns=name_list(config.columns),
            drop=name_list(config.drop),
            kinds=kinds_of(config.kinds),
            split=config.split,
            test=config.test,
            val=config.val,
            size=config.size,
        )

    def checked(self, source: Dataset) -> Dataset:
        """The data set with arrays of the types that a training reads. Raises DataError."""
        return data.validate(source)

    def settings(self, source: Dataset) -> dict[str, Any]:
        """{}: no setting names values that are given from Python."""
        return {}

    def with_defaults(self, config: TrainConfig, source: Dataset) -> TrainConfig:
        """The config with a fitness of its kind of target, a batch and a network that follow its size."""
        return replace(
            config,
            fitness=config.fitness or next(iter(targets_of(source).fitnesses)),
            batch=config.batch or default_batch(source),
            model=default_model(source) if config.model == AUTO else config.model,
            weight_decay=default_weight_decay(config, source),
        )

    def task(self, config: TrainConfig, source: Dataset, given: Given) -> Task:
        """A task whose members are evaluated on minibatches of the data set."""
        config, targets = self.with_defaults(config, source), targets_of(source)
        fitness = given.fitness or resolve_fitness(config.fitness or "", targets.fitnesses)
        return supervised(
            source,
            build_model(given.model or resolve_model(config.model), source.x_train.shape[1:], targets.width(source)),
            weighted(fitness, config.class_weight, targets, source),
            config.batch or 1,
            config.batch_sampling,
            config.batch_sharing == "private",
            config.shift,
            targets,
            resolve_metric(config.metric, given.metric, targets),
        )

    def trained_task(self, config: TrainConfig, record: Mapping[str, Any], given: Given) -> TrainedTask:
        """The network, the kind of its targets, and the metric that it was chosen by."""
        targets, outputs = recorded_targets(record), record.get("outputs", record["classes"])
        built = build_model(given.model or resolve_model(config.model), tuple(record["input_shape"]), outputs)
        return TrainedSupervised(built, targets, record, resolve_metric(config.metric, given.metric, targets))

    def report_info(self, config: TrainConfig, record: Mapping[str, Any]) -> ReportInfo:
        """The sections of its kind of target, and the sizes of the splits."""
        units = {split: int(record[split]) for split in ("train", "val", "test")}
        sizes = f"{units['train']:,} training, {units['val']:,} validation, {units['test']:,} test"
        facts = {
            "data": f"{record['name']}: {sizes} examples",
            "examples": f"{' × '.join(map(str, record['input_shape']))}, {record['classes']} classes",
        }
        return ReportInfo(recorded_targets(record).sections, "forward passes of one example", units, facts)

    def summary(self, source: Dataset, wanted: TrainConfig, final: TrainConfig) -> list[str]:
        """Lines on the columns, on rows that were changed or left out, and on a batch of all of them."""
        whole = wanted.batch is None and final.batch == len(source.x_train)
        return [*data.account_lines(source), *([f"batch: all {final.batch:,} training examples"] if whole else [])]

    def describe(self, config: TrainConfig, source: Dataset) -> SourceInfo:
        """The note, checksum and sizes of the data set."""
        targets = targets_of(source)
        measure = resolve_metric(config.metric, None, targets).measure
        sizes = len(source.x_val), len(source.x_train)
        drawn = tuple(word for word in targets.fitnesses if not is_whole(word))
        return SourceInfo(source.note, data.checksum(source), measure, *sizes, "data", drawn)


class Environments:
    """Tasks on the episodes of an environment."""

    def accepts(self, source: Any) -> bool:
        """Whether the source is an `EnvSpec`."""
        return isinstance(source, EnvSpec)

    def matches(self, config: TrainConfig) -> bool:
        """Whether the task's word is an environment's id, or a function that makes one."""
        return is_environment(config.task)

    def recorded(self, record: Mapping[str, Any]) -> bool:
        """Whether the record describes an environment."""
        return "world" in record

    def load(self, config: TrainConfig) -> EnvSpec:
        """The environment of this id or maker."""
        return environment(config.task or "", **options_of(config.env_options))

    def checked(self, source: EnvSpec) -> EnvSpec:
        """The environment as it is: `environment` has checked it."""
        return source

    def settings(self, source: EnvSpec) -> dict[str, Any]:
        """The options of its maker."""
        return {"env_options": json.dumps(source.maker_options) if source.maker_options else None}

    def with_defaults(self, config: TrainConfig, source: EnvSpec) -> TrainConfig:
        """The config with the default network for `--model auto`."""
        return replace(config, model=DEFAULT_MODEL) if config.model == AUTO else config

    def task(self, config: TrainConfig, source: EnvSpec, given: Given) -> Task:
        """A task whose fitness is the mean return of episodes."""
        return make_environment(config, source, given.model or resolve_policy(config.model))

    def trained_task(self, config: TrainConfig, record: Mapping[str, Any], given: Given) -> TrainedTask:
        """The whole task: config.json describes the environment completely."""
        return make_environment(config, from_portable(record["world"]), given.model or resolve_policy(config.model))

    def report_info(self, config: TrainConfig, record: Mapping[str, Any]) -> ReportInfo:
        """The numbers of episodes that the scores are means over, and the environment in words."""
        env_spec = record["world"]
        facts = {
            "environment": f"{record['name']} by {env_spec['source']}",
            "observations": " × ".join(map(str, env_spec["observation"]["shape"])) or "a number",
        }
        units = dict.fromkeys(("val", "test"), config.eval_episodes)
        return ReportInfo((), "steps of the environment", units, facts)

    def summary(self, source: EnvSpec, wanted: TrainConfig, final: TrainConfig) -> list[str]:
        """[]: there is nothing more to say about an environment."""
        return []

    def describe(self, config: TrainConfig, source: EnvSpec) -> SourceInfo:
        """The name and checksum of the environment."""
        note = f"environment: {source.name}"
        return SourceInfo(note, source.checksum, RETURN, config.eval_episodes, None, "spaces or options")


KINDS: tuple[SourceKind, ...] = (Functions(), Environments(), Examples())


def kind_of(source: Source) -> SourceKind:
    """The kind of a source. Raises ConfigError for what is none."""
    for kind in KINDS:
        if kind.accepts(source):
            return kind
    raise ConfigError(
        f"a task cannot be made from {type(source).__name__}; give a Dataset, an environment or a function"
    )


def is_source(value: Any) -> bool:
    """Whether a value is a source, such as a `Dataset`."""
    return any(kind.accepts(value) for kind in KINDS)


def checked_source(value: Any) -> Source | None:
    """A source that a Python caller gives, checked; None for what is none. Raises NogradError."""
    return kind_of(value).checked(value) if is_source(value) else None


def load_source(config: TrainConfig) -> Source:
    """The data set or the environment that the config names."""
    return next(kind for kind in KINDS if kind.matches(config)).load(config)


def recorded_task(config: TrainConfig, record: Mapping[str, Any], given: Given) -> TrainedTask:
    """A run's task, from the settings and the "data" of its config.json, with objects in place of its words."""
    return next(kind for kind in KINDS if kind.recorded(record)).trained_task(config, record, given)


def report_info(config: TrainConfig, record: Mapping[str, Any]) -> ReportInfo:
    """What reports show of a run, from the settings and the "data" of its config.json alone."""
    return next(kind for kind in KINDS if kind.recorded(record)).report_info(config, record)


def check_source(recorded: Mapping[str, Any], config: TrainConfig, source: Source) -> None:
    """Raises DataError where the data, or the environment, are not the ones that a run was trained on."""
    now = kind_of(source).describe(config, source)
    if now.checksum != recorded["checksum"]:
        raise DataError(
            f"the {now.parts} of {source.name} have changed since the run was started "
            f"(checksum {recorded['checksum'][:12]} then, {now.checksum[:12]} now); "
            "restore them, or start a new run"
        )
