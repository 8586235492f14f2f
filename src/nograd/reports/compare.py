"""The page that compares several runs: their curves, results, and the settings in which they differ."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nograd.config.settings import settings
from nograd.core.text import short
from nograd.reports.curves import curves
from nograd.reports.document import badge, document, note
from nograd.reports.html import Markup, join, section, tag
from nograd.reports.snapshot import Snapshot, interval_said, rate, snapshot, spent, unfinished
from nograd.reports.tables import Cell, Row, table
from nograd.runs.endings import ending
from nograd.runs.run import Run


def compare_page(runs: Sequence[Run], refresh: int | None = None) -> str:
    """The HTML page that compares two or more runs.

    Args:
        runs: the runs, finished or not.
        refresh: seconds until the browser reloads the page, while a run is not finished; None: never.
    """
    found = [snapshot(run, name) for run, name in zip(runs, labels([run.path for run in runs]), strict=True)]
    going = not all(now.result for now in found)
    tasks = ", ".join(sorted({Path(run.settings.task or "?").name for run in runs}))
    return document(
        f"{len(runs)} runs compared",
        [f"on {tasks} ", unfinished() if going else badge("all ended", "good")],
        section("Results", _results(found)),
        section("Curves", curves([now.trace for now in found])),
        section("Settings that differ", _differences(found)),
        section("Data", _data(found)),
        refresh=refresh if going else None,
    )


def labels(paths: Sequence[Path]) -> list[str]:
    """A name for each run: of its folder if that is unique, else its path. Equal paths are numbered."""
    short_names = [path.resolve().name for path in paths]
    doubled = {name for name, count in Counter(short_names).items() if count > 1}
    names = [str(path) if name in doubled else name for name, path in zip(short_names, paths, strict=True)]
    return [
        f"{name} ({names[:place].count(name) + 1})" if names.count(name) > 1 else name
        for place, name in enumerate(names)
    ]


def differing(every: Sequence[Mapping[str, Any]]) -> list[str]:
    """The names whose values differ between the mappings."""
    return [name for name in every[0] if any(one.get(name) != every[0][name] for one in every)]


def _results(found: Sequence[Snapshot]) -> Markup:
    """One row per run; the best test score is marked."""
    measure = found[0].run.measure
    best = max((score for now in found if (score := _test(now)) is not None), key=measure.goodness, default=None)
    what = measure.what
    columns = ("run", f"test {what}", "95% interval", f"validation {what}", "generations", "training time")
    rows = [_result(now, best) for now in found]
    drawn = table((*columns, "evaluations/s", "state"), rows, sortable=True)
    return join([drawn, note("Marked: the best on the test; look at the intervals.")])


def _test(now: Snapshot) -> float | None:
    return now.result.get(now.run.measure.test)


def _result(now: Snapshot, best: float | None) -> Row:
    measure = now.run.measure
    score, validation = _test(now), now.best.get(measure.val)
    shown, interval = measure.text(score), interval_said(now, "test")
    return [
        Cell(now.name, now.name),
        Cell(shown, score, number=True, mark=score is not None and score == best),
        Cell(interval, score, number=True),
        Cell(measure.text(validation), validation, number=True),
        Cell(f"{now.generations:,}", now.generations, number=True),
        Cell(spent(now), now.seconds, number=True),
        Cell(rate(now), now.evaluations / now.seconds if now.seconds else None, number=True),
        ending(now.result["stop_reason"]) if now.result else unfinished(),
    ]


def _differences(found: Sequence[Snapshot]) -> Markup:
    """One row per setting that differs; values that are not those of the first run are marked."""
    every = [settings(now.run.settings) for now in found]
    first, names = every[0], [now.name for now in found]
    rows: list[Row] = [
        [name, *(Cell(short(one[name]), mark=one[name] != first[name]) for one in every)] for name in differing(every)
    ]
    if not rows:
        return note("All settings are the same.")
    return join([table(("setting", *names), rows), note("Marked: not as in the first run.")])


def _data(found: Sequence[Snapshot]) -> Markup:
    sums = [str(now.run.config["data"]["checksum"]) for now in found]
    if len(set(sums)) == 1:
        return note("All runs have the same data: ", tag("code", sums[0][:16]), "….")
    rows: list[Row] = [
        [now.name, Cell(tag("code", checksum[:16]), mark=checksum != sums[0])]
        for now, checksum in zip(found, sums, strict=True)
    ]
    said = note("The runs have different data: their scores are not on the same examples.")
    return join([said, table(("run", "checksum (SHA-256)"), rows)])
