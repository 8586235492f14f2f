"""The settings of a training: command-line flags, recipe file and record of a run in one frozen dataclass.

Nothing here imports JAX, so that `nograd --help` and a wrong flag answer at once.
"""

import difflib
import re
import tomllib
from dataclasses import dataclass, field, fields, replace
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import tomli_w
from tyro.conf import Positional

from nograd import choices, task_settings
from nograd.task_settings import is_environment
from nograd.types import ConfigError

Noise = Literal["gaussian", "rademacher", "table"]
Perturbation = Literal["dense", "lowrank", "node"]
Strategy = Literal["openai-es", "ars", "snes", "pgpe", "sep-cma-es"]
Shaping = Literal["raw", "standardized", "centered_rank", "sign", "utilities"]
Optimizer = Literal["sgd", "momentum", "nesterov", "rmsprop", "adam", "adamw", "lion"]
DEFAULT_POPULATION = 256

# What may differ between a run and its resumption: when to stop, what to keep, where the data lie.
_MAY_CHANGE = {
    "generations",
    "budget",
    "target",
    "patience",
    "checkpoint_every",
    "keep_checkpoints",
    "data_dir",
    "engine",
    "workers",
    "deadline",
    "address",
    "exchange",
}
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def _setting(default: Any, **metadata: Any) -> Any:
    """A field with metadata: `control` for one that says where and whence, `search` for the range that `nograd search`
    draws it from, and `when` = (parent, its values) for one that is drawn only with these. Which strategies and
    perturbations read it stands in `choices`.
    """
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class TrainConfig:
    """Train a network by Evolution Strategies."""

    task: Positional[str | None] = None
    """What to learn: mnist, digits, FILE.npz or FILE.csv; or an environment: CartPole-v1, HalfCheetah-v5, any id of
    EnvPool or Gymnasium, or module:make_env of your own. Default: mnist where it can be had, else digits."""
    model: str = _setting("mlp:64", search="choice(mlp:32, mlp:64, mlp:128)")
    """The network: mlp:128,64 (any widths; also mlp-sign, mlp-int8, mlp-spiking and oriented), linear2 (the blog's),
    cnn, linear and atari (policies), or module:function of your own. An environment's mlp has tanh."""
    fitness: str = _setting("cross_entropy", search="choice(cross_entropy, squared_error, accuracy)")
    """What members are ranked by: cross_entropy, squared_error (on softmax outputs), accuracy, or
    module:function of your own, (outputs [batch, classes], labels [batch]) -> [batch]; higher is better."""
    strategy: Strategy | None = _setting(None, search="choice(openai-es, ars, snes, pgpe, sep-cma-es)")
    """How fitness moves the search: openai-es, ars (plain steps along the best directions), or snes, pgpe or
    sep-cma-es, which learn a sigma for each parameter. Default: the recipe's, else openai-es."""
    perturbation: Perturbation | None = _setting(None, search="choice(dense, lowrank, node)")
    """How members differ from the mean: dense (every parameter has its own draw), lowrank (A·B for each matrix,
    on groups of examples), or node (noise on the outputs of layers, for each example). Default: the recipe's, else
    dense."""
    noise: Noise = _setting("rademacher", search="choice(gaussian, rademacher)")
    """What is drawn: gaussian, rademacher (random signs, the cheapest), or table (slices of a shared table;
    dense only). Default for snes, pgpe and sep-cma-es, which learn nothing from signs: gaussian."""
    sigma: float = _setting(0.05, search="log(0.001, 1)")
    """Standard deviation of the perturbation, in units of the parameters (of layer outputs for node). Where the
    strategy learns it, its start. Default for snes and sep-cma-es: 0.1."""
    lr_sigma: float | None = _setting(None, search="log(0.001, 1)")
    """Learning rate of sigma. Default: for snes (3 + ln d)/(5√d) with d parameters, for pgpe 0.1."""
    directions: int = _setting(32, search="choice(8, 16, 32, 64)")
    """Directions that each example (node) or group of examples (lowrank) is evaluated along."""
    rank: int = _setting(1, search="choice(1, 2, 4)")
    """Rank of the perturbation of each matrix, for lowrank."""
    group: int = _setting(8, search="choice(1, 4, 8, 16)")
    """Examples that see the same members, for lowrank; 0: the whole batch, with population members."""
    densify: bool = False
    """Give dense noise to a parameter that lowrank or node has no rule for, in place of an error."""
    mirrored: bool = _setting(True, search="choice(true, false)")
    """Evaluate every draw with both signs (antithetic sampling); not for sep-cma-es."""
    population: int | None = _setting(None, search="choice(32, 64, 128, 256, 512)", when=("perturbation", ("dense",)))
    """Members a generation, default 256; even with mirrored sampling. It follows from batch, group and directions
    for node, and for lowrank unless --group 0."""
    top: int | float | None = _setting(None, search="log(0.05, 0.95)", when=("perturbation", ("dense",)))
    """Directions that count, those of the best members, for ars: how many, or their share, below 1. Default: all."""
    shaping: Shaping = _setting("centered_rank", search="choice(raw, standardized, centered_rank, sign)")
    """From fitness to weights: raw, standardized (z-score), centered_rank, sign, or utilities (the better half counts,
    as in snes). ars, snes and sep-cma-es have their own."""
    optimizer: Optimizer = _setting("adam", search="choice(sgd, momentum, adam)")
    """The Optax optimizer that takes the step."""
    lr: float = _setting(0.01, search="log(0.0001, 1)")
    """Its learning rate; for snes, that of the mean. Default for ars 0.05, for snes 1."""
    lr_schedule: Literal["constant", "linear", "cosine"] = _setting(
        "constant", search="choice(constant, linear, cosine)"
    )
    """How the learning rate goes to 0 over --generations; constant: it does not."""
    momentum: float = _setting(
        0.9, search="uniform(0.5, 0.99)", when=("optimizer", ("momentum", "nesterov", "rmsprop"))
    )
    """Its momentum, for momentum, nesterov and rmsprop."""
    weight_decay: float = _setting(0.0, search="log(1e-6, 0.1)")
    """L2 coefficient, added to the estimate before the optimizer (decoupled for adamw and lion)."""
    batch: int = _setting(256, search="choice(32, 64, 128, 256, 512)")
    """Examples of a minibatch."""
    batch_sampling: Literal["random", "contiguous"] = _setting("random", search="choice(random, contiguous)")
    """random draws examples with replacement; contiguous takes a slice at a random start."""
    batch_sharing: Literal["shared", "private"] = _setting("shared", search="choice(shared, private)")
    """One minibatch a generation for all members (shared), or one for each draw (private)."""
    shift: int = _setting(0, search="choice(0, 1, 2)")
    """Pixels that each training image may be moved by, at random and anew each time; images only."""
    episodes: int = _setting(1, search="choice(1, 2, 4)")
    """Episodes of each member; its fitness is their mean return. Environments only, as all down to --env-options."""
    member_steps: int = 0
    """A member goes on to further episodes until it has taken so many steps: then a generation has at least
    population · member-steps of them, and at least population · episodes episodes."""
    eval_episodes: int = 16
    """Episodes whose mean return by the mean parameters is the validation score, the same ones each time."""
    episode_limit: str = "none"
    """Steps after which an episode is cut: none (the environment's own limit), adaptive (twice the mean length of the
    generation before), or a number."""
    observations: Literal["raw", "normalized"] = _setting("raw", search="choice(raw, normalized)")
    """Whether the policy sees them less their running mean, divided by their running deviation."""
    action_noise: float = _setting(0.0, search="choice(0.0, 0.01, 0.1)")
    """Standard deviation of noise on the continuous actions of members, in half ranges of the action."""
    action_bins: int | None = None
    """Values that each component of a continuous action may take. Default: any."""
    frame_skip: int = 1
    """Steps of the environment that an action is held for."""
    env_options: str | None = None
    """Keyword arguments of the environment's maker, as JSON: '{"ctrl_cost_weight": 0.5}'."""
    generations: int = 1000
    """Stop after this many generations."""
    budget: str | None = None
    """Stop after this much training time: 90s, 10m, 1h30m."""
    target: float | None = None
    """Stop when the validation score reaches this: an accuracy such as 0.95, or an environment's return."""
    patience: int | None = None
    """Stop after this many evaluations on the validation split without a new best."""
    eval_every: int = 50
    """Generations between evaluations on the validation split."""
    checkpoint_every: int = 100
    """Generations between checkpoints."""
    keep_checkpoints: int = 3
    """How many checkpoints to keep, beside the best by validation."""
    engine: Literal["auto", "inline", "process", "ray"] = "auto"
    """Where the evaluations run: inline (this process, on one or several devices), process (one a core), ray (a
    cluster), or auto (process on a CPU with several cores, else inline). The result is the same, bit by bit."""
    address: str | None = None
    """The Ray cluster: HOST:PORT, or auto for the one that this machine belongs to. Default: one of this machine."""
    exchange: Literal["sums", "scalars"] = "sums"
    """What travels on a Ray cluster: partial sums of the estimate, or fitness alone (each worker then makes the whole
    update itself)."""
    workers: str = "auto"
    """What shares a generation: processes, this one included, or devices of the inline engine. auto: one process a
    core; inline, all GPUs that JAX finds."""
    chunks: int | None = None
    """Parts that a generation is cut into, the most workers that can share it. It sets the order of sums, so it is
    part of the result. Default: as many as suit the population."""
    deadline: float = 60.0
    """Seconds of silence after which a worker counts as dead, and is replaced."""
    seed: int = 0
    """Of everything random: initial weights, noise, minibatches and splits."""
    split_seed: int | None = None
    """Of the split of a file into training, validation and test examples alone. Default: --seed."""
    label: str | None = None
    """The label column of a CSV file. Default: a column named label, target, class or y."""
    standardize: Literal["auto", "none", "center", "standard"] = _setting(
        "auto", search="choice(auto, center, standard)"
    )
    """Inputs: auto (bytes to 0..1, CSV columns to mean 0 and variance 1), none, center (bytes to 0..1,
    each feature to mean 0), or standard (each feature to mean 0 and variance 1)."""
    data_dir: str | None = None
    """Where the MNIST files lie. Default: $NOGRAD_DATA, the user cache, else downloaded."""
    out: str | None = _setting(None, control=True)
    """The run directory. Default: runs/TASK-DATE-TIME."""
    preset: str | None = _setting(None, control=True)
    """Start from a recipe that ships with the package; see nograd presets."""
    config: str | None = _setting(None, control=True)
    """Start from a recipe of your own: FILE.toml with these settings as keys."""
    resume: str | None = _setting(None, control=True)
    """Go on with a run: its directory, or one checkpoint of it."""
    open: bool = _setting(False, control=True)
    """Write the page RUN/report.html while the training runs, and show it in the browser."""
    tensorboard: bool = _setting(False, control=True)
    """Write the metrics for TensorBoard too: tensorboard --logdir runs."""
    wandb: bool = _setting(False, control=True)
    """Send the metrics to Weights & Biases too, to the project $WANDB_PROJECT or nograd."""


