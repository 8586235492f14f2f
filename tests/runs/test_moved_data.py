"""A data file that moves, or a run seen from another folder."""

from pathlib import Path

import numpy as np
import pytest

import nograd as ng
from nograd.cli.main import main
from nograd.core.types import DataError
from nograd.runs.moved_data import find_data

QUICK = {"model": "mlp:4", "batch": 8, "population": 8, "generations": 2, "engine": "inline"}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder, with a table in it."""
    rng = np.random.default_rng(0)
    rows = [f"{rng.normal() + 3 * label},{label}\n" for label in rng.integers(0, 2, 60)]
    (tmp_path / "c.csv").write_text("a,label\n" + "".join(rows))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def failure(capsys, *words):
    with pytest.raises(SystemExit) as stop:
        main(list(words))
    error = capsys.readouterr().err
    assert stop.value.code == 2
    assert error.count("\n") == 1
    return error


@pytest.mark.slow
def test_a_run_goes_on_and_is_evaluated_wherever_its_data_have_gone(folder, monkeypatch, capsys):
    run = ng.train("c.csv", out="runs/a", **QUICK)
    score = run.evaluate()
    (folder / "else").mkdir()
    monkeypatch.chdir(folder / "else")  # another current folder
    assert ng.load("../runs/a").evaluate() == score
    (folder / "c.csv").rename(folder / "else" / "d.csv")
    monkeypatch.chdir(folder)
    with pytest.raises(DataError, match="NEWPATH --resume runs/a, or nograd evaluate runs/a --data NEWPATH"):
        ng.load("runs/a").evaluate()
    failure(capsys, "evaluate", "runs/a")
    failure(capsys, "train", "--resume", "runs/a")
    # Both remedies work.
    assert ng.load("runs/a", data="else/d.csv").evaluate() == score
    assert ng.train("else/d.csv", resume="runs/a", generations=4).result["generations"] == 4
    assert ng.train(resume="runs/a", generations=6).result["generations"] == 6


def test_other_data_under_the_name_are_refused(folder, capsys):
    ng.train("c.csv", out="runs/a", **QUICK)
    text = (folder / "c.csv").read_text()
    (folder / "d.csv").write_text(text + "0.5,1\n")
    assert "changed since" in failure(capsys, "train", "d.csv", "--resume", "runs/a")
    (folder / "c.csv").rename(folder / "runs" / "c.csv")  # it is found there
    ng.train(resume="runs/a", generations=3)


def test_where_a_file_is_looked_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = Path("runs/a")
    for place in ("named", ".", "runs/a", "runs", "data"):
        path = tmp_path / place / "c.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
        assert find_data(str(tmp_path / "named" / "c.csv"), run, "data").samefile(path)
        path.unlink()
    with pytest.raises(DataError):
        find_data("c.csv", run, None)
