"""What a path is (run, study or speedup), and which function makes its page."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from nograd.core.types import ConfigError, RunError
from nograd.reports.compare import compare_page
from nograd.reports.run import run_page
from nograd.reports.snapshot import snapshot
from nograd.reports.speedup import speedup_page
from nograd.reports.study import Statistics, study_page
from nograd.reports.trials import is_finished
from nograd.runs.run import load
from nograd.tuning.study.location import is_study
from nograd.tuning.study.read import load_study
from nograd.tuning.study.records import Study
from nograd.tuning.study.statistics import (
    efficiency_curve,
    expected_best,
    importance,
    outcomes,
    standard_errors,
    trials_until_top,
)

SPEEDUP = "speedup.json"
_STUDY = ("study.json", "study.db", "study.db-wal")


class Subject(NamedTuple):
    """A page that can be written."""

    folder: Path  # where it is written by default
    sources: tuple[Path, ...]  # the files that it shows
    page: Callable[[int | None], str]  # (seconds until an unfinished page is reloaded) -> HTML
    ended: Callable[[], bool]  # whether the files will not change any more


def subject(paths: Sequence[str | Path]) -> Subject:
    """The page for these paths.

    Raises:
        ConfigError: there is no path, or there are several and not all are runs.
        RunError: a path does not exist, or holds nothing that nograd wrote.
    """
    if not paths:
        raise ConfigError("name a run, a study or a speedup directory, such as nograd report runs/a")
    found = [Path(path) for path in paths]
    if len(found) > 1:
        return _runs(found)
    (path,) = found
    if not path.exists():
        raise RunError(f"{path} does not exist; name a run, a study or a speedup directory")
    if (path / "config.json").is_file():
        return _run(path)
    if path.name == SPEEDUP or (path / SPEEDUP).is_file():
        return _speedup(path if path.is_file() else path / SPEEDUP)
    return _study(path)


def _run(path: Path) -> Subject:
    def page(refresh: int | None) -> str:
        return run_page(load(path), refresh=refresh)

    return Subject(path, _sources(path), page, lambda: _has_ended(path))


def _has_ended(path: Path) -> bool:
    return bool(snapshot(load(path)).result)


def _sources(path: Path) -> tuple[Path, ...]:
    return tuple(path / name for name in ("config.json", "metrics.jsonl", "result.json"))


def _runs(paths: Sequence[Path]) -> Subject:
    for path in paths:
        if not (path / "config.json").is_file():
            raise ConfigError(f"{path} is not a run directory, and only runs are compared; give it a page of its own")
    sources = tuple(source for path in paths for source in _sources(path))

    def page(refresh: int | None) -> str:
        return compare_page([load(path) for path in paths], refresh)

    return Subject(Path(), sources, page, lambda: all(map(_has_ended, paths)))


def _speedup(path: Path) -> Subject:
    def page(refresh: int | None) -> str:
        return speedup_page(_figures(path), path.resolve().parent.name)

    return Subject(path.parent, (path,), page, lambda: True)


def _figures(path: Path) -> dict[str, Any]:
    """The content of speedup.json. Raises RunError if it is not from `nograd speedup`."""
    try:
        figures = json.loads(path.read_text("utf-8"))
        _ = figures["strong"]["rows"][0]["where"], figures["versions"], figures["weak"]
    except (OSError, ValueError, LookupError, TypeError) as error:
        what = error if isinstance(error, OSError | ValueError) else "it lacks the figures"
        raise RunError(f"cannot read {path}: {what}; it is not a file that nograd speedup wrote") from error
    return figures


def _study(path: Path) -> Subject:
    if not is_study(path):
        raise RunError(
            f"{path} holds no run (config.json), no study (study.json) and no speedup ({SPEEDUP}); "
            "name a directory that nograd wrote"
        )

    def page(refresh: int | None) -> str:
        study = load_study(path)
        return study_page(study, statistics_of(study), refresh)

    return Subject(path, tuple(path / name for name in _STUDY), page, lambda: is_finished(load_study(path)))


def statistics_of(study: Study) -> Statistics:
    """Computes the statistics for the page of a study."""
    values = outcomes(study)
    best = expected_best(values, standard_errors(study), study.measure)
    return Statistics(efficiency_curve(values, study.measure), best, trials_until_top(), importance(study))
