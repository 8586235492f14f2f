"""The flags of `nograd search`. Nothing here imports JAX, NumPy or Optuna."""

from dataclasses import dataclass, field, replace
from typing import Any, Literal

from nograd.config import fields
from nograd.config.fields import Positional, at_least, file_name, setting
from nograd.config.recipes import base_config, read_recipe
from nograd.config.settings import Perturbation, Strategy, TrainConfig, settings
from nograd.config.task_settings import is_environment, is_file
from nograd.config.validate import validate
from nograd.config.values import ranged, settings_of
from nograd.core.text import parse_duration
from nograd.core.types import ConfigError
from nograd.tuning.space import parse_changes
from nograd.tuning.study.location import is_study

_DATA = ("label", "problem", "columns", "drop", "split")  # how a table is read
_WORK = (
    "model", "strategy", "perturbation", "fitness", "metric", "class_weight", "eval_every", "generations", "seed",
    *_DATA,
)  # of every trial  # fmt: skip
_MAY_CHANGE = ("budget", "trials", "workers", "confirm")  # from one invocation on a study to the next
_DEFAULTS: dict[str, Any] = {"sampler": "random", "pruner": "none", "space": "default", "confirm": 3, "workers": "auto"}
_BUDGET = "1h"
_EVALUATIONS = 1000  # of a trial, at most


@dataclass(frozen=True)
class SearchConfig:
    """Search hyperparameters within a time budget. Writes a study directory with all trials, statistics, and best.toml:
    a recipe of the best settings, for nograd train --config.
    """

    task: Positional[str | None] = setting(None, path=True, check=file_name)
    """What is trained: anything that nograd train takes. Default: as in nograd train."""
    budget: str | None = setting(None, numeric=True, check=fields.duration, metavar="TIME")
    """Time for the whole search, the winner's trainings included and added up over all sessions on the study: 90s, 10m,
    12h. Default: 1h; no limit where --trials is given."""
    trials: int | None = setting(None, check=at_least(1))
    """Stop after this many trials. Default: as many as the budget allows."""
    generations: int | None = setting(None, check=at_least(1))
    """Generations of each trial. Default: as in the recipe."""
    workers: str | None = setting(None, numeric=True, check=fields.workers)
    """Worker processes; each trains one trial at a time on a core of its own. Default: auto, one per core."""
    search: tuple[str, ...] = ()
    """Settings to search, in addition to those of --space or in their place: NAME=log(0.001,1); also uniform, int,
    log_int, choice(a,b), fixed(a) and chi(). NAME alone takes the setting's own range."""
    space: Literal["default", "blog", "only"] | None = None
    """Which settings are searched to begin with: default (those that matter most for the perturbation), blog (those of
    the blog post) or only (none but those of --search). Default: default."""
    sampler: Literal["random", "tpe", "qmc", "cmaes"] | None = None
    """How settings are drawn. With random and qmc (a Sobol sequence) a trial depends on its number alone; tpe and cmaes
    learn from the trials that have ended. Default: random."""
    pruner: Literal["none", "median", "hyperband"] | None = None
    """Which trials are ended early because their validation score is poor, as in Optuna. Default: none."""
    confirm: int | None = setting(None, check=at_least(0))
    """How many fresh seeds the best trial is trained on again, for its test score. Default: 3."""
    seed: int | None = setting(None, check=fields.seed)
    """The seed of everything random; the seed of each trial follows from it and from the trial's number. Default: the
    recipe's, else 0."""
    out: str | None = setting(None, path=True, check=file_name)
    """The study directory: a new one, or one to continue. Default: studies/TASK-DATE-TIME."""
    storage: str | None = None
    """The URL of a database that several machines share, such as postgresql+psycopg://USER@HOST/DATABASE. Default: an
    SQLite file in --out."""
    join: str | None = None
    """Help with the study of this name in --storage that another machine has started. Its space, settings and budget
    hold."""
    preset: str | None = None
    """The recipe that trials start from; nograd presets lists them. Default: the task's own."""
    config: str | None = setting(None, path=True, check=file_name)
    """A recipe of your own: FILE.toml; its table [search], if it has one, says what is searched."""
    json: bool = False
    """Print the statistics as JSON at the end, and nothing else."""
    model: str | None = None
    """The network, as in nograd train. The default of this flag and of all below is that of the recipe."""
    strategy: Strategy | None = None
    """How the fitness of the population moves the parameters; add --search strategy to search it."""
    perturbation: Perturbation | None = None
    """How the members of the population differ from their mean."""
    fitness: str | None = None
    """What each member of the population is scored by, as in nograd train."""
    metric: str | None = None
    """The validation score by which trials are compared: accuracy, f1, rmse …, as in nograd train. Default: that of the
    task."""
    class_weight: str | None = setting(None, names=True)
    """Weights of the classes in the fitness, as in nograd train."""
    eval_every: int | None = setting(None, check=at_least(1))
    """Generations between evaluations on the validation split."""
    label: str | None = setting(None, names=True)
    """The label column of a table, or several: a,b."""
    problem: Literal["auto", "classification", "regression", "multilabel"] | None = None
    """What the labels are, as in nograd train."""
    columns: str | None = setting(None, names=True)
    """The columns of a table to learn from."""
    drop: str | None = setting(None, names=True)
    """Columns of a table to leave out."""
    split: str | None = None
    """How a file is divided into training, validation and test, as in nograd train."""
    data_dir: str | None = setting(None, path=True, check=file_name)
    """The folder of the MNIST files."""


