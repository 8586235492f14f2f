"""Observers of a training: several at once, the live page, TensorBoard, Weights & Biases."""

import json
import sys
from pathlib import Path

import pytest

import nograd as ng
from nograd.cli.main import main
from nograd.reports import live_page as live
from nograd.reports.live_page import LivePage
from nograd.runs.directory import RunDirectory
from nograd.training.loop import Progress
from nograd.training.observers.combined import CombinedObserver

QUICK = {"model": "mlp:4", "population": 8, "batch": 16, "generations": 4, "eval_every": 2, "engine": "inline"}
pytestmark = pytest.mark.usefixtures("no_pictures", "quick_runs")
FAKE = """
import json, os
class Error(Exception): pass
class Run:
    def __init__(self, **given): self.given, self.lines, self.summary = given, [], {}
    def log(self, line, step): self.lines.append([step, line])
    def finish(self, exit_code=0):
        with open(os.environ["FAKE_WANDB"], "a") as file:
            told = {"given": self.given, "lines": self.lines, "summary": self.summary, "code": exit_code}
            file.write(json.dumps(told) + "\\n")
def init(**given):
    if os.environ.get("FAKE_WANDB") == "refuse": raise Error("api_key not configured")
    return Run(**given)
"""


class Recorder:
    """An observer that writes down what it is told."""

    def __init__(self, name, told):
        self.name, self.told = name, told

    def __enter__(self):
        self.told.append((self.name, "enter"))
        return self

    def __exit__(self, kind, error, trace):
        self.told.append((self.name, "exit"))

    def generation(self, progress, line):
        self.told.append((self.name, progress.generation))

    def finish(self, run):
        self.told.append((self.name, "finish"))


class Plain:
    """One that is no context manager and asks for no end."""

    def generation(self, progress, line):
        pass


def test_observers_are_told_in_order_and_left_in_turn():
    told = []
    several = CombinedObserver([Recorder("a", told), Plain(), Recorder("b", told)])
    with several:
        several.generation(Progress(generation=1), {})
    several.finish(None)
    assert told[:4] == [("a", "enter"), ("b", "enter"), ("a", 1), ("b", 1)]
    assert told[4:] == [("b", "exit"), ("a", "exit"), ("a", "finish"), ("b", "finish")]


def test_the_callers_observer_is_told_of_the_end_too(tmp_path):
    told = []
    ng.train("digits", **QUICK, out=tmp_path / "a", observer=Recorder("mine", told))
    assert [what for _, what in told] == ["enter", 1, 2, 3, 4, "exit", "finish"]


class Failing(Recorder):
    """One that raises in one of its methods."""

    def __init__(self, told, where):
        super().__init__("bad", told)
        self.where = where

    def _fail(self, where):
        if where == self.where:
            raise ValueError("a fault\nof the observer's")

    def __enter__(self):
        self._fail("__enter__")
        return super().__enter__()

    def __exit__(self, kind, error, trace):
        super().__exit__(kind, error, trace)
        self._fail("__exit__")

    def generation(self, progress, line):
        if progress.generation == 2:
            self._fail("generation")
        super().generation(progress, line)

    def finish(self, run):
        self._fail("finish")


@pytest.mark.parametrize("where", ["__enter__", "generation", "__exit__", "finish"])
def test_an_observer_that_fails_is_left_and_the_others_and_the_training_go_on(where, capsys):
    told = []
    several = CombinedObserver([Recorder("a", told), Failing(told, where), Recorder("b", told)])
    with several:
        for generation in (1, 2, 3):
            several.generation(Progress(generation=generation), {})
    several.finish(None)
    for name in "ab":
        assert [what for who, what in told if who == name] == ["enter", 1, 2, 3, "exit", "finish"]
    assert [what for who, what in told if who == "bad"].count("exit") == (where != "__enter__")
    error = capsys.readouterr().err
    assert error.count("\n") == (where != "__exit__")
    if where != "__exit__":
        assert error.startswith("nograd: the observer Failing failed (ValueError: a fault of the observer's); ")


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3)])
def test_what_asks_for_the_end_is_no_failure_of_an_observer(error):
    class Ends:
        def generation(self, progress, line):
            raise error

    with pytest.raises(type(error)):
        CombinedObserver([Ends()]).generation(Progress(generation=1), {})


def test_a_training_goes_on_without_an_observer_that_fails(tmp_path):
    run = ng.train("digits", **QUICK, out=tmp_path / "a", observer=Failing([], "generation"))
    assert (run.result["stop_reason"], run.result["generations"]) == ("generations", 4)


# The live page -------------------------------------------------------------------------------------------


def test_a_training_writes_its_page_from_start_to_end(tmp_path, monkeypatch, capsys):
    pages = []
    write = live.write_atomically
    monkeypatch.setattr(live, "write_atomically", lambda path, page: (pages.append(page.decode()), write(path, page)))
    monkeypatch.setattr(live, "_PAUSE", 0)
    monkeypatch.delenv("DISPLAY", raising=False)
    run = ng.train("digits", **QUICK, out=tmp_path / "a", open=True)
    assert len(pages) == 1 + 2 + 1  # the start, each evaluation, the end
    assert "No generation is done yet" in pages[0]
    assert all('http-equiv="refresh"' in page for page in pages[:-1])
    assert 'http-equiv="refresh"' not in pages[-1]
    assert "Confusion matrix" in pages[-1]
    assert (run.path / "report.html").read_text("utf-8") == pages[-1]
    assert f"page: {run.path}/report.html" in capsys.readouterr().out
    assert "open" not in run.config["settings"]


