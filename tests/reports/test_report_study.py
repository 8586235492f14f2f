"""The page of a study, from a synthetic one whose truth is known."""

import json
import re

import pytest
from studies import SPACE, make_statistics, make_study

from nograd.core.metrics import ACCURACY, RETURN
from nograd.reports.parallel_coordinates import parallel
from nograd.reports.study import study_page
from nograd.reports.study_charts import efficiency, importance, progress, slices, workers
from nograd.reports.trials import ABSENT, axes, ended, groups, is_finished
from nograd.tuning.study.records import Dimension, Trial


@pytest.fixture(scope="module")
def study():
    made = make_study(60)
    why = "DataError: <script>alert('reason')</script> is not found"
    broken = made.trials[5]._replace(state="failed", value=None, curve=[], reason=why)
    return made._replace(trials=[*made.trials[:5], broken, *made.trials[6:]])


def test_the_page_shows_the_winner_the_best_and_every_trial(study):
    page = study_page(study, make_statistics(study))
    body = re.sub(r"<(script|style)\b.*?</\1>", "", page, flags=re.S)
    best = ended(study)[0]
    for words in (f"trial {best.number};", "97.20%", "94.30% to 98.60%", "59", "All settings at once", "busy "):
        assert words in body
    assert body.count('<tr><td class="number" data-key=') == len(study.trials)
    assert "<script>alert" not in body
    assert "&lt;script&gt;alert(&#x27;reason&#x27;)" in body
    assert page.count('type="application/json"') == 1 + 13
    for field in (dimension.name for dimension in SPACE):
        assert field in body


def test_the_page_of_returns_has_them_as_they_are(study):
    """Negative ones too: each as a number, with Student's interval from its own standard error."""

    def turned(trial):
        lower = lambda value: -400.0 * (1 - value)  # noqa: E731
        curve = [(at, lower(value)) for at, value in trial.curve]
        return trial._replace(
            value=None if trial.value is None else lower(trial.value), curve=curve, standard_error=3.0
        )

    won = study.winner._replace(
        val_scores=[-12.0, -13.5, -11.25],
        test_scores=[-14.0, -10.0, -12.0],
        test_intervals=[(-20.0, -8.0), (-15.0, -5.0), (-18.0, -6.0)],
    )
    of_returns = study._replace(
        measure=RETURN, validation=16, trials=list(map(turned, study.trials)), winner=won, task="Pendulum-v1"
    )
    page = study_page(of_returns, make_statistics(of_returns))
    body = re.sub(r"<(script|style)\b.*?</\1>", "", page, flags=re.S)
    best = ended(of_returns)[0].value
    half = 2.1314495 * 3.0  # Student's quantile for 15 degrees of freedom
    for words in ("-12.00", "-20.00 to -8.00", f"{best:,.2f}", f"{best - half:,.2f} to {best + half:,.2f}"):
        assert words in body
    assert "accuracy" not in body
    assert "the test episodes are used for these runs alone" in body
    best_so_far = [row["best"] for row in rows_of(progress(ended(of_returns), RETURN).spec)]
    assert best_so_far == sorted(best_so_far)
    assert best_so_far[-1] == best < 0


@pytest.mark.parametrize("count", [0, 1, 2])
def test_a_study_that_has_hardly_begun_has_a_page(count):
    study = make_study(count, winner=False)
    page = study_page(study, make_statistics(study))
    assert "not finished" in page
    assert 'http-equiv="refresh"' not in page


def test_a_study_without_any_value_or_time(study):
    bare = [Trial(0, "failed", {"lr": 0.1}, None, [], "w", None, None, "it <b>broke</b>")]
    running = [Trial(1, "running", {"lr": 0.2}, 0.5, [(10, 0.5)], "w", 3.0, None, None)]
    page = study_page(study._replace(trials=bare + running, winner=None), make_statistics(study._replace(trials=[])), 5)
    assert "No trial has a value yet" in page
    assert "it &lt;b&gt;broke&lt;/b&gt;" in page
    assert 'http-equiv="refresh" content="5"' in page


def test_when_a_study_has_ended(study):
    assert is_finished(study)
    assert not is_finished(study._replace(winner=None))
    assert not is_finished(study._replace(search=study.search | {"confirm": 4}))  # it has three seeds
    going = study.trials[0]._replace(state="running")
    assert not is_finished(study._replace(trials=[going, *study.trials[1:]]))


# Ranks and axes ------------------------------------------------------------------------------------------