def validate(config: TrainConfig) -> TrainConfig:
    """The config, its strategy and its perturbation named, where every number is in its range.

    Raises:
        ConfigError: one is not, or a setting does not fit the others; with value and remedy.
    """
    config = replace(config, **choices.chosen(settings(config)))  # type: ignore[arg-type]
    for name in (
        "batch", "episodes", "eval_episodes", "frame_skip", "generations", "eval_every", "checkpoint_every",
        "keep_checkpoints", "directions", "rank",
    ):  # fmt: skip
        _require(getattr(config, name) >= 1, name, getattr(config, name), "use 1 or more")
    for name in ("sigma", "lr"):
        value = getattr(config, name)
        _require(0 < value < float("inf"), name, value, "use a positive number such as 0.01")
    _require(0 <= config.weight_decay < float("inf"), "weight_decay", config.weight_decay, "use 0 or more")
    _require(0 <= config.momentum < 1, "momentum", config.momentum, "use 0 or more and less than 1")
    for name in ("seed", "split_seed"):
        value = getattr(config, name)
        _require(value is None or 0 <= value < 2**32, name, value, "use 0 to 4294967295")
    if config.target is not None:
        known = is_environment(config.task) or 0 < config.target <= 1
        _require(known and config.target == config.target, "target", config.target, "it is an accuracy, such as 0.95")
    if config.patience is not None:
        _require(config.patience >= 1, "patience", config.patience, "use 1 or more")
    _require(config.shift >= 0, "shift", config.shift, "use 0 (none) to 2 pixels")
    _require(config.group >= 0, "group", config.group, "use 0 (the whole batch) or a number of examples")
    choices.check_read(settings(config), settings(TrainConfig()))
    task_settings.check_read(settings(config), settings(TrainConfig()))
    _validate_episodes(config)
    _validate_population(config)
    _require(config.chunks is None or config.chunks >= 1, "chunks", config.chunks, "use 1 or more")
    _require(config.deadline > 0, "deadline", config.deadline, "use a number of seconds such as 60")
    _validate_workers(config)
    if config.budget is not None:
        parse_duration(config.budget)
    return config


