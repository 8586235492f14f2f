"""The whole job from Python: `nograd.train`, with every setting as a keyword that an editor completes."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal, Never

import optax

from nograd.config.merge import check_given, merge
from nograd.config.name_lists import as_text
from nograd.config.settings import Engine, Noise, Problem, Shaping, all_settings
from nograd.core.types import Params
from nograd.models import Builder, Model
from nograd.perturbations.base import Perturbation
from nograd.runs.run import Run
from nograd.strategies.base import Strategy
from nograd.tasks.kinds import checked_source
from nograd.tasks.targets import Fitness
from nograd.training.display import Show, shown, wanted
from nograd.training.initial import begun_with
from nograd.training.job import Objects
from nograd.training.loop import Observer
from nograd.training.overrides import check_beginning, check_objects, named, require_own, strategy_word
from nograd.training.own_data import is_source, is_word, own_source, task_word
from nograd.training.train import Start, resumed_settings, run_config


class _NotGiven:
    """What a keyword is where the caller does not give it: the recipe's value counts, else the field's default."""

    def __repr__(self) -> str:
        return "<not given>"


NOT_GIVEN: Any = _NotGiven()


def train(
    task: Any = None,
    y: Any = None,
    *,
    observer: Observer | None = None,
    show: Show = "auto",
    model: str | Model | Builder | None = NOT_GIVEN,
    fitness: str | Fitness | None = NOT_GIVEN,
    metric: str | Callable[[Any, Any], Any] | None = NOT_GIVEN,
    class_weight: str | Mapping[Any, float] | None = NOT_GIVEN,
    strategy: str | Strategy | None = NOT_GIVEN,
    perturbation: str | Perturbation | None = NOT_GIVEN,
    noise: Noise = NOT_GIVEN,
    sigma: float = NOT_GIVEN,
    lr_sigma: float | None = NOT_GIVEN,
    directions: int = NOT_GIVEN,
    rank: int = NOT_GIVEN,
    group: int = NOT_GIVEN,
    densify: bool = NOT_GIVEN,
    mirrored: bool = NOT_GIVEN,
    population: int | None = NOT_GIVEN,
    top: int | float | None = NOT_GIVEN,
    shaping: Shaping = NOT_GIVEN,
    optimizer: str | optax.GradientTransformation | None = NOT_GIVEN,
    lr: float = NOT_GIVEN,
    lr_schedule: Literal["constant", "linear", "cosine", "inverse"] = NOT_GIVEN,
    momentum: float = NOT_GIVEN,
    weight_decay: float | None = NOT_GIVEN,
    batch: int | None = NOT_GIVEN,
    batch_sampling: Literal["random", "contiguous"] = NOT_GIVEN,
    batch_sharing: Literal["shared", "private"] = NOT_GIVEN,
    shift: int = NOT_GIVEN,
    episodes: int = NOT_GIVEN,
    member_steps: int = NOT_GIVEN,
    eval_episodes: int = NOT_GIVEN,
    episode_limit: str | int = NOT_GIVEN,
    survival_bonus: float = NOT_GIVEN,
    observations: Literal["raw", "normalized"] = NOT_GIVEN,
    action_noise: float = NOT_GIVEN,
    action_bins: int | None = NOT_GIVEN,
    frame_skip: int = NOT_GIVEN,
    env_options: str | None = NOT_GIVEN,
    generations: int = NOT_GIVEN,
    budget: str | float | None = NOT_GIVEN,
    target: float | None = NOT_GIVEN,
    patience: int | None = NOT_GIVEN,
    eval_every: int = NOT_GIVEN,
    checkpoint_every: int = NOT_GIVEN,
    keep_checkpoints: int = NOT_GIVEN,
    engine: Engine = NOT_GIVEN,
    address: str | None = NOT_GIVEN,
    exchange: Literal["sums", "scalars"] = NOT_GIVEN,
    workers: str | int = NOT_GIVEN,
    chunks: int | None = NOT_GIVEN,
    deadline: float = NOT_GIVEN,
    seed: int = NOT_GIVEN,
    split_seed: int | None = NOT_GIVEN,
    label: str | Sequence[str] | None = NOT_GIVEN,
    problem: Problem = NOT_GIVEN,
    columns: str | Sequence[str] | None = NOT_GIVEN,
    drop: str | Sequence[str] | None = NOT_GIVEN,
    kinds: str | Mapping[str, str] | None = NOT_GIVEN,
    split: str = NOT_GIVEN,
    test: str | Path | Any = NOT_GIVEN,
    val: str | Path | Any = NOT_GIVEN,
    size: str | None = NOT_GIVEN,
    standardize: Literal["auto", "none", "center", "standard"] = NOT_GIVEN,
    data_dir: str | Path | None = NOT_GIVEN,
    out: str | Path | None = NOT_GIVEN,
    preset: str | None = NOT_GIVEN,
    config: str | Path | None = NOT_GIVEN,
    resume: str | Path | None = NOT_GIVEN,
    init: str | Path | Run | Params | None = NOT_GIVEN,
    open: bool = NOT_GIVEN,
    tensorboard: bool = NOT_GIVEN,
    wandb: bool = NOT_GIVEN,
    **unknown: Never,
) -> Run:
    """Trains by Evolution Strategies and returns the finished `Run`.

    Args:
        task: "mnist" (the default), "digits", a path to a table, to arrays or to a folder of images, or a `Dataset`; a
            frame with its `label`; or inputs [examples, …], with y; or an environment's id such as "HalfCheetah-v5", or
            `nograd.environment(…)`.
        y: the labels of inputs: classes of any name, numbers, or [examples, labels].
        observer: told of each generation.
        show: whether the training is shown while it runs: a block that is redrawn in a terminal or a notebook, lines
            elsewhere. "auto": in a terminal and in a notebook.
        model: a word of the command line such as "mlp:128", a builder such as `nograd.mlp(128)`, or a `Model`.
        fitness: a word of the command line, or a function (outputs, labels) -> [batch], higher is better.
        metric: a word of the command line, or a function (y_true, y_pred) -> a number, as in `sklearn.metrics`; where
            it takes probabilities or lower is better, `nograd.make_metric(function, …)` says so.
        class_weight: "balanced", or weights by class: {"yes": 3}.
        strategy: a word of the command line, or one such as `nograd.snes(256, sigma=0.1)`; then all that it is made of
            (sigma, population, optimizer and so on) is its own.
        perturbation: a word of the command line, or in place of sigma, noise and so on `nograd.dense(0.05)`,
            `nograd.lowrank(rank=1, sigma=0.02)` or `nograd.node(sigma=0.05, directions=16)`.
        optimizer: a word of the command line, or an Optax optimizer (then lr and weight_decay are its own).
        test, val: parts of their own: files beside a file, frames beside a frame, (x, y) beside inputs and labels.
        out: the run directory; default runs/TASK-DATE-TIME.
        resume: a run directory, or one of its checkpoints, to go on with.
        init: parameters to begin with: a run or its directory (its best ones), a .safetensors file, or a tree of arrays
            such as `run.params`.

    The other keywords are the settings of `nograd.TrainConfig`; `nograd train --help` says what each does. One that is
    not given is the recipe's, else the default.

    Raises:
        NogradError: a setting, the data or the model cannot be; the message says what to do.
    """
    arguments = locals()
    check_given(unknown)  # none of them is a setting: says which was meant
    given = {name: arguments[name] for name in all_settings() if name != "task" and arguments[name] is not NOT_GIVEN}
    parts = {name: given.pop(name) for name in ("test", "val") if not is_word(given.get(name))}
    given |= {name: as_text(given[name]) for name in given if all_settings()[name].metadata.get("names")}
    given, tree = begun_with(given)
    objects = Objects(
        init=tree,
        **{name: given.pop(name) for name in Objects._fields if not isinstance(given.get(name), str | None)},
    )
    check_objects(objects)
    given = check_given(
        {name: value for name, value in given.items() if value is not None or name not in Objects._fields}
    )
    task, values = (task, None) if y is None and is_source(task) else (task_word(task), task)
    source = checked_source(task)
    if task is None and not any(given.get(name) for name in ("resume", "preset", "config")):
        task = "mnist"
    if task is not None:
        given |= check_given({"task": source.name if source else task})
    if objects.strategy is not None:
        require_own(objects, set(given))
        given["strategy"] = strategy_word(objects.strategy)
        objects = objects._replace(perturbation=objects.strategy.perturbation)
    if objects.perturbation is not None:
        given["perturbation"] = objects.perturbation.word
    check_beginning(objects, given)
    saved = resumed_settings(given["resume"]) if given.get("resume") else None
    merged = merge(given, saved)
    source = own_source(source, values, y, merged, parts)
    with_defaults = named(merged, objects, source)
    return run_config(with_defaults, source=source, objects=objects, on_start=partial(_observers, show, observer))


def _observers(show: Show, observer: Observer | None, start: Start) -> list[Observer]:
    """The display if there is to be one, and the caller's own observer."""
    return [*([shown(start)] if wanted(show) else []), *([observer] if observer else [])]
