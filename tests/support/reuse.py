"""Many small trainings that differ in what is watched: each distinct job is built, compiled and drawn once.

Most of a tiny training's time is Python's and XLA's, for the same program as in the test before. What is kept follows
from all settings but those that a resumption may change, and from the bytes of the data. A job with Python objects,
with words of a user's module or on an environment is built anew each time.
"""

from dataclasses import fields, replace
from functools import cache

from nograd.config.axes import MODELS
from nograd.config.settings import TrainConfig
from nograd.data import Dataset, checksum
from nograd.engines.programs import compile_all
from nograd.tasks.kinds import kind_of
from nograd.training.job import Job, build_job

_FREE = {one.name for one in fields(TrainConfig) if one.metadata.get("control") or one.metadata.get("resume")}
_JOBS: dict[tuple[str, str], Job] = {}  # of all tests in a process
_PROGRAMS: dict[int, tuple] = {}


def reuse_programs(monkeypatch) -> None:
    """Until the end of the test. Not for tests whose law is about building, tracing or compiling."""
    monkeypatch.setattr("nograd.training.train.build_job", _job)
    monkeypatch.setattr("nograd.tuning.open_study.build_job", _job)
    monkeypatch.setattr("nograd.tuning.trial.build_job", _job)
    monkeypatch.setattr("nograd.engines.inline.compile_all", _programs)


def _job(config, source, objects=None) -> Job:
    own = config.model.partition(":")[0] in MODELS.entries and ":" not in (config.fitness or "")
    handed = any(part is not None for part in objects or ())
    if not own or handed or not isinstance(source, Dataset):
        return build_job(config, source, objects)
    config = kind_of(source).with_defaults(config, source)
    key = _what_counts(config), checksum(source)
    if key not in _JOBS:
        _JOBS[key] = _kept(build_job(config, source))
    return _JOBS[key]._replace(config=config)


def _what_counts(config) -> str:
    free = _FREE if config.lr_schedule == "constant" else _FREE - {"generations"}
    return repr(replace(config, **{name: getattr(TrainConfig(), name) for name in free}))


def _kept(job: Job) -> Job:
    made, first = cache(lambda: job.generation), cache(job.init_state)

    class Kept(Job):
        @property
        def generation(self):
            return made()

        def init_state(self):
            return first()

    return Kept(*job)


def _programs(generation, state, fixed):
    if id(generation) not in _PROGRAMS:
        _PROGRAMS[id(generation)] = (generation, compile_all(generation, state, fixed))  # held, so that its id stays
    return _PROGRAMS[id(generation)][1]