@dataclass(frozen=True)
class Terms:
    """The flags of a search with their defaults filled in, as the study records them."""

    budget: str | None
    trials: int | None
    workers: str
    sampler: str
    pruner: str
    space: str
    confirm: int
    seed: int
    search: dict[str, str] = field(default_factory=dict)

    @property
    def budget_seconds(self) -> float | None:
        return parse_duration(self.budget) if self.budget else None


def check(config: SearchConfig) -> None:
    """Raises ConfigError for a flag out of its range, or one that excludes another."""
    for one in settings_of(SearchConfig):
        if not one.form.many:
            ranged(one, getattr(config, one.name))
    if config.storage and "://" not in config.storage:
        raise ConfigError(f"--storage cannot be {config.storage}; write DIALECT://USER@HOST/DATABASE, or leave it out")
    if config.join and not config.storage:
        raise ConfigError(f"--join {config.join} needs the database that holds the study: add --storage URL")


def base_of(given: SearchConfig) -> TrainConfig:
    """The settings that all trials share, the task perhaps still open. Raises ConfigError, as train does."""
    preset = given.preset or ("blog" if given.space == "blog" and not given.config else None)
    start = TrainConfig(
        task=given.task,
        strategy=given.strategy,
        perturbation=given.perturbation,
        preset=preset,
        config=given.config,
    )
    base = base_config(start)
    over = {name: value for name in (*_WORK, "data_dir") if (value := getattr(given, name)) is not None}
    config = replace(base, **over, task=given.task or (base.task if preset or given.config else None))
    # A trial is one process on one core, and its time is the search's matter, whatever a recipe says. The data are
    # split once for all: the test examples of one trial must not be another's training examples.
    own: dict[str, Any] = {
        name: getattr(TrainConfig(), name) for name in ("engine", "workers", "address", "exchange", "budget")
    }
    if not is_environment(config.task):
        own["split_seed"] = config.seed if config.split_seed is None else config.split_seed
    if (evaluations := config.generations // config.eval_every) > _EVALUATIONS:
        least = -(-config.generations // _EVALUATIONS)
        raise ConfigError(
            f"--eval-every {config.eval_every} makes {evaluations:,} evaluations a trial, and all are kept; use "
            f"{least:,} or more"
        )
    return validate(replace(config, **own))


def needs_task(given: SearchConfig) -> bool:
    """Whether the task is still to be settled: a study that exists has one."""
    return given.join is None and not (given.out and is_study(given.out))


def changes_of(given: SearchConfig) -> dict[str, str]:
    """What the recipe's table [search] and --search change in the space, by name."""
    recipe = read_recipe(given.config).search if given.config else {}
    for name, words in recipe.items():
        if not isinstance(words, str):
            raise ConfigError(f'{given.config}: search.{name} must be a text such as "log(0.001, 1)", got {words!r}')
    changes = recipe | parse_changes(given.search)
    if "strategy" in changes and given.perturbation:  # which would be for the recipe's own strategy alone
        changes.setdefault("perturbation", f"fixed({given.perturbation})")
    return changes


def terms_of(given: SearchConfig, base: TrainConfig, changes: dict[str, str]) -> Terms:
    """The terms of a new study."""
    words = {name: getattr(given, name) or default for name, default in _DEFAULTS.items() if name != "confirm"}
    confirm = _DEFAULTS["confirm"] if given.confirm is None else given.confirm
    budget = given.budget or (None if given.trials else _BUDGET)
    return Terms(budget=budget, trials=given.trials, seed=base.seed, confirm=confirm, search=changes, **words)


def renewed(terms: Terms, given: SearchConfig) -> Terms:
    """The terms of a further session on a study. Raises ConfigError for a flag that may not change."""
    for name in ("sampler", "pruner", "space", "seed"):
        value = getattr(given, name)
        if value is not None and value != getattr(terms, name):
            raise _another(name, getattr(terms, name), value)
    more = {name: getattr(given, name) for name in _MAY_CHANGE}
    return replace(terms, **{name: value for name, value in more.items() if value is not None})


def check_same_work(given: SearchConfig, base: TrainConfig, terms: Terms) -> None:
    """Raises ConfigError where a flag given again differs from the study's own."""
    wanted = {name: value for name in _WORK if (value := getattr(given, name)) is not None}
    if given.task and not is_file(given.task):  # of a file the checksum tells
        wanted["task"] = given.task
    if given.preset or given.config:
        elsewhere = ("task", "data_dir")
        recipe = settings(base_of(given)).items()
        wanted |= {name: value for name, value in recipe if name not in elsewhere}
    for name, value in wanted.items():
        if value != getattr(base, name):
            raise _another(name, getattr(base, name), value)
    if (given.search or given.config) and (changes := changes_of(given)) != terms.search:
        before, now = (" ".join(map("=".join, each.items())) or "nothing" for each in (terms.search, changes))
        raise _another("search", before, now)


def placed(base: TrainConfig, given: SearchConfig) -> TrainConfig:
    """The study's base where this machine keeps its data."""
    here: dict[str, Any] = {"data_dir": given.data_dir} if given.data_dir else {}
    if given.task and is_file(given.task):
        here["task"] = given.task
    return replace(base, **here)


def _another(name: str, before: Any, now: Any) -> ConfigError:
    flag = "TASK" if name == "task" else f"--{name.replace('_', '-')}"
    return ConfigError(f"the study has {flag} {before}, got {now}; leave it out, or name another --out")
