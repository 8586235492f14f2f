"""What is said of a search, against truths that are known; sessions and the clock."""

import math
import os
from pathlib import Path

import numpy as np
import pytest
from processes import needs_proc
from scipy import stats

from nograd.config.recipes import base_config
from nograd.config.settings import TrainConfig
from nograd.core.metrics import RETURN, RMSE
from nograd.reports.trials import ended
from nograd.tuning.budget import Clock, WorkerCosts, projected, training_seconds
from nograd.tuning.confirm import best_trial
from nograd.tuning.space import draw, make_space, random_value
from nograd.tuning.study.read import LOST
from nograd.tuning.study.records import Study, Trial
from nograd.tuning.study.sessions import LOOK, SILENCE, Session, Watch, begun, has_gone, this_machine, worked
from nograd.tuning.study.statistics import (
    efficiency_curve,
    expected_best,
    importance,
    outcomes,
    standard_errors,
    summary,
    trials_until_top,
)  # fmt: skip

DIGITS = base_config(TrainConfig(task="digits"))
SPACE = make_space(DIGITS, "default", {})


def trial(number, value, state="complete", settings=None, reason="generations", seconds=1.0):
    return Trial(number, state, settings or {}, value, [], "0", 0.0, seconds, reason)


def study(trials, space=SPACE):
    return Study(Path("s"), "s", "digits", space, {}, {}, 250, None, 0.0, trials, None)


def synthetic(count, value, seed=0):
    """A study whose truth is known: value(settings)."""
    drawn = [draw(SPACE, random_value(seed, number), DIGITS) for number in range(count)]
    return study([trial(number, value(settings), settings=settings) for number, settings in enumerate(drawn)])


def test_the_efficiency_curve_has_disjoint_groups():
    values = list(np.random.default_rng(0).random(21))
    curve = dict(efficiency_curve(values))
    assert list(curve) == [1, 2, 4, 8, 16]
    assert [len(groups) for groups in curve.values()] == [21, 10, 5, 2, 1]
    assert curve[1] == values
    assert curve[8] == [max(values[:8]), max(values[8:16])]
    assert efficiency_curve([]) == []


def test_the_efficiency_curve_follows_the_law_of_maxima():
    """The best of s uniform draws has mean s/(s + 1) and variance s/((s + 1)²(s + 2))."""
    for seed in range(3):
        for size, groups in efficiency_curve(list(np.random.default_rng(seed).random(4096)))[:8]:
            error = math.sqrt(size / ((size + 1) ** 2 * (size + 2)) / len(groups))
            assert abs(np.mean(groups) - size / (size + 1)) < 4 * error


def binomial(values, examples):
    return [math.sqrt(value * (1 - value) / examples) for value in values]


def quadrature(values, errors):
    """wₛ = ∫ φₛ(x) Πⱼ Φⱼ(x) dx on a grid, the long way."""
    mu, sigma = np.array(values), np.array(errors)
    x = np.linspace(mu.min() - 6 * sigma.max(), mu.max() + 6 * sigma.max(), 20001)
    density = stats.norm.pdf(x[:, None], mu, sigma)
    below = stats.norm.cdf(x[:, None], mu, sigma)
    weights = [np.trapezoid(density[:, s] * np.prod(np.delete(below, s, 1), 1), x) for s in range(len(mu))]
    z = np.dot(weights, mu)
    return z, math.sqrt(np.dot(weights, mu**2 + sigma**2) - z**2)


@pytest.mark.parametrize(
    ("values", "errors"),
    [
        *((v, binomial(v, 250)) for v in ([0.9], [0.9, 0.89], [0.9, 0.895, 0.89, 0.5], [0.5, 0.51, 0.52, 0.53, 0.54])),
        ([-200.0, -180.0, -190.0], [10.0, 30.0, 5.0]),
    ],
)
def test_the_expected_best_is_the_integral(values, errors):
    z, deviation = expected_best(values, errors)
    wanted, spread = quadrature(values, errors)
    assert abs(z - wanted) < 4 * np.std(values) / math.sqrt(20000) + 1e-6
    assert deviation == pytest.approx(spread, rel=0.02)
    assert expected_best(values, errors) == (z, deviation)  # no luck in it


def test_a_large_validation_split_leaves_the_best_alone():
    z, deviation = expected_best([0.5, 0.9, 0.7], binomial([0.5, 0.9, 0.7], 10**9))
    assert (z, deviation) == (pytest.approx(0.9), pytest.approx(0.0, abs=1e-4))
    assert expected_best([0.0, 0.0], [0.0, 0.0]) == (0.0, 0.0)
    assert expected_best([], []) is None
    assert expected_best([1.0, 2.0], [0.1, None]) is None  # of a single episode


def test_fifty_nine_trials():
    assert trials_until_top() == 59
    for share, probability in ((0.05, 0.95), (0.1, 0.9), (0.01, 0.99)):
        count = trials_until_top(share, probability)
        assert 1 - (1 - share) ** count >= probability > 1 - (1 - share) ** (count - 1)


