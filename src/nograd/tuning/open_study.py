"""Opens the study that the flags name, or makes a new one."""

import itertools
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from nograd.config.settings import TrainConfig, settings
from nograd.config.task_settings import is_file
from nograd.core.types import NogradError, RunError
from nograd.runs.files import write_atomically
from nograd.runs.lock import DirectoryLock
from nograd.tasks.kinds import Source, check_source, kind_of
from nograd.training.job import build_job
from nograd.tuning import settings as flags
from nograd.tuning.settings import SearchConfig, Terms
from nograd.tuning.space import draw, make_space, random_value, trial_config, try_draws
from nograd.tuning.study import read, write
from nograd.tuning.study.database import closed_after, one_line
from nograd.tuning.study.lifetime import Lifetime, left_behind
from nograd.tuning.study.location import DATABASE, MARK, StudyLocation, is_study, local_url, mark_text, place_of
from nograd.tuning.study.records import Dimension
from nograd.tuning.study.sessions import has_gone
from nograd.tuning.trial import source_of

_LOCK, _PATIENCE = "study.lock", 60.0  # seconds, in which whoever makes a study has made it
_TRIED = 8  # draws that are built at the start, before one of them has to be possible


class OpenStudy(NamedTuple):
    """A study, ready for trials."""

    place: StudyLocation
    terms: Terms
    base: TrainConfig  # of all trials, with the data where this machine has them
    space: list[Dimension]
    note: str  # one line about the data or the environment
    record: dict[str, Any]
    doubt: str  # a warning about the search space; mostly empty


def open_or_make(given: SearchConfig, lifetime: Lifetime | None = None) -> OpenStudy:
    """The study of --join or --out, or a new one. Raises NogradError where it cannot be opened.

    Args:
        given: the flags.
        lifetime: of the command, which a new study directory then has before anything else.
    """
    place = _found(given)
    return _again(given, place) if place else _new(given, lifetime)


def _found(given: SearchConfig) -> StudyLocation | None:
    if given.join and given.storage:
        place = StudyLocation(Path(given.out or f"studies/{given.join}"), given.storage, given.join)
        read.read(place)
        if not is_study(place.path):
            _folder(place.path)
            _mark(place)
        return place
    if given.out and is_study(given.out):
        place = place_of(given.out)
        return place._replace(url=given.storage) if given.storage else place
    return None


def _again(given: SearchConfig, place: StudyLocation) -> OpenStudy:
    study = read.open_study(place)
    with closed_after(study._storage), one_line(place.url):
        attributes = study.user_attrs
    with read.ours(place):
        record = attributes[read.RECORD]
        base, terms = TrainConfig(**record["base"]), Terms(**record["search"])
        space = read.space_of(record)
        recorded = {"checksum": str(record["data"]["checksum"])}
    flags.check_same_work(given, base, terms)
    terms, base = flags.renewed(terms, given), flags.placed(base, given)
    source = source_of(base)
    check_source(recorded, base, source)
    return OpenStudy(
        place, terms, base, space, kind_of(source).describe(base, source).note, {**record, "search": asdict(terms)}, ""
    )


def _new(given: SearchConfig, lifetime: Lifetime | None) -> OpenStudy:
    base, changes = flags.base_of(given), flags.changes_of(given)
    if base.task and is_file(base.task):  # so that best.toml works from anywhere
        base = TrainConfig(**{**settings(base), "task": str(Path(base.task).expanduser().absolute())})
    make_space(base, given.space or "default", changes)  # a wrong word is said before data are fetched
    source = source_of(base)
    info = kind_of(source).describe(base, source)
    space = make_space(base, given.space or "default", _suited(changes, info.fitnesses), info.examples)
    failing, why = try_draws(base, space)
    _build_one(base, space, source)
    terms = flags.terms_of(given, base, changes)
    record = {
        "base": settings(base),
        "space": [dimension._asdict() for dimension in space],
        "search": asdict(terms),
        "data": {"name": source.name, "checksum": info.checksum},
        "measure": info.measure.name,
        "metric": info.measure._asdict(),
        "validation": info.validation,
    }
    path = _new_folder(given, base)
    lock = DirectoryLock(path / _LOCK, patience=_PATIENCE)
    try:
        if is_study(path):  # of two commands with one --out that start together, one has made it
            return _again(given, place_of(path))
        place = _new_place(given, path)
        if lifetime:
            lifetime.keep_in(place.path)
        write.create(place, record)
        _mark(place)
    finally:
        lock.release()
    doubt = (
        f"{failing} of 100 draws cannot be trained and will be recorded as failed, such as: {why}" if failing else ""
    )
    return OpenStudy(place, terms, base, space, info.note, record, doubt)


def _suited(changes: dict[str, str], fitnesses: tuple[str, ...]) -> dict[str, str]:
    """The changes with the fitnesses of the data's own kind of target, where they name no range of it."""
    return {**changes, "fitness": f"choice({', '.join(fitnesses)})"} if changes.get("fitness") == "" else changes


def _build_one(base: TrainConfig, space: list[Dimension], source: Source) -> None:
    """Raises the error of the first draw where none of the first few can be built: a wrong model, a wrong fitness."""
    errors: list[NogradError] = []
    for number in range(_TRIED):
        try:
            build_job(trial_config(base, draw(space, random_value(base.seed, number), base), 0), source)
            return
        except NogradError as error:
            errors.append(error)
    raise errors[0]


def _new_folder(given: SearchConfig, base: TrainConfig) -> Path:
    if given.out:
        _folder(Path(given.out))
        return Path(given.out)
    stem = Path(base.task or "mnist").stem
    return _free(Path(f"studies/{stem}-{time.strftime('%Y%m%d-%H%M%S')}"))


def _new_place(given: SearchConfig, path: Path) -> StudyLocation:
    if (path / DATABASE).exists() and not _removed_unfinished(path):
        raise RunError(f"{path} holds a {DATABASE} without {MARK}; choose another --out, or remove it")
    return StudyLocation(path, given.storage or local_url(path), path.absolute().name)


def _free(path: Path) -> Path:
    """A folder that is made for this study alone: `path`, or where that is taken `path`-2, `path`-3 and so on."""
    _folder(path.parent)
    for number in itertools.count(1):
        free = path if number == 1 else path.with_name(f"{path.name}-{number}")
        with suppress(FileExistsError):
            free.mkdir()
            break
    return free


def _removed_unfinished(path: Path) -> bool:
    """Removes the database of a command that was killed while it made the study; whether there was such a command."""
    makers = list(left_behind(path))
    if not makers or not all(has_gone(session) for _, _, session in makers):
        return False
    for left in path.glob(f"{DATABASE}*"):  # with its journal
        left.unlink(missing_ok=True)
    return True


def _folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"cannot make the study directory {path}: {error.strerror}; choose another --out") from error


def _mark(place: StudyLocation) -> None:
    write_atomically(place.path / MARK, mark_text(place).encode())
