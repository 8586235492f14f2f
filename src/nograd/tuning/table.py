"""A study as tables for a person."""

from collections.abc import Iterator
from typing import Any

from nograd.core.grid import Grid
from nograd.core.metrics import Measure
from nograd.core.text import duration
from nograd.tuning.confirm import RECIPE, figure
from nograd.tuning.display import settings_text
from nograd.tuning.study.records import Study, Trial, place

_TOP = 8  # trials in the table


def parts(study: Study, figures: dict[str, Any]) -> Iterator[Grid | str]:
    """Yields the best trials, the statistics and the winner.

    Args:
        study: at its end.
        figures: `statistics.summary(study)`.
    """
    states = ", ".join(f"{count} {state}" for state, count in figures["trials"].items() if count)
    budget = "" if study.budget_seconds is None else f" of {duration(study.budget_seconds)}"
    yield f"{len(study.trials)} trials ({states or 'none'}) in {duration(study.spent_seconds)}{budget}"
    if any(trial.value is not None for trial in study.trials):
        yield _best(study.trials, study.measure)
    if figures["efficiency"]:
        yield _efficiency(figures, study.measure)
        yield from _expected(figures, study)
    if figures["importance"]:
        yield _importance(figures["importance"])
    yield from _winner(study)


def _best(trials: list[Trial], measure: Measure) -> Grid:
    ranked = sorted(trials, key=lambda trial: place(trial, measure))
    rows = [
        [
            str(trial.number),
            trial.state,
            "" if trial.value is None else measure.text(trial.value),
            "" if trial.seconds is None else duration(trial.seconds),
            settings_text(trial.settings),
        ]
        for trial in ranked[:_TOP]
    ]
    columns = ["trial", "state", "val", "time", "settings"]
    return Grid(f"The best trials, by validation {measure.what}", columns, rows, prose=("settings",))


def _efficiency(figures: dict[str, Any], measure: Measure) -> Grid:
    """Bergstra & Bengio's curve in numbers."""
    rows = []
    for row in figures["efficiency"]:
        best = sorted(row["best"], key=measure.goodness)
        middle = (best[(len(best) - 1) // 2] + best[len(best) // 2]) / 2
        cells = [measure.text(value) for value in (best[0], middle, best[-1])]
        rows.append([f"{row['size']:,}", f"{len(best):,}", *cells])
    return Grid("The best of fewer trials", ["trials", "groups", "least", "median", "most"], rows)


def _expected(figures: dict[str, Any], study: Study) -> Iterator[str]:
    said = study.measure.text
    if expected := figures["expected_best"]:
        yield (
            f"The best scored {said(figures['best_value'])}. As {study.validation:,} validation {study.measure.units} "
            f"decide that, expect {said(expected['score'])} ± {said(expected['standard_deviation'])}"
        )
    yield (
        f"With {figures['trials_until_top_5_percent']} random trials one is among the best 5% of the space with a "
        "probability of 95%"
    )


def _importance(rows: dict[str, dict[str, float]]) -> Grid:
    shares = [[name, f"{row['mean']:.0%}", f"{row['low']:.0%} to {row['high']:.0%}"] for name, row in rows.items()]
    return Grid("What matters (PED-ANOVA, bootstraps of the trials)", ["setting", "share", "5% to 95%"], shares)


def _winner(study: Study) -> Iterator[str]:
    if study.winner is None:
        yield "No trial has come to its end, so there is no winner: give more --budget, or fewer --generations"
        return
    yield f"Winner: trial {study.winner.trial}  {settings_text(study.trials[study.winner.trial].settings, None)}"
    if said := figure(study.winner, study.measure):
        yield said
    else:
        yield f"There was no time to train it again: nograd search --out {study.path} with more --budget does"
    yield f"recipe: nograd train --config {study.path}/{RECIPE}"
