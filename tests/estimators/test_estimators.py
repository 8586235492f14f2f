"""The estimators keep scikit-learn's conventions: its own checks, its pipelines and searches, clones and pickles."""

import pickle
import subprocess
import sys

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_iris
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from nograd.sklearn import ESClassifier, ESRegressor

QUICK = {"model": "mlp:4", "generations": 8, "population": 8, "random_state": 0}
# The checks of scikit-learn warn on purpose.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
ESTIMATORS = [ESClassifier(random_state=0), ESRegressor(random_state=0)]


@pytest.mark.slow
@parametrize_with_checks(ESTIMATORS)
def test_scikit_learns_own_checks(estimator, check):
    check(estimator)


def test_classes_by_their_names():
    x, y = load_iris(return_X_y=True)
    names = np.array(["setosa", "versicolor", "virginica"])[y]
    found = ESClassifier(**{**QUICK, "generations": 60, "population": 32}).fit(x, names)
    assert found.score(x, names) > 0.9
    assert list(found.classes_) == ["setosa", "versicolor", "virginica"]
    np.testing.assert_allclose(found.predict_proba(x).sum(1), 1)
    assert found.n_iter_ == len(found.fitness_curve_) == 60
    assert found.fitness_curve_[-1] > found.fitness_curve_[0]


@pytest.mark.slow
def test_a_fit_is_the_same_in_any_order_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    x, y = load_diabetes(return_X_y=True)
    first = ESRegressor(**QUICK).fit(x, y)
    order = np.random.default_rng(0).permutation(len(x))
    again = clone(first).fit(x[order], y[order])
    np.testing.assert_array_equal(first.predict(x), again.predict(x))
    np.testing.assert_array_equal(first.predict(x)[order], first.predict(x[order]))
    assert list(tmp_path.iterdir()) == []
    two = ESRegressor(**QUICK).fit(x, np.column_stack([y, -y]))
    assert two.predict(x).shape == (len(x), 2)


@pytest.mark.slow
def test_a_weight_of_two_is_a_row_that_comes_twice():
    x, y = load_iris(return_X_y=True)
    weights = np.arange(len(x)) % 3
    weighted = ESClassifier(**QUICK).fit(x, y, weights)
    repeated = ESClassifier(**QUICK).fit(np.repeat(x, weights, axis=0), np.repeat(y, weights))
    np.testing.assert_array_equal(weighted.predict_proba(x), repeated.predict_proba(x))
    assert (weighted.predict_proba(x) != ESClassifier(**QUICK).fit(x, y).predict_proba(x)).any()


def test_programs_that_were_compiled_before_give_the_same():
    from nograd.sklearn import in_memory

    x, y = load_iris(return_X_y=True)
    ESClassifier(**QUICK).fit(x + 1, y[::-1])
    warm = ESClassifier(**{**QUICK, "random_state": 3}).fit(x, y).predict_proba(x)
    in_memory._PROGRAMS.clear()
    np.testing.assert_array_equal(warm, ESClassifier(**{**QUICK, "random_state": 3}).fit(x, y).predict_proba(x))


def test_a_pickle_holds_values_alone():
    x, y = load_iris(return_X_y=True)
    found = ESClassifier(**QUICK).fit(x, y)
    packed = pickle.dumps(found)
    code = (
        "import pickle, sys; from sklearn.datasets import load_iris\n"
        "print(pickle.load(sys.stdin.buffer).predict_proba(load_iris().data).tolist())"
    )
    told = subprocess.run([sys.executable, "-c", code], input=packed, capture_output=True, check=True).stdout
    np.testing.assert_array_equal(np.array(eval(told)), found.predict_proba(x))


@pytest.mark.slow
def test_pipelines_searches_and_processes():
    x, y = load_iris(return_X_y=True)
    pipeline = make_pipeline(StandardScaler(), ESClassifier(**QUICK))
    search = GridSearchCV(pipeline, {"esclassifier__lr": [0.02, 0.1]}, cv=2, error_score="raise").fit(x, y)
    assert search.best_params_["esclassifier__lr"] in (0.02, 0.1)
    alone = cross_val_score(pipeline, x, y, cv=2, error_score="raise")
    both = cross_val_score(pipeline, x, y, cv=2, n_jobs=2, error_score="raise")
    np.testing.assert_array_equal(alone, both)


@pytest.mark.slow
def test_a_run_directory_where_one_is_asked_for(tmp_path):
    import nograd as ng

    x, y = load_iris(return_X_y=True)
    found = ESClassifier(**QUICK, out=tmp_path / "run").fit(x, y)
    run = ng.load(tmp_path / "run")
    assert run.result["test_accuracy"] is not None
    assert (run.config["data"]["val"], run.config["data"]["test"]) == (15, 15)
    np.testing.assert_array_equal(found.predict(x), run.outputs(found.scaling_.apply(x)).argmax(1))


def test_what_cannot_be_is_a_value_error():
    x, y = load_iris(return_X_y=True)
    with pytest.raises(NotFittedError):
        ESRegressor().predict(x)
    for wrong in ({"model": "nope"}, {"population": 7}, {"fitness": "nope"}, {"settings": {"sigmaa": 1}}):
        with pytest.raises(ValueError, match=r"nope|population|sigma"):
            ESClassifier(**{**QUICK, **wrong}).fit(x, y)
