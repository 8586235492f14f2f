"""Figures of a finished run: intervals, tables, curves, the display's arithmetic."""

import io
import signal

import numpy as np
import pytest
from rich.console import Console

from nograd.core.metrics import ACCURACY
from nograd.core.text import duration
from nograd.core.types import ConfigError
from nograd.engines.child_process import ChildProcess
from nograd.runs.curves import draw_curves
from nograd.runs.curves_process import curves_beside
from nograd.tasks.classification import CLASSES
from nograd.tasks.examples import known_split
from nograd.training.display import TrainingDisplay
from nograd.training.loop import Limits, Progress


@pytest.mark.parametrize(("hits", "count"), [(0, 10), (10, 10), (1, 3), (950, 1000), (6956, 10000)])
def test_the_interval_solves_wilsons_equation(hits, count):
    share = hits / count
    low, high = ACCURACY.interval(share, count)
    assert low + 1e-12 >= 0
    assert high <= 1 + 1e-12
    for bound in (low, high):  # |p̂ − p| = z √(p(1 − p)/n) at both ends
        assert abs(share - bound) == pytest.approx(1.959964 * np.sqrt(bound * (1 - bound) / count), abs=1e-6)


def test_the_interval_covers():
    rng = np.random.default_rng(0)
    covered = [
        np.prod(np.subtract(ACCURACY.interval(hits / 200, 200), 0.9)) <= 0 for hits in rng.binomial(200, 0.9, 2000)
    ]
    assert abs(np.mean(covered) - 0.95) < 0.02


def test_the_table_of_predictions():
    outputs = np.log([[0.2, 0.8], [0.75, 0.25]])
    assert CLASSES.table(outputs) == "class\n1\n0\n"
    assert CLASSES.table(outputs, details=True) == ("class,p0,p1\n1,0.200000,0.800000\n0,0.750000,0.250000\n")


def test_splits_have_names():
    assert known_split("val") == "val"
    with pytest.raises(ConfigError, match="did you mean val"):
        known_split("vals")


def test_curves_draw_what_there_is():
    line = {"generation": 1, "fitness_mean": -1.0, "fitness_std": 0.1}
    measured = {"generation": 2, "fitness_mean": None, "fitness_std": 0.1, "val_accuracy": 0.5, "train_accuracy": 0.6}
    for metrics in ([], [line], [line, measured]):
        assert draw_curves(metrics, "a title", ACCURACY, len(metrics)).startswith(b"\x89PNG")


@pytest.mark.parametrize("ended", ["drawn", "killed", "stopped"])
def test_a_child_process_draws_the_same_and_is_missed_by_nobody(ended, monkeypatch):
    monkeypatch.setattr("nograd.runs.curves_process._pays", lambda: True)
    monkeypatch.setattr("nograd.runs.curves_process._PATIENCE", 20.0 if ended == "drawn" else 0.2)
    begun = []
    monkeypatch.setattr(
        "nograd.runs.curves_process.ChildProcess", lambda name: begun.append(ChildProcess(name)) or begun[0]
    )
    lines = [{"generation": n, "fitness_mean": -1.0, "fitness_std": 0.1, "val_accuracy": 0.5} for n in range(1, 9000)]
    with curves_beside(lines, "a title", ACCURACY, 2) as curves:
        if ended != "drawn":
            begun[0].process.send_signal(signal.SIGKILL if ended == "killed" else signal.SIGSTOP)
        assert curves() == draw_curves(lines, "a title", ACCURACY, 2)
    assert begun[0].process.returncode is not None


@pytest.mark.parametrize("name", ["$\\\\no_formula$.csv", "a$.csv", "$$", "木.csv", "a^b_c{", "<b>&\\n"])
def test_a_name_of_any_characters_is_drawn_as_it_is(name):
    line = {"generation": 1, "fitness_mean": -1.0, "fitness_std": 0.1, "val_accuracy": 0.5}
    named = ACCURACY._replace(what=f"error of {name}")
    assert draw_curves([line], f"{name}, mlp:4", named, 1).startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (59.6, "1 min 00 s"), (61, "1 min 01 s"), (7322, "2 h 02 min")]
)
def test_durations_are_for_people(seconds, text):
    assert duration(seconds) == text


def test_rate_and_time_left():
    limits = Limits(100, None, None, None, 10, 10, 1)
    display = TrainingDisplay(
        Console(file=io.StringIO()), limits, Progress(generation=20, seconds=5.0, evaluations=1000)
    )
    now = Progress(generation=30, seconds=10.0, evaluations=6000)
    assert display._rate(now) == 1000.0
    assert display._left(now) == 70 * 0.5
    display.limits = limits._replace(budget=12.0)
    assert display._left(now) == 2.0


def test_plain_lines_where_there_is_no_terminal():
    out = io.StringIO()
    with TrainingDisplay(Console(file=out), Limits(100, None, None, None, 10, 10, 1), Progress()) as display:
        line = {"fitness_mean": -1.5, "dropped": 3}
        display.generation(Progress(generation=1, seconds=1.0, evaluations=100), line)
        assert out.getvalue() == ""
        progress = Progress(generation=2, seconds=2.0, evaluations=200, val_score=0.5, best_score=0.5)
        display.generation(progress, line | {"val_accuracy": 0.5})
    assert out.getvalue().count("\n") == 1
    words = ("2/100", "val accuracy 50.00%", "100 evaluations/s", "3 members dropped")
    assert all(word in out.getvalue() for word in words)