def test_pages_take_a_small_share_of_the_time(tmp_path, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(live.time, "monotonic", lambda: clock[0])
    written = []

    def slow(*arguments, **options):
        clock[0] += 2.0
        written.append(clock[0])
        return ""

    monkeypatch.setattr(live, "run_page", slow)
    page = LivePage(RunDirectory.create(tmp_path / "a", {}), lambda line: None)
    for generation in range(1, 2001):
        clock[0] += 0.1
        page.generation(Progress(generation=generation), {"val_accuracy": 0.5} if generation % 2 else {})
    assert 2 * len(written) <= 0.06 * clock[0]
    assert len(written) >= 4


def test_a_page_that_fails_ends_no_training(tmp_path, monkeypatch, capsys):
    def broken(*arguments, **options):
        raise ValueError("no picture")

    monkeypatch.setattr(live, "run_page", broken)
    run = ng.train("digits", **QUICK, out=tmp_path / "a", open=True)
    assert run.result["stop_reason"] == "generations"
    told = capsys.readouterr().out
    assert told.count("\n") == told.count("the page is not written any more: ValueError: no picture") == 1


# Trackers ------------------------------------------------------------------------------------------------


def test_tensorboard_reads_what_was_written(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run = ng.train("digits", **QUICK, out=tmp_path / "a", tensorboard=True)
    # Resumed from an earlier checkpoint would be the same; here it just goes on.
    ng.train(resume=run.path, generations=6, tensorboard=True)
    seen = EventAccumulator(str(run.path)).Reload()
    for name in ("fitness_mean", "gradient_norm", "seconds"):
        assert [event.step for event in seen.Scalars(name)] == [1, 2, 3, 4, 5, 6]
    wanted = [line["fitness_mean"] for line in run.metrics]
    assert [event.value for event in seen.Scalars("fitness_mean")] == pytest.approx(wanted)
    assert [event.step for event in seen.Scalars("val_accuracy")] == [2, 4, 6]
    assert seen.Scalars("result/test_accuracy")[-1].value == pytest.approx(run.result["test_accuracy"])


@pytest.fixture
def fake_wandb(tmp_path, monkeypatch):
    """A package wandb that writes what it is told to a file; returns the file."""
    (tmp_path / "lib" / "wandb").mkdir(parents=True)
    (tmp_path / "lib" / "wandb" / "__init__.py").write_text(FAKE)
    monkeypatch.syspath_prepend(tmp_path / "lib")
    for name in ("wandb", "nograd.training.observers.wandb"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setenv("FAKE_WANDB", str(tmp_path / "told"))
    yield tmp_path / "told"
    for name in ("wandb", "nograd.training.observers.wandb"):
        sys.modules.pop(name, None)


def test_weights_and_biases_get_all_metrics_and_the_result(fake_wandb, tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_PROJECT", "mine")
    run = ng.train("digits", **QUICK, out=tmp_path / "a", wandb=True)
    ng.train(resume=run.path, generations=6, wandb=True)
    first, second = map(json.loads, fake_wandb.read_text().splitlines())
    assert first["given"]["project"] == "mine"
    assert first["given"]["name"] == "a"
    assert first["given"]["dir"] == str(run.path)
    assert first["given"]["config"]["settings"]["model"] == "mlp:4"
    assert first["given"]["id"] == second["given"]["id"]
    assert [line for _, line in first["lines"] + second["lines"]] == run.metrics
    assert [step for step, _ in first["lines"] + second["lines"]] == [1, 2, 3, 4, 5, 6]
    assert second["summary"] == run.result
    assert first["code"] == 0


def test_nobody_logged_in_is_one_line(fake_wandb, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("FAKE_WANDB", "refuse")
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in QUICK.items()]
    with pytest.raises(SystemExit) as stop:
        main(["train", "digits", *flags, "--out", str(tmp_path / "a"), "--wandb"])
    error = capsys.readouterr().err
    assert stop.value.code == 2
    assert error.count("\n") == 1
    assert "api_key not configured; run wandb login, or set WANDB_MODE=offline" in error


@pytest.mark.parametrize("name", ["tensorboard", "wandb", "open"])
def test_a_missing_package_is_one_line_before_anything_is_made(name, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("nograd.training.observers.combined.find_spec", lambda name: None)
    monkeypatch.setattr("nograd.reports.charts.find_spec", lambda name: None)
    with pytest.raises(SystemExit) as stop:
        main(["train", "digits", "--out", str(tmp_path / "a"), f"--{name}"])
    error = capsys.readouterr().err
    assert stop.value.code == 2
    assert error.count("\n") == 1
    assert f"pip install 'nograd[{'report' if name == 'open' else name}]'" in error
    assert not Path(tmp_path / "a").exists()
