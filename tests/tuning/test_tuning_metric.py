"""A search by any metric, in its own direction, for numbers and several labels too."""

import polars as pl
import pytest
from problems import LABELS, dataset

import nograd as ng
from nograd.core.types import ConfigError
from nograd.tuning.open_study import open_or_make
from nograd.tuning.settings import SearchConfig
from nograd.tuning.study import read


@pytest.fixture
def table(tmp_path, monkeypatch):
    """A file with the targets of a kind."""
    monkeypatch.chdir(tmp_path)

    def write(kind):
        data = dataset(kind)
        names = [LABELS[kind]] if isinstance(LABELS[kind], str) else LABELS[kind]
        y = data.target.decode(data.y_train) if kind == "numbers" else data.y_train.astype(int)
        columns = y.reshape(len(y), -1).T
        inputs = dict(zip("abc", data.x_train.T, strict=True))
        pl.DataFrame(inputs | dict(zip(names, columns, strict=True))).write_csv("t.csv")
        return ",".join(names)

    return write


@pytest.mark.parametrize(
    ("kind", "metric", "direction"), [("numbers", "rmse", "MINIMIZE"), ("labels", "auc", "MAXIMIZE")]
)
def test_a_study_goes_by_its_metric(table, kind, metric, direction):
    given = {"label": table(kind), "metric": metric, "generations": 2, "trials": 2, "out": "s"}
    made = open_or_make(SearchConfig(task="t.csv", search=("fitness", "lr"), **given))
    drawn = next(dimension for dimension in made.space if dimension.name == "fitness")
    assert drawn.choices[0] == {"numbers": "squared_error", "labels": "cross_entropy"}[kind]
    assert made.record["metric"]["name"] == metric
    assert read.open_study(made.place).direction.name == direction
    with pytest.raises(ConfigError, match="the study has --metric"):
        open_or_make(SearchConfig(out="s", metric="mae" if kind == "numbers" else "f1"))
    with pytest.raises(ConfigError, match="unknown metric 'aucc'"):
        open_or_make(SearchConfig(task="t.csv", label=given["label"], metric="aucc", trials=1, out="other"))


@pytest.mark.slow
def test_the_winner_of_an_error_is_the_lowest(table):
    label = table("numbers")
    space = {"lr": "log(0.0001, 0.1)"}
    flags = {"label": label.split(","), "metric": "rmse", "generations": 4, "eval_every": 2, "workers": 1}
    study = ng.search("t.csv", search=space, trials=3, confirm=1, out="s", **flags)
    values = {trial.number: trial.value for trial in study.trials}
    assert study.winner.trial == min(values, key=values.get)
    assert study.measure.name == "rmse"
    assert all(trial.value == min(score for _, score in trial.curve) for trial in study.trials)
    assert len(study.winner.test_scores) == 1
    assert "rmse" in ng.report("s").read_text("utf-8").lower()
