"""Metrics: scikit-learn's values, errors that resampling confirms, functions of one's own, weights of classes."""

import numpy as np
import pytest
from problems import dataset
from sklearn import metrics as of_sklearn
from sklearn.utils.class_weight import compute_class_weight

from nograd.config.scores import FITNESSES, METRICS
from nograd.core.types import ConfigError
from nograd.tasks.baselines import linear_outputs
from nograd.tasks.class_weights import Weighted, class_weights, weighted
from nograd.tasks.final_metrics import final_metrics, scored
from nograd.tasks.fitness import cross_entropy, resolve_fitness
from nograd.tasks.metrics import metrics_of, named_metric
from nograd.tasks.own_metric import make_metric, resolve_metric
from nograd.tasks.target_kinds import TARGETS, targets_of


def case(word, rows=120):
    """Targets of a kind with outputs that are right more often than not."""
    data = dataset(word, rows)
    targets, y = targets_of(data), data.y_train
    true = np.eye(3)[y] if word == "classes" else 2.0 * y - 1 if word == "labels" else y
    return targets, (true + np.random.default_rng(1).normal(size=true.shape)).astype(np.float32), y, data


@pytest.mark.parametrize("word", TARGETS)
def test_values_are_those_of_scikit_learn(word):
    targets, outputs, y, _ = case(word)
    found = {name: metric.value(targets, outputs, y) for name, metric in metrics_of(targets).items()}
    true, said = targets.truth(y), targets.predictions(outputs)
    if word == "numbers":
        expected = {
            "r2": of_sklearn.r2_score(true, said),
            "rmse": of_sklearn.root_mean_squared_error(true, said),
            "mae": of_sklearn.mean_absolute_error(true, said),
        }
    else:
        shares = targets.probabilities(outputs.astype(np.float64))
        auc = of_sklearn.roc_auc_score(true, shares, **({"multi_class": "ovr"} if word == "classes" else {}))
        expected = {
            "accuracy": of_sklearn.accuracy_score(true, said),
            "f1": of_sklearn.f1_score(true, said, average="macro"),
            "auc": auc,
        }
        if word == "classes":
            expected["balanced_accuracy"] = of_sklearn.balanced_accuracy_score(true, said)
            expected["log_loss"] = of_sklearn.log_loss(true, shares, labels=list(targets.target.classes))
    assert found == pytest.approx(expected)
    figures = targets.figures(outputs, y)
    assert figures[targets.measure.name] == pytest.approx(expected[targets.measure.name])


@pytest.mark.parametrize("word", TARGETS)
def test_errors_are_those_of_resampling(word):
    targets, outputs, y, _ = case(word, rows=400)
    rng = np.random.default_rng(2)
    for name, metric in metrics_of(targets).items():
        error = metric.error(targets, outputs, y)
        if metric.measure.proportion:
            assert error is None
            continue
        rows = rng.integers(0, len(y), (150, len(y)))
        values = [metric.value(targets, outputs[row], y[row]) for row in rows]
        # The deviation of 150 draws is known to 6% (one standard error).
        assert error == pytest.approx(np.std(values), rel=0.3), name


@pytest.mark.parametrize("word", TARGETS)
def test_what_is_not_defined_is_none_and_costs_nothing(word):
    targets, outputs, y, _ = case(word)
    broken = outputs.copy()
    broken[3, 0] = np.nan
    for metric in metrics_of(targets).values():
        assert metric.value(targets, broken, y) is None
        assert metric.error(targets, broken, y) is None
        value = metric.value(targets, outputs[:1], y[:1])
        assert value is None or np.isfinite(value)


@pytest.mark.parametrize("word", TARGETS)
def test_the_end_has_every_metric_with_an_interval_and_two_baselines(word):
    targets, _, _, data = case(word)
    linear = linear_outputs(targets, data)
    assert "regression, fitted to all 96 training" in f"{linear.name}, {linear.note}"
    final = final_metrics(targets, linear.outputs.astype(np.float32), data, {})
    assert set(final["metrics"]) == set(metrics_of(targets)) == set(final["baseline"]) == set(final["linear_baseline"])
    main = targets.measure
    assert final["linear_baseline"][main.name] > final["baseline"][main.name]
    for name, interval in final["intervals"].items():
        assert interval is None or interval[0] <= final["metrics"][name] <= interval[1]


def test_a_linear_baseline_is_left_out_where_it_would_take_long():
    data = dataset("classes")
    wide = data._replace(x_train=np.zeros((30_000, 2000), np.uint8), y_train=np.zeros(30_000, np.int32))
    found = linear_outputs(targets_of(data), wide)
    assert found.outputs is None
    assert found.note == "left out: 30,000 examples of 2,000 numbers would take too long"