def _validate_episodes(config: TrainConfig) -> None:
    task_settings.episode_limit(config.episode_limit)
    task_settings.options_of(config.env_options)
    _require(config.member_steps >= 0, "member_steps", config.member_steps, "use 0 (none) or a number of steps")
    _require(0 <= config.action_noise < float("inf"), "action_noise", config.action_noise, "use 0 or more")
    _require(config.action_bins is None or config.action_bins >= 2, "action_bins", config.action_bins, "use 2 or more")


def _validate_workers(config: TrainConfig) -> None:
    known = config.workers == "auto" or (config.workers.isdecimal() and int(config.workers) >= 1)
    _require(known, "workers", config.workers, "use auto or a number such as 2")
    for name, default in (("address", None), ("exchange", "sums")):
        if config.engine != "ray" and getattr(config, name) != default:
            raise ConfigError(f"--{name} {getattr(config, name)} is for a Ray cluster; add --engine ray")


def _validate_population(config: TrainConfig) -> None:
    population = config.population
    if population is not None:
        _require(population >= 1, "population", population, "use 1 or more")
        if not counts_population(config):
            raise ConfigError(
                f"--population cannot be {population} with --perturbation {config.perturbation}: it follows from "
                "--batch and --directions; leave it out"
                + (", or add --group 0" if config.perturbation == "lowrank" else "")
            )
        if config.mirrored and population % 2:
            raise ConfigError(
                f"population must be even with mirrored sampling, got {population}; "
                f"use {population + 1} or --no-mirrored"
            )
    if config.top is not None:
        directions = _directions(config)
        _require(
            counts_population(config), "top", config.top,
            "leave it out: on parts of a batch the best directions would be those of the easiest examples",
        )  # fmt: skip
        _require(
            0 < config.top < 1 or config.top in range(1, directions + 1), "top", config.top,
            f"use 1 to {directions}, the directions, or a share of them below 1",
        )  # fmt: skip
    if config.perturbation != "dense":
        _require(config.noise != "table", "noise", "table", f"{config.perturbation} draws rademacher or gaussian")
        _require(
            config.batch_sharing == "shared", "batch-sharing", "private", f"{config.perturbation} goes by examples"
        )


