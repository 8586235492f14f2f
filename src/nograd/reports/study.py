"""The page of a study: its winner, what the search found, all trials, and how the time was used."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from nograd.core.metrics import Measure
from nograd.core.text import duration, short
from nograd.reports import study_charts as charts
from nograd.reports.charts import figures
from nograd.reports.document import badge, document, note
from nograd.reports.html import Child, Markup, join, section, tag
from nograd.reports.parallel_coordinates import parallel
from nograd.reports.tables import Cell, Row, cards, facts, table
from nograd.reports.trials import axes, ended, groups, is_finished
from nograd.tuning.study.records import Study, Trial, Winner, place

_MOST = 1000  # largest number of trials on a page; of more, the best are shown


class Statistics(NamedTuple):
    """Statistics of a study, computed by `nograd.tuning.study.statistics`."""

    efficiency: list[tuple[int, list[float]]]  # (trials in an experiment, the best value of each experiment)
    expected_best: tuple[float, float] | None  # mean and standard deviation; includes the sampling error of the scores
    trials_until_top: int  # trials of a random search that find the best 5% with 95% probability
    importance: dict[str, tuple[float, float, float]]  # of each setting: mean, low, high


def study_page(study: Study, statistics: Statistics, refresh: int | None = None) -> str:
    """The HTML page of a study, finished or not.

    Args:
        study: the study, as read from disk.
        statistics: of the same study.
        refresh: seconds until the browser reloads the page, while the study is not finished; None: never.
    """
    ranked = ended(study)[:_MOST]
    finished = is_finished(study)
    state = badge("finished", "good") if finished else badge("not finished", "busy")
    budget = f" of {duration(study.budget_seconds)}" if study.budget_seconds else ""
    words = (
        f"search on {Path(study.task).name}, {len(study.trials):,} trials in {duration(study.spent_seconds)}{budget}"
    )
    return document(
        study.name,
        [words, " ", state],
        cards(_key_figures(study, ranked, statistics)),
        section("The winner", _winner(study.winner, study.measure)) if study.winner else None,
        section("What the search found", _found(study, ranked, statistics)),
        section("Trials", _states(study), _trials(study)),
        section("Time", _time(study)),
        section("The search", facts(_named(study.search))),
        section("Settings that all trials share", _base(study)),
        refresh=None if finished else refresh,
    )  # fmt: skip


def _key_figures(study: Study, ranked: Sequence[Trial], statistics: Statistics) -> Iterator[tuple[str, Child, Child]]:
    what, said = study.measure.what, study.measure.text
    if study.winner and study.winner.test_scores:
        tests = study.winner.test_scores
        ends = f"{said(min(tests))} to {said(max(tests))}"
        yield f"test {what}", said(sum(tests) / len(tests)), f"mean of the winner on {len(tests)} fresh seeds: {ends}"
    if ranked:
        yield (
            f"best validation {what}",
            said(ranked[0].value),
            f"trial {ranked[0].number}; 95% interval {_interval(study, ranked[0])}, but the best of many is biased",
        )
    if statistics.expected_best:
        mean, deviation = statistics.expected_best
        yield "expected of the best", said(mean), f"± {said(deviation)}, with the noise of the validation"
    yield "trials", f"{len(study.trials):,}", _counted(study)
    needed = "random trials find the best 5% of the space with 95% probability"
    yield "trials needed", f"{statistics.trials_until_top:,}", needed


def _interval(study: Study, trial: Trial) -> str:
    """The 95% interval of a trial's value."""
    if trial.value is None:
        return "unknown"
    return study.measure.interval_text(trial.value, study.validation, trial.standard_error) or "unknown"


def _counted(study: Study) -> str:
    return ", ".join(f"{count:,} {state}" for state, count in Counter(t.state for t in study.trials).most_common())