def test_trials_are_ranked_and_grouped_by_their_share(study):
    ranked = ended(study)
    found = [trial.value for trial in ranked]
    assert found == sorted(found, reverse=True)
    assert all(trial.value is not None for trial in ranked)
    named = groups(ranked)
    order = [named[trial.number] for trial in ranked]
    assert order == sorted(order, key=["best 5%", "next 20%", "the others"].index)
    assert order.count("best 5%") == -(-len(ranked) // 20)


def test_places_on_axes_follow_the_scale(study):
    ranked = ended(study)
    found = {axis.name: axis for axis in axes(study, ranked)}
    assert set(found) == {dimension.name for dimension in SPACE} - {"model"}  # a fixed one is no axis
    for axis in found.values():
        for trial in ranked:
            value = trial.settings.get(axis.name)
            assert axis.place(value) == ABSENT if value is None else 0 <= axis.place(value) <= 1
    lr = found["lr"]
    assert lr.logarithmic
    assert (lr.place(lr.low), lr.place(lr.high)) == (0, 1)
    assert lr.place((lr.low * lr.high) ** 0.5) == pytest.approx(0.5, abs=1e-4)
    assert not found["directions"].logarithmic
    assert found["mirrored"].choices == ("yes", "no")
    assert [found["optimizer"].place(name) for name in ("adam", "momentum", "nesterov")] == [0, 0.5, 1]


def test_a_choice_of_numbers_keeps_its_order(study):
    space = [Dimension("batch", "choice", choices=(32, 64, 1024))]
    trials = [
        Trial(n, "complete", {"batch": b}, 0.5, [], "w", 0.0, 1.0, "generations") for n, b in enumerate((1024, 32))
    ]
    (axis,) = axes(study._replace(space=space), trials)
    assert axis.choices == ("32", "64", "1,024")
    assert (axis.place(32), axis.place(1024)) == (0, 1)


# Charts: what is drawn is what was found -----------------------------------------------------------------


def rows_of(spec) -> list[dict]:
    return spec["data"]["values"]


def test_the_best_so_far_never_falls_and_ends_at_the_best(study):
    rows = rows_of(progress(ended(study), ACCURACY).spec)
    assert [row["x"] for row in rows] == sorted(row["x"] for row in rows)
    highs = [row["best"] for row in rows]
    assert highs == sorted(highs)
    assert highs[-1] == ended(study)[0].value


def test_boxes_are_quartiles():
    (row,) = rows_of(efficiency([(4, [0.5, 0.1, 0.2, 0.3, 0.4]), (8, [])], ACCURACY).spec)
    assert row == {"size": 4, "count": 5, "low": 0.1, "q1": 0.2, "median": 0.3, "q3": 0.4, "high": 0.5}


def test_importance_is_ordered():
    rows = rows_of(importance({"a": (0.1, 0.0, 0.2), "b": (0.5, 0.4, 0.6)}).spec)
    assert [row["name"] for row in rows] == ["b", "a"]


def test_slices_have_a_point_for_each_trial_that_drew_the_setting(study):
    ranked = ended(study)
    found = axes(study, ranked)
    for axis, chart in zip(found, slices(found, ranked, groups(ranked), ACCURACY), strict=True):
        drawn = [trial for trial in ranked if trial.settings.get(axis.name) is not None]
        assert len(rows_of(chart.spec)) == len(drawn)
        scale = chart.spec["encoding"]["x"].get("scale", {})
        assert (scale.get("type") == "log") == axis.logarithmic


def test_parallel_lines_are_the_trials_with_the_best_on_top(study):
    ranked = ended(study)
    found = axes(study, ranked)
    chart = parallel(found, ranked, groups(ranked), ACCURACY)
    lines = chart.spec["layer"][1]["data"]["values"]
    assert [line["trial"] for line in lines] == [trial.number for trial in reversed(ranked)]
    assert lines[-1][f"p{len(found)}"] == 1
    assert len(chart.spec["params"][0]["value"]) == len(found) + 1
    json.dumps(chart.spec, allow_nan=False)


def test_bars_of_workers_are_their_times(study):
    chart = workers(study.trials, ACCURACY)
    rows = {row["trial"]: row for row in rows_of(chart.spec)}
    for trial in study.trials:
        assert (rows[trial.number]["end"] - rows[trial.number]["start"]) * 60 == pytest.approx(trial.seconds, abs=0.02)
        assert rows[trial.number]["state"] == trial.state


def test_a_study_says_what_it_is_in_one_line():
    study = make_study(60)
    assert "\n" not in repr(study)
    for words in ("60 trials", study.measure.text(max(t.value for t in study.trials if t.value is not None)), "winner"):
        assert words in repr(study)
    assert "winner" not in repr(make_study(5, winner=False))
    assert repr(study._replace(trials=[])).startswith("<nograd study")