def top_directions(config: TrainConfig) -> int | None:
    """How many directions count: `top`, or its share of all, one at least; None: all."""
    if config.top is None:
        return None
    return int(config.top) if config.top >= 1 else max(1, round(config.top * _directions(config)))


def _directions(config: TrainConfig) -> int:
    """Of a mirrored population that is a setting."""
    return (config.population or DEFAULT_POPULATION) // 2


def counts_population(config: TrainConfig) -> bool:
    """Whether the population is a setting, rather than a consequence of batch, group and directions."""
    by_batch = config.group > 0 and not is_environment(config.task)
    return config.perturbation == "dense" or (config.perturbation == "lowrank" and not by_batch)


def _require(condition: bool, name: str, value: Any, remedy: str) -> None:
    if not condition:
        raise ConfigError(f"--{name.replace('_', '-')} cannot be {value}; {remedy}")


def parse_duration(text: str) -> float:
    """Seconds of a duration such as 90s, 10m, 1h30m or 45 (seconds)."""
    parts = re.findall(r"(\d+(?:\.\d+)?)([smhd]?)", text.strip())
    seconds = sum(float(number) * _UNITS[unit or "s"] for number, unit in parts)
    if "".join(number + unit for number, unit in parts) != text.strip() or seconds <= 0:
        raise ConfigError(f"--budget cannot be {text!r}; write a duration such as 90s, 10m or 1h30m")
    return seconds


# Recipes -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Recipe:
    """A TOML file: settings as keys, and two optional tables: [about] with title, source and figure, and [search] with
    the ranges of `nograd search`.
    """

    settings: dict[str, Any]
    about: dict[str, str]
    search: dict[str, Any]


@cache
def recipe_fields() -> dict[str, Any]:
    """The fields that define a run, with their types: all but the ones that say where and whence."""
    types = get_type_hints(TrainConfig)
    return {f.name: types[f.name] for f in fields(TrainConfig) if not f.metadata.get("control")}


def settings(config: TrainConfig) -> dict[str, Any]:
    """The defining settings of a config, by name."""
    return {name: getattr(config, name) for name in recipe_fields()}