def _winner(winner: Winner, measure: Measure) -> Markup:
    """The best configuration, trained again with new seeds: validation and test scores with intervals."""
    if not winner.seeds:
        return join(
            [
                note(f"Trial {winner.trial} is the best by validation. It has not been trained again yet."),
                tag("details", tag("summary", "its settings"), facts(_named(winner.settings))),
            ]
        )
    rows: list[Row] = []
    said = measure.text
    found = zip(winner.seeds, winner.val_scores, winner.test_scores, winner.test_intervals, strict=True)
    for seed, validation, test, (low, high) in found:
        numbers = (f"{seed}", said(validation), said(test), f"{said(low)} to {said(high)}")
        rows.append([Cell(text, number=True) for text in numbers])
    columns = ("seed", f"validation {measure.what}", f"test {measure.what}", "95% interval")
    recipe = facts(_named(winner.settings))
    return join(
        [
            note(f"Trial {winner.trial}, trained again; the test {measure.units} are used for these runs alone."),
            table(columns, rows),
            tag("details", tag("summary", "its settings"), recipe),
        ]
    )


def _found(study: Study, ranked: Sequence[Trial], statistics: Statistics) -> list[Child]:
    if not ranked:
        return [note("No trial has a value yet.")]
    group, found, measure = groups(ranked), axes(study, ranked), study.measure
    parts: list[Child] = [figures(parallel(found, ranked, group, measure))] if found else []
    parts.append(
        figures(
            charts.progress(ranked, measure),
            charts.efficiency(statistics.efficiency, measure) if statistics.efficiency else None,
            charts.importance(statistics.importance) if statistics.importance else None,
        )
    )
    if found:
        parts += [
            tag("h3", "Each setting alone"),
            note("Colours as above."),
            figures(*charts.slices(found, ranked, group, measure)),
        ]
    return parts


def _states(study: Study) -> Markup | None:
    """A table of the trials that did not complete: state, reason and how many."""
    counted = Counter((trial.state, trial.reason or "–") for trial in study.trials if trial.state != "complete")
    rows: list[Row] = [
        [badge(state, "bad" if state == "failed" else "plain"), Cell(f"{count:,}", number=True), reason]
        for (state, reason), count in counted.most_common(20)
    ]
    return table(("state", "trials", "reason"), rows, caption="Not complete") if rows else None


def _trials(study: Study) -> Markup:
    """A table of all trials, the best first; clicking a heading sorts it."""
    names = [dimension.name for dimension in study.space]
    order = sorted(study.trials, key=lambda trial: place(trial, study.measure))
    columns = ("trial", study.measure.what, *names, "seconds", "state", "worker")
    drawn = table(columns, [_row(trial, names, study.measure) for trial in order[:_MOST]], sortable=True)
    more = len(order) - _MOST
    return join([tag("div", drawn, class_="tall"), note(f"{more:,} more trials are not shown.") if more > 0 else None])


def _row(trial: Trial, names: Sequence[str], measure: Measure) -> Row:
    settings = [_setting(trial.settings.get(name)) for name in names]
    seconds = Cell("–" if trial.seconds is None else f"{trial.seconds:,.1f}", trial.seconds, number=True)
    return [
        Cell(str(trial.number), trial.number, number=True),
        Cell(measure.text(trial.value), trial.value, number=True),
        *settings,
        seconds,
        Cell(trial.state, trial.state),
        Cell(trial.worker, trial.worker),
    ]


def _setting(value: object) -> Cell:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Cell(short(value), value, number=True)
    return Cell(short(value), None if value is None else short(value))


def _time(study: Study) -> list[Child]:
    timed = [trial for trial in study.trials if trial.start is not None and trial.seconds is not None]
    if not timed:
        return [note("No trial has ended yet.")]
    spent, crew = sum(trial.seconds or 0.0 for trial in timed), len({trial.worker for trial in timed})
    span = max((trial.start or 0.0) + (trial.seconds or 0.0) for trial in timed)
    hands = f"{crew} worker{'s' if crew > 1 else ''}"
    words = f"{duration(spent)} of training on {hands} within {duration(span)}: busy {spent / (crew * span):.0%}."
    return [note(words), figures(charts.workers(timed, study.measure))]


def _base(study: Study) -> Markup:
    return tag("details", tag("summary", "show them"), facts(_named(study.base)))


def _named(settings: Mapping[str, Any]) -> dict[str, Child]:
    """Names and texts of settings, without those that are not set."""
    return {name: _words(value) for name, value in settings.items() if value is not None and value != {}}


def _words(value: Any) -> str:
    return ", ".join(f"{key}={one}" for key, one in value.items()) if isinstance(value, dict) else short(value)