def test_importance_finds_what_matters():
    def value(settings):
        return math.exp(-((math.log10(settings["lr"]) + 1.8) ** 2)) * (1.0 if settings["optimizer"] == "adam" else 0.7)

    for seed in range(2):
        shares = importance(synthetic(400, value, seed), bootstraps=8)
        assert list(shares)[:2] == ["lr", "optimizer"]
        assert shares.keys() == {dimension.name for dimension in SPACE}
        assert all(0 <= low <= mean <= high <= 1 for mean, low, high in shares.values())
        assert shares["lr"][1] > max(high for name, (_, _, high) in shares.items() if name not in ("lr", "optimizer"))
    assert importance(synthetic(7, value)) == {}


def test_other_evaluators_agree_on_the_first():
    made = synthetic(60, lambda settings: -abs(math.log10(settings["lr"]) + 2))
    for evaluator in ("fanova", "mdi"):
        assert next(iter(importance(made, bootstraps=2, evaluator=evaluator))) == "lr"


def test_outcomes_leave_out_what_says_nothing():
    trials = [
        trial(0, 0.5),
        trial(1, None, "failed", reason="nonfinite_parameters"),
        trial(2, 0.3, "failed", reason="nonfinite_parameters"),
        trial(3, 0.9, "stopped", reason="budget"),
        trial(4, 0.9, "failed", reason=LOST),
        trial(5, 0.2, "pruned", reason="pruned"),
        trial(6, 0.9, "running", reason=None),
    ]
    assert outcomes(study(trials)) == [0.5, 0.0, 0.3, 0.2]
    figures = summary(study(trials))
    assert figures["trials"] == {"complete": 1, "pruned": 1, "stopped": 1, "failed": 3, "running": 1}
    assert (figures["measure"], figures["validation_examples"]) == ("accuracy", 250)
    assert standard_errors(study(trials)) == pytest.approx(binomial([0.5, 0.0, 0.3, 0.2], 250))
    assert summary(study([]))["expected_best"] is None


def test_returns_may_be_negative_and_have_an_error_of_their_own():
    """A failed trial without a return counts as the worst of the others: 0 would be the best of them."""
    trials = [
        trial(0, -120.0)._replace(standard_error=4.0),
        trial(1, None, "failed", reason="nonfinite_parameters"),
        trial(2, -300.0)._replace(standard_error=20.0),
        trial(3, None, "stopped", reason="budget"),
    ]
    of_returns = study(trials)._replace(measure=RETURN, validation=16)
    assert outcomes(of_returns) == [-120.0, -300.0, -300.0]
    assert standard_errors(of_returns) == [4.0, 0.0, 20.0]
    figures = summary(of_returns)
    assert figures["best_value"] == -120.0
    assert figures["validation_episodes"] == 16
    assert figures["expected_best"] == {"score": -120.0, "standard_deviation": pytest.approx(4.0)}
    assert best_trial(of_returns).number == 0
    failed = study(trials[1:2])._replace(measure=RETURN)
    assert (outcomes(failed), summary(failed)["best_value"]) == ([], None)


def test_of_an_error_the_lowest_is_the_best():
    """What is said of errors is what is said of their negatives, the other way round."""
    values = [3.0, 1.5, 2.0, 4.0, 1.75, 9.0]
    trials = [trial(number, value)._replace(standard_error=0.25) for number, value in enumerate(values)]
    of_errors = study([*trials, trial(6, None, "failed", reason="nonfinite_fitness")])._replace(measure=RMSE)
    mirrored = study([one._replace(value=-one.value) for one in trials])._replace(measure=RETURN)
    assert best_trial(of_errors).number == best_trial(mirrored).number == 1
    assert outcomes(of_errors) == [*values, 9.0]  # 0 would be the best of all
    assert [one.number for one in ended(of_errors)] == [1, 4, 2, 0, 3, 5]
    assert efficiency_curve(values, RMSE) == [
        (size, [-value for value in best]) for size, best in efficiency_curve([-value for value in values], RETURN)
    ]
    found, other = summary(of_errors._replace(trials=trials)), summary(mirrored)
    assert found["best_value"] == -other["best_value"] == 1.5
    assert found["expected_best"]["score"] == -other["expected_best"]["score"]
    assert found["importance"] == other["importance"]


# Sessions and the clock ----------------------------------------------------------------------------------


def test_work_is_the_union_of_the_sessions():
    rng = np.random.default_rng(0)
    for _ in range(20):
        starts = rng.integers(0, 80, 6)
        made = [Session("m", 1, float(start), float(start + rng.integers(0, 30))) for start in starts]
        ticks = {tick for session in made for tick in range(int(session.start), int(session.last))}
        assert worked(made) == len(ticks)
    assert worked([]) == 0


