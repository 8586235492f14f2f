"""Classes, numbers and several labels, from any form of a table to a prediction: laws that hold for each."""

import jax
import numpy as np
import polars as pl
import pytest
from sklearn import metrics as of_sklearn

import nograd as ng
from nograd.core.types import ConfigError, DataError
from nograd.data import Dataset, target_from_json
from nograd.tasks.fitness import fitnesses_of, resolve_fitness
from nograd.tasks.multilabel import Labels
from nograd.tasks.regression import Numbers
from nograd.testing import targets_laws

QUICK = {"model": "mlp:4", "population": 8, "generations": 3, "eval_every": 1, "engine": "inline"}
LABELS = {"kind": {"label": "kind"}, "numbers": {"label": ["height", "age"]}, "labels": {"label": ["wet", "old"]}}


def table(rows=60):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows, 3))
    return pl.DataFrame(
        {
            "b": x[:, 0],
            "a": [f"level {int(value > 0)}" for value in x[:, 1]],
            "c": x[:, 2],
            "kind": [("oak, red", "elm", "ash")[int(value > 0) + int(value > 1)] for value in x[:, 0]],
            "height": 170 + 30 * x[:, 0],
            "age": 40 + 10 * x[:, 2],
            "wet": (x[:, 1] > 0).astype(int),
            "old": (x[:, 2] > 0).astype(int),
        }
    )


def train(folder, task, name, **given):
    others = [label for key, one in LABELS.items() if key != name for label in np.atleast_1d(one["label"]).tolist()]
    return ng.train(task, out=folder, **QUICK, **LABELS[name], drop=others, **given)


@pytest.fixture(scope="module", params=LABELS)
def trained(request, tmp_path_factory):
    return request.param, train(tmp_path_factory.mktemp("run") / request.param, table(), request.param)


def test_columns_are_taken_by_name(trained):
    _, run = trained
    expected = run.predict(table())
    np.testing.assert_array_equal(run.predict(table().select(sorted(table().columns, reverse=True))), expected)
    np.testing.assert_array_equal(run.predict(table()[::-1])[::-1], expected)
    with pytest.raises(DataError, match="lacks the column b"):
        run.predict(table().drop("b"))
    with pytest.raises(DataError, match="'zip'"):
        run.predict(table().with_columns(zip=1))


def test_predictions_of_the_training_file_are_those_of_the_training(trained):
    name, run = trained
    data = Dataset.from_frame(table(), LABELS[name]["label"], drop=run.settings.drop.split(","), seed=run.settings.seed)
    np.testing.assert_array_equal(run.predict(table())[data.rows[0]], run.task.predictions(run.outputs(data.x_train)))
    assert run.evaluate("test", data)[run.measure.name] == run.result[run.measure.test]


def test_what_is_said_of_a_run_is_in_the_users_words(trained):
    name, run = trained
    predicted = run.predict(table())
    if name == "kind":
        assert set(predicted) <= {"oak, red", "elm", "ash"}
        assert np.allclose(run.predict_proba(table()).sum(1), 1)
    elif name == "numbers":
        assert predicted.shape == (60, 2)
        assert 100 < predicted[:, 0].mean() < 240
        with pytest.raises(ConfigError, match="no probabilities"):
            run.predict_proba(table())
    else:
        assert set(np.unique(predicted)) <= {0, 1}
        assert run.predict_proba(table()).shape == (60, 2)
    header = run.task.table(run.outputs(run._inputs(table())), details=False).partition("\n")[0]
    assert header == {"kind": "class", "numbers": "height,age", "labels": "wet,old"}[name]
    assert set(run.result["metrics"]) == set(run.result["baseline"])
    main = run.measure.name
    assert run.result["metrics"][main] == pytest.approx(run.result[run.measure.test], abs=1e-12)


