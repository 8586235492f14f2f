"""From settings to a finished run directory: the function that both the command line and Python call."""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

from nograd.config.settings import TrainConfig
from nograd.config.validate import validate
from nograd.core.forked import refuse_fork
from nograd.core.runtime import threads_like_this, use_one_thread
from nograd.core.text import parse_duration
from nograd.core.types import RunError
from nograd.data import Dataset
from nograd.engines.create import check_engine
from nograd.runs.curves_process import curves_beside
from nograd.runs.directory import RunDirectory
from nograd.runs.files import write_atomically
from nograd.runs.placement import anchored, placed
from nograd.runs.run import Run
from nograd.runs.saved_settings import saved_settings
from nograd.strategies.base import State
from nograd.tasks.kinds import Source, check_source, kind_of, load_source
from nograd.training.engine import engine_of
from nograd.training.job import Job, Objects, build_job
from nograd.training.loop import Best, Limits, Observer, Progress, Trainer, TrainingEnd
from nograd.training.observers.combined import require_packages, together
from nograd.training.provenance import check_resumable, identity, record, versions
from nograd.training.restore import Restored, restore, resume_from

_GRACE = 5.0  # seconds between SIGTERM and the end; containers and batch systems send SIGKILL after 10 to 30


class Start(NamedTuple):
    """What an observer can know when the first generation is about to run."""

    job: Job
    directory: RunDirectory
    limits: Limits
    identity: str
    parameters: int
    state: State | None  # None: the training begins with generation 0
    progress: Progress
    best: Best | None
    summary: list[str]  # how the columns of a table were read, one line each
    workers: int = 1  # number of workers that share a generation
    worker: str = "process"  # the kind of these workers
    own: Dataset | None = None  # the data set, if it was a Python object that is not on disk


OnStart = Callable[[Start], Sequence[Observer]]


def run_config(
    config: TrainConfig,
    *,
    source: Source | None = None,
    objects: Objects | None = None,
    on_start: OnStart | None = None,
    started: float | None = None,
) -> Run:
    """Trains as the settings say, and returns the finished run.

    Args:
        config: the merged settings; with `resume` they are compared with those of the run.
        source: the data set or environment, in place of `config.task`.
        objects: Python objects in place of names in the settings.
        on_start: called when all is ready; returns the observers; those that are context managers are entered.
        started: `time.perf_counter()` at the start of the program, for `startup_seconds`.

    Raises:
        NogradError: the settings, the data or the run to resume are not possible.
    """
    use_one_thread()
    started = time.perf_counter() if started is None else started
    refuse_fork()
    require_packages(config)
    with ExitStack() as held:
        return _trained(_prepare(validate(config), source, objects, held), objects, on_start, started)


def _trained(start: Start, objects: Objects | None, on_start: OnStart | None, started: float) -> Run:
    # Engine and first state are compiled at the same time, each on a core of its own.
    with threads_like_this(1) as pool:
        state = pool.submit(lambda: start.state or start.job.init_state())
        engine = engine_of(start.job, start.state)
    with ExitStack() as stack:
        stack.callback(engine.close)
        start = start._replace(workers=engine.workers, worker=engine.kind)
        own = on_start(start) if on_start else ()
        observer = together(start.job.config, start.directory, start.progress, own)
        startup = time.perf_counter() - started - engine.compile_seconds
        told = (start.limits, start.identity, observer, observer.stop)
        trainer = Trainer(start.job.task, engine, start.directory, *told, grace=_GRACE)
        if start.job.config.resume:  # only when all else is ready: an error before this leaves the run unchanged
            resume_from(start.directory, start.progress, start.limits)
        stack.enter_context(observer)
        if start.job.initial:  # so that a resumption need not read the file again
            trainer.save_start(state.result(), start.progress)
        ending = trainer.run(state.result(), start.progress, start.best)
    clock = {"startup_seconds": round(startup, 3), "compile_seconds": round(engine.compile_seconds, 3)}
    _finish(start.job, start.directory, ending, clock)
    metric = objects.metric if objects else None
    run = Run(start.directory, start.job.task.model, metric=metric, dataset=start.own)
    observer.finish(run)
    return run


def _prepare(config: TrainConfig, source: Source | None, objects: Objects | None, held: ExitStack) -> Start:
    """Checks everything, then makes the run directory or restores the one to resume; `held` gives its lock back."""
    directory, checkpoint = _resumed(config.resume) if config.resume else (None, None)
    if directory:
        held.callback(directory.release)
        directory.hold()
        check_resumable(saved_settings(directory), config)
    own = source if isinstance(source, Dataset) else None
    if source is None:
        config = placed(config, directory.path) if directory else anchored(config)
        source = load_source(config)
    job = build_job(config, source, objects)
    wanted, config = config, job.config
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
        recorded |= _begun_with(saved, restored, directory)
        directory.write_config(recorded)
    summary = kind_of(source).summary(source, wanted, config)
    told = (job, directory, limits_of(config), recorded["identity"], recorded["parameters"])
    return Start(*told, *restored, summary, own=own)


def _begun_with(saved: dict[str, Any], restored: Restored, directory: RunDirectory) -> dict[str, Any]:
    """The entry "init" of config.json for a resumed run: the same as before.

    Raises:
        RunError: the run ended before it saved the parameters that it began with.
    """
    if "init" in saved and restored.state is None:
        raise RunError(
            f"{directory.path} was ended before it saved the parameters that it began with; start it anew with "
            f"--init {saved['init']['from']}"
        )
    return {"init": saved["init"]} if "init" in saved else {}


def _made(config: TrainConfig, recorded: dict[str, Any]) -> RunDirectory:
    """Makes the run directory: `config.out`, or runs/TASK-DATE-TIME, with a number at its end if that exists."""
    if config.out:
        return RunDirectory.create(config.out, recorded)
    name = f"{Path(config.task or 'mnist').stem}-{time.strftime('%Y%m%d-%H%M%S')}"
    return RunDirectory.create_new(Path("runs") / name, recorded)


def _finish(job: Job, directory: RunDirectory, ending: TrainingEnd, clock: dict[str, float]) -> None:
    """Writes result.json, then curves.png. Only here the test data are used: once, for the best parameters."""
    progress, best, measure = ending.progress, ending.best, job.task.measure
    chosen = best.params if best else ending.state.params
    about = f"{Path(job.config.task or '').name}, {job.config.model}"
    title = f"{about}: {progress.generation:,} generations, seed {job.config.seed}"
    with curves_beside(directory.metrics(), title, measure, best.generation if best else None) as curves:
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
        directory.write_result(result)
        write_atomically(directory.path / "curves.png", curves())


def _resumed(path: str) -> tuple[RunDirectory, Path | None]:
    """The run that --resume names, and the checkpoint if it names one."""
    if path.endswith(".safetensors"):
        return RunDirectory.open(Path(path).parent.parent), Path(path)
    return RunDirectory.open(path), None


def resumed_settings(path: str) -> TrainConfig:
    """The settings of the run that --resume names."""
    return saved_settings(_resumed(path)[0])


def limits_of(config: TrainConfig) -> Limits:
    """When a training with these settings ends, evaluates and saves."""
    return Limits(
        config.generations,
        parse_duration(config.budget) if config.budget else None,
        config.target,
        config.patience,
        config.eval_every,
        config.checkpoint_every,
        config.keep_checkpoints,
    )
