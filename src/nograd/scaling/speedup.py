"""`nograd speedup`, from settings to figures: what is measured, in which order, and what is written."""

import platform
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax

from nograd.config.settings import DEFAULT_BATCH, DEFAULT_POPULATION, TrainConfig
from nograd.config.task_settings import reads
from nograd.config.validate import counts_population, validate
from nograd.core.forked import refuse_fork
from nograd.core.json_text import to_json
from nograd.core.runtime import use_one_thread
from nograd.core.trees import parameter_count
from nograd.core.types import ConfigError, RunError
from nograd.engines.create import available_workers
from nograd.runs.files import write_atomically
from nograd.scaling.figures import spread, strong_figures, weak_figures
from nograd.scaling.measure import Setup, Tell, measure
from nograd.scaling.plot import draw
from nograd.scaling.settings import SpeedupConfig, asked_workers, auto_workers
from nograd.tasks.kinds import Source, load_source
from nograd.training.job import Job, build_job


def speedup(config: SpeedupConfig, train: TrainConfig, tell: Tell) -> dict[str, Any]:
    """Measures the speedup, writes speedup.json and speedup.png, and returns the figures.

    Args:
        config: the settings, checked.
        train: the training whose generations are timed.
        tell: called with a line of text on the progress.

    Raises:
        NogradError: the speedup cannot be measured here; the message says what to do.
    """
    refuse_fork()
    use_one_thread()
    folder = _folder(config.out)
    source = load_source(train)
    job = build_job(train, source)
    with available_workers(config.engine, config.address) as cores:
        figures = _measured(config, job, source, cores, tell)
    text = to_json(figures, indent=1)
    write_atomically(folder / "speedup.json", f"{text}\n".encode())
    write_atomically(folder / "speedup.png", draw(figures))
    return figures


def _measured(config: SpeedupConfig, job: Job, source: Source, cores: int, tell: Tell) -> dict[str, Any]:
    """The figures of strong and weak scaling, with the settings and versions that they belong to."""
    workers = _counts(config, job, cores)
    strong = [Setup(count, job) for count in workers]
    weak = [Setup(count, _grown(source, job, count)) for count in workers] if config.weak else []
    figures = _work(job) | {"cores": cores} | spread(config.rounds) | {"versions": _versions()}
    tell("strong scaling, the same work for all:")
    measured = measure(strong, config.rounds, config.generations, tell)
    figures |= {"generations": measured.generations, "strong": strong_figures(measured, cores), "weak": None}
    if weak:
        tell("weak scaling, work that grows with the workers:")
        measured = measure(weak, config.rounds, measured.generations, tell)
        populations = [setup.job.generation.members for setup in weak]
        figures["weak"] = weak_figures(measured, populations, cores)
    return figures


def _counts(config: SpeedupConfig, job: Job, cores: int) -> list[int]:
    """The worker counts. Raises ConfigError if there are too few chunks, or too few cores in the cluster."""
    asked, chunks = config.workers, job.generation.plan.chunks
    counts = asked_workers(asked) or auto_workers(min(cores, chunks))
    if config.engine == "ray":
        counts = _on_cluster(counts, cores, asked)
    if counts[-1] > chunks:
        cut = "is one chunk" if chunks == 1 else f"is cut into {chunks} chunks"
        raise ConfigError(
            f"--workers cannot be {counts[-1]}: this work {cut}, and each worker needs one; cut it finer with "
            f"--chunks {counts[-1]}" + (f", or use up to {chunks}" if chunks > 1 else "")
        )
    if counts == [1] and asked == "auto":
        why = (
            "there is one core (or device) here" if chunks > 1 else "this work is one chunk, and each worker needs one"
        )
        remedy = "--workers 1,2" if chunks > 1 else f"--chunks {max(cores, 2)}"
        raise ConfigError(f"--workers auto leaves nothing to compare: {why}; use {remedy}")
    return counts


def _on_cluster(counts: list[int], cores: int, asked: str) -> list[int]:
    """The counts that a cluster has cores for. All engines hold their cores at the same time, and take turns."""
    fits = [count for place, count in enumerate(counts) if sum(counts[: place + 1]) - place - 1 <= cores]
    if asked != "auto" and fits != counts:
        raise ConfigError(
            f"--workers cannot be {asked} on this cluster: all take turns, so that they need "
            f"{sum(counts) - len(counts)} cores together, and it has {cores}; use --workers 1,{min(cores, counts[-1])}"
        )
    return fits


def _grown(source: Source, job: Job, workers: int) -> Job:
    """The job with `workers` times the population, or the batch if the population follows from it."""
    train = job.config
    if workers == 1:
        return job
    more: dict[str, Any]
    if counts_population(train):
        more = {"population": workers * (train.population or DEFAULT_POPULATION)}
    else:
        more = {"batch": workers * (train.batch or DEFAULT_BATCH)}
    try:
        return build_job(validate(replace(train, **more)), source)
    except ConfigError as error:
        raise ConfigError(
            f"weak scaling to {workers} workers: {error}; or start from less work, or leave it out with --no-weak"
        ) from error


def _work(job: Job) -> dict[str, Any]:
    """The settings and sizes that describe the work of a generation."""
    config, generation = job.config, job.generation
    names = ("engine", "exchange", "task", "model", "perturbation", "noise", "shaping", "mirrored", "seed")
    of_task = {name: getattr(config, name) if reads(config.task, name) else None for name in ("batch", "episodes")}
    local = config.perturbation != "dense" and reads(config.task, "directions")
    return (
        {name: getattr(config, name) for name in names}
        | of_task
        | {
            "directions": config.directions if local else None,
            "population": generation.members,
            "evaluations": generation.evaluations,
            "chunks": generation.plan.chunks,
            "parameters": parameter_count(jax.eval_shape(job.task.model.init, job.keys.init)),
        }
    )


def _versions() -> dict[str, str]:
    names = ("nograd", "jax", "jaxlib", "numpy")
    return {name: version(name) for name in names} | {"python": platform.python_version(), "on": platform.platform()}


def _folder(path: str) -> Path:
    """Makes the output folder if needed; called before the measurement, which takes minutes."""
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"cannot make --out {path}: {error.strerror}; name another folder") from error
    return folder