def test_a_function_is_a_metric_in_the_users_words():
    targets, outputs, y, _ = case("classes")
    seen = []

    def share_of_oak(y_true, y_pred):
        seen.append((set(y_true), set(y_pred)))
        return np.mean((y_true == "oak") == (y_pred == "oak"))

    metric = resolve_metric(None, share_of_oak, targets)
    assert (metric.measure.name, metric.measure.higher) == ("share_of_oak", True)
    found = scored(metric, targets, outputs, y)
    assert seen[0] == ({"oak", "elm", "ash"}, {"oak", "elm", "ash"})
    assert 0 < found["share_of_oak_error"] < 0.1
    assert found["accuracy"] == np.mean(outputs.argmax(-1) == y)

    loss = make_metric(of_sklearn.log_loss, response_method="predict_proba", greater_is_better=False).metric()
    ours = named_metric("log_loss", targets)
    assert loss.value(targets, outputs, y) == pytest.approx(ours.value(targets, outputs, y))
    assert loss.measure.better(0.1, 0.2)
    assert resolve_metric("sklearn.metrics:accuracy_score", None, targets).measure.name == "accuracy_score"


def test_a_wrong_metric_is_one_line():
    targets, outputs, y, _ = case("classes")
    with pytest.raises(ConfigError, match=r"the metric lambda fails on .y_true, y_pred.: oh"):
        resolve_metric(None, lambda a, b: exec("raise ValueError('oh')"), targets).value(targets, outputs, y)
    with pytest.raises(ConfigError, match="unknown metric 'acuracy'; did you mean accuracy"):
        resolve_metric("acuracy", None, targets)
    with pytest.raises(ConfigError, match=r"--metric rmse is for numbers.*use accuracy"):
        resolve_metric("rmse", None, targets)
    with pytest.raises(ConfigError, match=r"nograd.load.path, metric="):
        resolve_metric("(mine)", None, targets).value(targets, outputs, y)
    with pytest.raises(ConfigError, match="response_method cannot be 'proba'"):
        make_metric(of_sklearn.log_loss, response_method="proba")
    numbers, outputs, y, _ = case("numbers")
    with pytest.raises(ConfigError, match="takes probabilities, and targets that are numbers have none"):
        make_metric(of_sklearn.log_loss, response_method="predict_proba").metric().value(numbers, outputs, y)


def test_weights_of_classes_are_scikit_learns():
    data = dataset("classes")
    y, names = data.y_train, data.class_names
    balanced = class_weights("balanced", y, names)
    np.testing.assert_allclose(balanced, compute_class_weight("balanced", classes=np.arange(3), y=y))
    assert class_weights("balanced", y[y > 0], names)[0] == 1.0  # a class without an example
    assert class_weights("oak=3,elm=0", y, names) == tuple({"oak": 3.0, "elm": 0.0}.get(name, 1.0) for name in names)
    outputs = np.random.default_rng(0).normal(size=(len(y), 3)).astype(np.float32)
    found = weighted(cross_entropy, "balanced", targets_of(data), data)(outputs, y)
    np.testing.assert_allclose(found, cross_entropy(outputs, y) * np.array(balanced)[y], rtol=1e-6)


@pytest.mark.parametrize(
    ("word", "given", "said"),
    [
        ("classes", "blanced", "cannot be 'blanced'; write balanced, or NAME=WEIGHT"),
        ("classes", "oka=3", "names no class 'oka'; did you mean oak"),
        ("classes", "oak=-3", "oak=-3 is no weight"),
        ("classes", "oak=nan", "oak=nan is no weight"),
        ("numbers", "balanced", "is for classes, and the targets are numbers"),
        ("labels", "balanced", "is for classes, and the targets are labels"),
    ],
)
def test_weights_that_cannot_be(word, given, said):
    _, _, _, data = case(word)
    with pytest.raises(ConfigError, match=said):
        weighted(cross_entropy, given, targets_of(data), data)


def test_weights_of_a_fitness_of_the_whole_batch_are_refused():
    whole = Weighted(lambda outputs, labels: outputs.mean(), (1.0, 2.0))
    with pytest.raises(ConfigError, match="one number for the whole batch"):
        whole(np.zeros((4, 2), np.float32), np.zeros(4, np.int32))


@pytest.mark.parametrize("word", TARGETS)
def test_every_word_of_the_registries_is_for_some_kind(word):
    targets = case(word)[0]
    assert targets.measure.name in metrics_of(targets)
    for fitness in FITNESSES.words:
        if fitness in targets.fitnesses:
            assert callable(resolve_fitness(FITNESSES.entry(fitness).form or fitness, targets.fitnesses))
        else:
            with pytest.raises(
                ConfigError, match=f"--fitness {fitness} is for .*; use {next(iter(targets.fitnesses))}"
            ):
                resolve_fitness(fitness, targets.fitnesses)
    for metric in METRICS.words:
        if metric not in metrics_of(targets):
            with pytest.raises(ConfigError, match=f"--metric {metric} is for"):
                named_metric(metric, targets)
