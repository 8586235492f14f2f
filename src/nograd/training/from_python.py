"""`nograd.train`: training from Python. Every setting is a keyword, so that editors complete it."""

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
from nograd.training.display import Show, shown
from nograd.training.initial import begun_with
from nograd.training.job import Objects
from nograd.training.loop import Observer
from nograd.training.overrides import check_beginning, check_objects, named, refuse_fixed, require_own, strategy_word
from nograd.training.own_data import is_source, is_word, own_source, task_word
from nograd.training.train import Start, resumed_settings, run_config


class _NotGiven:
    """The default of every keyword: the setting then comes from the recipe or preset, else from its own default."""

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
    """Trains a network by Evolution Strategies and returns the finished `Run`.

    Args:
        task: the name "mnist" (the default) or "digits"; a path to a table, to arrays or to a folder of images; a
            `Dataset`; a frame (then give `label`); inputs [examples, …] (then give y); the id of an environment such as
            "HalfCheetah-v5"; or `nograd.environment(…)`.
        y: the labels of the inputs: classes of any type, numbers, or [examples, labels].
        observer: called after each generation; see `nograd.Observer`.
        show: whether to show the training while it runs: as a block that is redrawn in a terminal or notebook, else as
            lines. "auto": only in a terminal or notebook.
        model: a name as on the command line, such as "mlp:128"; `nograd.mlp(128)` or similar; or a `Model`.
        fitness: a name as on the command line, or a function (outputs, labels) -> [batch]; higher is better.
        metric: a name as on the command line, or a function (y_true, y_pred) -> number, as in `sklearn.metrics`. If it
            takes probabilities, or lower is better, wrap it in `nograd.make_metric(function, …)`.
        class_weight: "balanced", or a weight per class such as {"yes": 3}.
        strategy: a name as on the command line, or an object such as `nograd.snes(256, sigma=0.1)`. An object contains
            its own sigma, population, optimizer and so on; these cannot be given besides it.
        perturbation: a name as on the command line, or an object such as `nograd.dense(0.05)`, `nograd.lowrank(rank=1,
            sigma=0.02)` or `nograd.node(sigma=0.05, directions=16)`, which replaces sigma, noise and so on.
        optimizer: a name as on the command line, or an Optax optimizer, which contains its own lr.
        test, val: the data of these splits, in the same form as the training data: a file, a frame, or (x, y).
        out: the run directory to write; default runs/TASK-DATE-TIME.
        resume: a run directory or one of its checkpoints; the training goes on from there.
        init: the parameters to begin with: a `Run` or its directory (its best parameters), a .safetensors file, or a
            tree of arrays such as `run.params`.

    The other keywords are settings of `nograd.TrainConfig`; `nograd train --help` describes each. A setting that is not
    given comes from the recipe or preset, else it has its default.

    Returns:
        The finished run, with its parameters, metrics and predictions.

    Raises:
        NogradError: a setting, the data or the model is not possible; the message says what to do.
    """
    arguments = locals()
    check_given(unknown)  # no setting has such a name: the error suggests the one that was probably meant
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
    refuse_fixed(objects, set(given))
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
    return [*shown(start, show), *([observer] if observer else [])]
