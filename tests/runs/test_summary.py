"""What a run says of itself: in a line, in a notebook, in `nograd runs`, and its history as arrays."""

import numpy as np
import pytest

import nograd as ng
from nograd.cli.main import main

QUICK = {"model": "mlp-linear", "generations": 4, "population": 8, "eval_every": 2, "engine": "inline", "show": False}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    ng.train("iris", out=folder / "<b>one", **QUICK)
    ng.train("diabetes", out=folder / "two", **QUICK)
    (folder / "other").mkdir()
    (folder / "other" / "config.json").write_text("{}")  # of another program
    return folder


def test_a_run_tells_what_it_is(folder):
    run = ng.load(folder / "<b>one")
    score = f"test accuracy {run.result['test_accuracy']:.2%}"
    for text in (repr(run), run._repr_html_()):
        assert "iris" in text
        assert score in text
        assert "4 generations" in text
    assert "data:image/png;base64," in run._repr_html_()
    assert "<b>" not in run._repr_html_()  # a name of the user's is text


def test_a_run_that_has_not_ended_tells_how_far_it_is(folder, tmp_path):
    (tmp_path / "cut").mkdir()
    for name in ("config.json", "metrics.jsonl"):
        (tmp_path / "cut" / name).write_bytes((folder / "two" / name).read_bytes())
    assert "not ended, generation 4" in repr(ng.load(tmp_path / "cut"))
    run = ng.load(tmp_path / "cut")
    (tmp_path / "cut" / "config.json").write_text("{}")
    assert repr(run) == f"<nograd run {str(tmp_path / 'cut')!r}>"


def test_history_has_the_figures_of_all_generations(folder):
    run = ng.load(folder / "two")
    np.testing.assert_array_equal(run.history["generation"], [1, 2, 3, 4])
    scored = ~np.isnan(run.history["val_r2"])
    np.testing.assert_array_equal(scored, [False, True, False, True])
    assert run.history["val_r2"][-1] == run.metrics[-1]["val_r2"]


def test_plot_draws_fitness_and_scores(folder):
    figure = ng.load(folder / "two").plot()
    assert figure._repr_png_().startswith(b"\x89PNG")  # what a notebook shows
    above, below = figure.axes
    assert above.get_ylabel() == "fitness"
    assert len(below.lines) == 3  # training, validation, the chosen generation


def test_runs_are_listed_with_the_newest_last(folder, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["runs", str(folder)])
    assert ended.value.code == 0
    header, first, second = capsys.readouterr().out.splitlines()
    assert header.split() == ["run", "task", "model", "score", "generations", "time", "state"]
    assert first.startswith("<b>one")
    assert "test accuracy" in first
    assert second.startswith("two")
    assert "test R²" in second


def test_a_folder_that_is_not_there_is_one_line(tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["runs", str(tmp_path / "none")])
    assert ended.value.code == 2
    assert "is not a folder; name the one" in capsys.readouterr().err


@pytest.mark.parametrize(("show", "lines"), [("auto", False), (False, False), (True, True)])
def test_python_shows_a_training_where_it_is_asked_to(tmp_path, capsys, show, lines):
    ng.train("iris", out=tmp_path / "run", **{**QUICK, "show": show})
    out = capsys.readouterr().out
    assert ("generation 4/4" in out) == lines
    assert ("model: mlp-linear" in out) == lines