@pytest.mark.parametrize("seed", range(20))
def test_the_studys_clock_runs_as_long_as_anybody_works(seed):
    """Sessions one after the other and side by side, each with a part of its time before it can be written down."""
    rng = np.random.default_rng(seed)
    now, made, true = 0.0, [], 0.0
    for _ in range(6):
        startup, length = rng.uniform(0, 3), rng.uniform(5, 30)
        session = begun(made, startup)._replace(ended=True)
        made.append(session._replace(last=session.start + startup + length))
        true += startup + length
        now += length
    assert worked(made) == pytest.approx(true)
    running = begun([], 0.0)._replace(last=100.0)
    joined = begun([running], 4.0)
    assert (joined.start, joined.last) == (96.0, 100.0)  # its start-up was spent side by side
    assert worked([running, joined._replace(last=130.0)]) == 130.0


def test_sessions_written_by_the_wall_clock_still_count():
    old = [Session("m", 1, 1.7e9, 1.7e9 + 30.0, ended=True), Session("m", 1, 1.7e9 + 900, 1.7e9 + 920, ended=True)]
    new = begun(old, 5.0)
    assert worked([*old, new]) == pytest.approx(55.0)


def test_who_has_gone():
    here, there = begun([], 5.0), Session("elsewhere", 1, 0.0, 99.0)
    assert (here.machine, here.process) == (this_machine(), os.getpid())
    assert here.last - here.start == pytest.approx(5.0)
    assert not has_gone(here)
    assert not has_gone(there)  # of another machine only silence can tell
    assert has_gone(there._replace(ended=True))
    assert has_gone(here._replace(ended=True))
    assert has_gone(here._replace(process=2**22 + 1))  # above the largest number of a process


@needs_proc
def test_a_number_that_another_process_has_by_now_is_no_sign_of_life():
    assert has_gone(begun([], 0.0)._replace(born="1"))


@pytest.mark.parametrize("seed", range(30))
def test_silence_is_told_by_signs_that_stay_the_same_whatever_the_clocks_say(seed):
    """One session advances, one does not, each by a wall clock of its own; this process is stopped now and then."""
    rng, now = np.random.default_rng(seed), [0.0]
    watch, silence = Watch(lambda: now[0]), 0.0
    wall = rng.uniform(-1e6, 1e6, 2)
    for beat in range(60):
        passed = rng.uniform(0.5, LOOK) if rng.random() < 0.9 else rng.uniform(100, 10_000)
        now[0] += passed
        watch.look({"alive": wall[0] + beat, "dead": wall[1]})
        silence += min(passed, 2 * LOOK) if beat else 0.0
        assert watch.silent() == ({"dead"} if silence > SILENCE else set())
        assert watch.heard("alive") == (beat > 0)
        assert watch.heard("dead") == (silence > SILENCE)
    watch.look({"dead": 0.0})
    assert not watch.silent()  # it goes on


def budget_trial(number, seconds, last=10, state="complete"):
    return trial(number, 0.9, state, seconds=seconds)._replace(curve=[(last, 0.9)])


def test_the_reserve_has_room_for_the_winners_rounds():
    clock = Clock.of(1000.0, 100.0)
    assert 896 < clock.left() <= 897
    one, two = WorkerCosts(1, 2.0, 5.0), WorkerCosts(2, 2.0, 5.0)
    each = 20 * 1.25 + 1  # with the test split
    assert clock.reserve(20.0, 3, two) == pytest.approx(2 * each + 7)
    assert clock.reserve(20.0, 0, two) == pytest.approx(each + 7)  # its own seed
    assert clock.reserve(200.0, 3, one) == pytest.approx(1 * 251 + 7)  # half of the budget at most
    assert clock.reserve(900.0, 3, one) == pytest.approx(900 * 1.25 + 1 + 7)  # but one at least
    assert Clock.of(None, 100.0, 30.0).left() == math.inf
    assert Clock.of(None, 100.0).reserve(20.0, 3, one) == 0


def test_a_training_is_expected_to_take_what_trials_take_to_the_last_generation():
    quick, half, slow = budget_trial(0, 2.0), budget_trial(1, 15.0, last=5), budget_trial(2, 40.0)
    failed = budget_trial(3, 1000.0, state="failed")
    assert training_seconds(quick, [quick], 10) == 2.0
    assert training_seconds(quick, [quick, half, slow, failed], 10) == 30.0  # the median of 2, 30 and 40
    assert training_seconds(slow, [quick, half, slow, failed], 10) == 40.0
    assert training_seconds(half, [half], 10) == 30.0  # its patience ended it half way, and another seed's may not


def test_the_projection_counts_what_fits():
    assert projected(3, [], [], 2, 100.0) is None
    assert projected(3, [], [10.0], 2, math.inf) is None
    assert projected(0, [], [10.0], 2, 100.0) == 20
    assert projected(4, [5.0, 5.0], [10.0, 10.0], 2, 25.0) == 4 + 2 + 4
    assert projected(4, [5.0, 30.0], [10.0], 2, 25.0) == 4 + 1 + 2


@pytest.mark.parametrize(
    ("budget", "startup", "spare"), [(150.0, 3.0, 3.0), (150.0, 20.0, 10.0), (150.0, 90.0, 15.0), (20.0, 20.0, 3.0)]
)
def test_the_end_has_more_time_where_the_start_took_more(budget, startup, spare):
    assert Clock.of(budget, 5.0, startup).left() == pytest.approx(budget - 5.0 - spare, abs=0.5)
