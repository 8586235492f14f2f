"""The whole job: from settings to a finished run directory. Command line and Python both come here."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import optax

from nograd.config.recipes import base_config
from nograd.config.settings import TrainConfig
from nograd.config.validate import validate
from nograd.core.forked import refuse_fork
from nograd.core.runtime import use_one_thread
from nograd.core.text import parse_duration
from nograd.data import Dataset
from nograd.engines.create import check_engine, make_engine
from nograd.envs import World
from nograd.models import Builder, Model
from nograd.perturbations.base import Perturbation
from nograd.runs.curves import draw_curves
from nograd.runs.directory import RunDirectory
from nograd.runs.files import write_atomically
from nograd.runs.placement import anchored, placed
from nograd.runs.run import Run, saved_settings
from nograd.strategies.base import State, Strategy
from nograd.tasks.kinds import Source, check_source, load_source
from nograd.tasks.targets import Fitness
from nograd.training.job import Job, Objects, build_job
from nograd.training.loop import Best, Ending, Limits, Observer, Progress, Trainer
from nograd.training.observers.combined import require_packages, together
from nograd.training.overrides import known_settings, named, require_own, strategy_word
from nograd.training.provenance import check_resumable, identity, record, versions
from nograd.training.restore import Restored, restore, resume_from

_GRACE = 5.0  # seconds between SIGTERM and the end; containers and batch systems send SIGKILL after 10 to 30


class Start(NamedTuple):
    """What is known when the first generation is about to run."""

    job: Job
    directory: RunDirectory
    limits: Limits
    identity: str
    parameters: int
    state: State | None  # None: generation 0, still to be drawn
    progress: Progress
    best: Best | None
    workers: int = 1  # that share a generation
    worker: str = "process"  # what each of them is


OnStart = Callable[[Start], Observer | None]


def train(
    task: str | Path | Source | None = None,
    *,
    model: str | Model | Builder | None = None,
    fitness: str | Fitness | None = None,
    strategy: str | Strategy | None = None,
    perturbation: str | Perturbation | None = None,
    optimizer: str | optax.GradientTransformation | None = None,
    out: str | Path | None = None,
    resume: str | Path | None = None,
    observer: Observer | None = None,
    **fields: Any,
) -> Run:
    """Trains by Evolution Strategies and returns the finished `Run`.

    Args:
        task: "mnist" (the default), "digits", a path to an .npz or .csv file, or a `Dataset`; or an environment's id
            such as "HalfCheetah-v5", or `nograd.environment(…)`.
        model: a word of the command line such as "mlp:128", a builder such as `nograd.mlp(128)`, or a `Model`.
        fitness: a word of the command line, or a function (outputs, labels) -> [batch], higher is better.
        strategy: a word of the command line, or one such as `nograd.snes(256, sigma=0.1)`; then all that it is made of
            (sigma, population, optimizer and so on) is its own.
        perturbation: a word of the command line, or in place of sigma, noise and so on `nograd.dense(0.05)`,
            `nograd.lowrank(rank=1, sigma=0.02)` or `nograd.node(sigma=0.05, directions=16)`.
        optimizer: a word of the command line, or an Optax optimizer (then lr and weight_decay are its own).
        out: the run directory; default runs/TASK-DATE-TIME.
        resume: a run directory, or one of its checkpoints, to go on with.
        observer: told of each generation.
        fields: any other setting of `nograd.TrainConfig`, such as generations, batch or seed.

    Raises:
        NogradError: a setting, the data or the model cannot be; the message says what to do.
    """
    words = {"model": model, "fitness": fitness, "optimizer": optimizer}
    words |= {"strategy": strategy, "perturbation": perturbation, "out": out, "resume": resume}
    given = known_settings(fields) | {name: str(word) for name, word in words.items() if isinstance(word, str | Path)}
    source = task if isinstance(task, Dataset | World) else None
    if task is None and resume is None and not given.keys() & {"preset", "config"}:
        task = "mnist"
    if task is not None:
        given["task"] = source.name if source else str(task)
    if isinstance(strategy, Strategy):
        require_own(strategy, {*given} | {name for name, word in words.items() if word is not None})
        given["strategy"] = strategy_word(strategy)
        perturbation = strategy.perturbation
    if perturbation is not None and not isinstance(perturbation, str):
        given["perturbation"] = perturbation.word
    base = base_config(replace(TrainConfig(), **given)) if resume is None else resumed_settings(str(resume))
    objects = Objects(
        None if isinstance(model, str) else model,
        None if isinstance(fitness, str) else fitness,
        None if isinstance(optimizer, str) else optimizer,
        None if isinstance(perturbation, str) else perturbation,
        None if isinstance(strategy, str) else strategy,
    )
    config = named(replace(base, **given), objects, source)
    return run_config(config, source=source, objects=objects, on_start=lambda start: observer)


def run_config(
    config: TrainConfig,
    *,
    source: Source | None = None,
    objects: Objects | None = None,
    on_start: OnStart | None = None,
    started: float | None = None,
) -> Run:
    """Trains what a config says.

    Args:
        config: the merged settings; with `resume` they are checked against the run's own.
        source: in place of the config's task.
        objects: in place of the config's words.
        on_start: called when all is ready; returns who watches. A context manager is entered meanwhile.
        started: `time.perf_counter()` at the start of the program, for `startup_seconds`.
    """
    use_one_thread()
    started = time.perf_counter() if started is None else started
    refuse_fork()
    require_packages(config)
    with ExitStack() as held:
        return _trained(_prepare(validate(config), source, objects, held), on_start, started)


def _trained(start: Start, on_start: OnStart | None, started: float) -> Run:
    # Both wait for XLA to compile, one on each of two cores.
    with ThreadPoolExecutor(1) as pool:
        state = pool.submit(lambda: start.state or start.job.init_state())
        config, job = start.job.config, start.job
        words = (config.engine, config.workers, config.deadline, config.address, config.exchange)
        engine = make_engine(job.generation, job.state_shapes(), job.keys, *words)
    with ExitStack() as stack:
        stack.callback(engine.close)
        start = start._replace(workers=engine.workers, worker=engine.kind)
        own = on_start(start) if on_start else None
        observer = together(start.job.config, start.directory, start.progress, own)
        startup = time.perf_counter() - started - engine.compile_seconds
        told = (start.limits, start.identity, observer, observer.stop)
        trainer = Trainer(start.job.task, engine, start.directory, *told, grace=_GRACE)
        if config.resume:  # not before all else is ready: what fails until here leaves the run as it was
            resume_from(start.directory, start.progress, start.limits)
        stack.enter_context(observer)
        ending = trainer.run(state.result(), start.progress, start.best)
    clock = {"startup_seconds": round(startup, 3), "compile_seconds": round(engine.compile_seconds, 3)}
    _finish(start.job, start.directory, ending, clock)
    run = Run(start.directory, start.job.task.model)
    observer.finish(run)
    return run


def _prepare(config: TrainConfig, source: Source | None, objects: Objects | None, held: ExitStack) -> Start:
    """Checks everything, then makes the run directory, or restores from the one to resume; `held` keeps others out."""
    directory, checkpoint = _resumed(config.resume) if config.resume else (None, None)
    if directory:
        held.callback(directory.release)
        directory.hold()
        check_resumable(saved_settings(directory), config)
    if source is None:
        config = placed(config, directory.path) if directory else anchored(config)
        source = load_source(config)
    job = build_job(config, source, objects)
    check_engine(job.generation, config.engine, config.workers)
    recorded = record(job, versions())
    if directory is None:
        recorded["identity"] = identity(config, recorded)
        directory = _made(config, recorded)
        held.push(directory.leave)
        restored = Restored()
    else:
        saved = directory.config()
        check_source(saved["data"], config, source)
        recorded["identity"] = saved.get("identity") or identity(saved_settings(directory), recorded)
        restored = restore(directory, job.state_shapes(), recorded["identity"], checkpoint)
        directory.write_config(recorded)
    return Start(job, directory, limits_of(config), recorded["identity"], recorded["parameters"], *restored)


def _made(config: TrainConfig, recorded: dict[str, Any]) -> RunDirectory:
    """A new run directory: the one asked for, or runs/TASK-DATE-TIME, with a number behind it where that is taken."""
    if config.out:
        return RunDirectory.create(config.out, recorded)
    name = f"{Path(config.task or 'mnist').stem}-{time.strftime('%Y%m%d-%H%M%S')}"
    return RunDirectory.create_new(Path("runs") / name, recorded)


def _finish(job: Job, directory: RunDirectory, ending: Ending, clock: dict[str, float]) -> None:
    """Writes result.json and curves.png; the test split is used here, once, on the chosen parameters."""
    progress, best, measure = ending.progress, ending.best, job.task.measure
    chosen = best.params if best else ending.state.params
    result = {
        **({measure.test: None} if ending.reason == "interrupted" else job.task.tested(chosen)),
        measure.val: best.score if best else None,
        "best_generation": best.generation if best else progress.generation,
        "generations": progress.generation,
        "evaluations": progress.evaluations,
        "dropped": progress.dropped,
        "seconds": round(progress.seconds, 3),
        **clock,
        "stop_reason": ending.reason,
    }
    about = f"{Path(job.config.task or '').name}, {job.config.model}"
    title = f"{about}: {progress.generation:,} generations, seed {job.config.seed}"
    curves = draw_curves(directory.metrics(), title, measure, best.generation if best else None)
    write_atomically(directory.path / "curves.png", curves)
    directory.write_result(result)


def _resumed(path: str) -> tuple[RunDirectory, Path | None]:
    """The run of --resume, and the checkpoint where one is named."""
    if path.endswith(".safetensors"):
        return RunDirectory.open(Path(path).parent.parent), Path(path)
    return RunDirectory.open(path), None


def resumed_settings(path: str) -> TrainConfig:
    """The settings of the run that --resume names."""
    return saved_settings(_resumed(path)[0])


def limits_of(config: TrainConfig) -> Limits:
    """When a training of these settings ends, looks and saves."""
    return Limits(
        config.generations,
        parse_duration(config.budget) if config.budget else None,
        config.target,
        config.patience,
        config.eval_every,
        config.checkpoint_every,
        config.keep_checkpoints,
    )