def test_a_table_in_any_form_is_the_same_run(tmp_path, trained):
    name, run = trained
    frame = table()
    frame.write_csv(tmp_path / "t.csv")
    frame.write_parquet(tmp_path / "t.parquet")
    frame.write_json(tmp_path / "t.json")
    forms = [str(tmp_path / f"t.{kind}") for kind in ("csv", "parquet", "json")]
    for i, form in enumerate([*forms, frame.to_dict(as_series=False)] if name == "kind" else forms[:1]):
        other = train(tmp_path / f"r{i}", form, name)
        jax.tree.map(np.testing.assert_array_equal, other.params, run.params)


@pytest.mark.parametrize("kind", [Numbers(), Labels()], ids=["numbers", "labels"])
def test_they_are_kinds_of_target(kind):
    label = LABELS["numbers" if kind.word == "numbers" else "labels"]["label"]
    data = Dataset.from_frame(table(), label)
    for law in targets_laws(lambda: (type(kind)(data.target), data)):
        law()


def test_figures_are_scikit_learns():
    data = Dataset.from_frame(table(), ["height", "age"])
    kind, outputs = Numbers(target_from_json(data.target.to_json())), data.y_train * 0.5
    y, found = kind.decoded(data.y_train), kind.decoded(outputs)
    figures = kind.figures(outputs, data.y_train)
    assert figures["r2"] == pytest.approx(of_sklearn.r2_score(y, found))
    assert figures["rmse"] == pytest.approx(of_sklearn.root_mean_squared_error(y, found))
    assert figures["mae"] == pytest.approx(of_sklearn.mean_absolute_error(y, found))
    y, found = data.y_train > 0, data.y_train > 0.2
    figures = Labels().figures(found - 0.5, y.astype(np.float32))
    assert figures["f1"] == pytest.approx(of_sklearn.f1_score(y, found, average="macro"))


@pytest.mark.parametrize(("word", "best"), [("squared_error", 3.6), ("absolute_error", 2.0), ("quantile:0.75", 4.0)])
def test_a_fitness_of_numbers_is_best_where_it_says(word, best):
    """The mean, the median and the 3/4 quantile of some numbers."""
    y = np.array([[0.0], [1.0], [2.0], [4.0], [11.0]], np.float32)
    fitness, grid = resolve_fitness(word, fitnesses_of("numbers")), np.arange(0, 12, 0.1, dtype=np.float32)
    worth = [float(fitness(np.full_like(y, value), y).mean()) for value in grid]
    assert grid[int(np.argmax(worth))] == pytest.approx(best, abs=1e-4)


@pytest.mark.parametrize("word", ["quantile:2", "quantile:x", "nope", "accuracy"])
def test_a_fitness_that_numbers_do_not_have(word):
    with pytest.raises(ConfigError, match=word):
        resolve_fitness(word, fitnesses_of("numbers"))


def test_a_batch_of_the_user_is_refused_where_the_default_is_cut(tmp_path):
    assert train(tmp_path / "cut", table(), "kind").settings.batch == 48
    with pytest.raises(ConfigError, match="batch must be 1 to 48"):
        train(tmp_path / "refused", table(), "kind", batch=256)
    with pytest.raises(ConfigError, match="cross_entropy"):
        train(tmp_path / "word", table(), "numbers", fitness="cross_entropy")


def test_inputs_and_labels_of_python(tmp_path):
    frame = table()
    x, y = frame.select("b", "c").to_numpy(), frame["kind"].to_list()
    run = ng.train(x, y, out=tmp_path / "run", **QUICK)
    assert run.predict(x).shape == (60,)
    assert set(run.predict(x)) <= set(y)
    with pytest.raises(ConfigError, match=r"nograd.train\(x, y\)"):
        ng.train(x, out=tmp_path / "none", **QUICK)


def test_a_data_set_of_ones_own_is_checked(tmp_path):
    data = Dataset.from_arrays(np.random.default_rng(0).normal(size=(60, 3)), np.arange(60) % 3)
    for wrong in ({"y_train": data.y_train + 5}, {"classes": 2}, {"x_train": data.x_train[:10]}):
        with pytest.raises(DataError):
            ng.train(data._replace(**wrong), out=tmp_path / "run", **QUICK)
    assert not (tmp_path / "run").exists()