def to_toml(config: TrainConfig) -> str:
    """A recipe that reads back as this config. Settings that are not set are left out: TOML has no null."""
    return tomli_w.dumps({name: value for name, value in settings(config).items() if value is not None})


def read_recipe(path: str | Path) -> Recipe:
    """A recipe from a TOML file. Raises ConfigError where it is missing, malformed or has unknown keys."""
    try:
        return parse_recipe(Path(path).read_text("utf-8"), str(path))
    except OSError as error:
        raise ConfigError(f"cannot read --config {path}: {error.strerror}") from error


def parse_recipe(text: str, origin: str) -> Recipe:
    """A recipe from TOML text; `origin` names it in errors."""
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{origin} is not TOML: {error}") from error
    about, search = content.pop("about", {}), content.pop("search", {})
    return Recipe({name: checked(name, value, origin) for name, value in content.items()}, about, search)


def checked(name: str, value: Any, origin: str) -> Any:
    """The value of a setting, of the type that its field has. Raises ConfigError, with `origin` before."""
    known = recipe_fields()
    if name not in known:
        raise ConfigError(f"{origin}: unknown setting {name!r}{did_you_mean(name, known)}")
    kinds = (known[name],) if get_origin(known[name]) is Literal else get_args(known[name]) or (known[name],)
    wanted = [kind for kind in kinds if kind is not type(None)]
    if get_origin(wanted[0]) is Literal:
        if value not in (choices := get_args(wanted[0])):
            raise ConfigError(f"{origin}: {name} cannot be {value!r}; choose one of {', '.join(choices)}")
        return value
    if float in wanted and int not in wanted and type(value) is int:
        return float(value)
    if type(value) not in wanted:
        raise ConfigError(f"{origin}: {name} must be {wanted[0].__name__}, got {value!r}")
    return value


def did_you_mean(name: str, known: Any) -> str:
    """ "; did you mean …?" with the nearest known names, or the list of all."""
    near = difflib.get_close_matches(name, list(known), n=2)
    return f"; did you mean {' or '.join(near)}?" if near else f"; known: {', '.join(known)}"


def presets() -> dict[str, Recipe]:
    """The recipes that ship with the package, by name."""
    folder = resources.files("nograd.presets")
    names = sorted(file.name for file in folder.iterdir() if file.name.endswith(".toml"))
    return {name[:-5]: parse_recipe((folder / name).read_text("utf-8"), f"preset {name[:-5]}") for name in names}


def preset(name: str) -> Recipe:
    """The recipe of this name. Raises ConfigError with the nearest names."""
    known = presets()
    if name not in known:
        raise ConfigError(f"unknown preset {name!r}{did_you_mean(name, known)}")
    return known[name]


def base_config(given: TrainConfig) -> TrainConfig:
    """What the flags of `given` are laid over: its --config or --preset, else the task's own preset.

    What a recipe chose for another strategy or perturbation than that of `given` is left out.
    """
    if given.config and given.preset:
        raise ConfigError(f"--config {given.config} and --preset {given.preset} exclude each other; give one")
    if given.config:
        recipe = read_recipe(given.config).settings
    elif given.preset:
        recipe = preset(given.preset).settings
    else:
        own = _own_recipe(given.task)
        recipe = own.settings if own else {}
    return replace(TrainConfig(), **choices.laid_under(recipe, settings(given)))


def _own_recipe(task: str | None) -> Recipe | None:
    """The recipe of a task's name, or the one that says it is for this task."""
    known = presets()
    return known.get(task or "") or next((one for one in known.values() if task and one.about.get("for") == task), None)


def check_resumable(saved: TrainConfig, wanted: TrainConfig) -> None:
    """Raises ConfigError where a resumed run would not be the run that was saved."""
    before, after = settings(saved), settings(wanted)
    for name in before:
        if name not in _may_change(saved) and before[name] != after[name]:
            flag = "TASK" if name == "task" else f"--{name.replace('_', '-')}"
            raise ConfigError(
                f"cannot resume with another {flag}: the run has {before[name]}, got {after[name]}; "
                "leave it out, or start a new run"
            )


def identity_settings(config: TrainConfig) -> dict[str, Any]:
    """The settings that every checkpoint of one run shares."""
    return {name: value for name, value in settings(config).items() if name not in _may_change(config)}


def _may_change(config: TrainConfig) -> set[str]:
    """A schedule ends with the generations, so that more of them would be another run."""
    return _MAY_CHANGE if config.lr_schedule == "constant" else _MAY_CHANGE - {"generations"}
