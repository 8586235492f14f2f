"""Trainings by any fitness and metric: chosen, stopped and resumed by it, on every engine, and refused in one line."""

from dataclasses import replace

import jax
import numpy as np
import pytest
from problems import dataset
from sklearn.metrics import fbeta_score

import nograd as ng
from nograd.cli.main import main
from nograd.config.axes import FITNESSES, PERTURBATIONS, STRATEGIES
from nograd.config.settings import TrainConfig
from nograd.config.validate import validate
from nograd.core.types import ConfigError
from nograd.tasks.kinds import kind_of
from nograd.tasks.target_kinds import TARGETS
from nograd.training.job import build_job
from runs import lines

pytestmark = pytest.mark.slow  # minutes in all: before a release

QUICK = {"model": "mlp:4", "population": 8, "generations": 4, "eval_every": 1, "engine": "inline", "batch": 24}
WHOLE = [word for word in FITNESSES.words if FITNESSES.entry(word).whole]
DATA = {word: dataset(word) for word in TARGETS}


def f2(y_true, y_pred):
    return fbeta_score(y_true, y_pred, beta=2, average="macro", zero_division=0)


@pytest.mark.parametrize("perturbation", PERTURBATIONS.words)
@pytest.mark.parametrize("kind", TARGETS)
def test_every_fitness_is_built_or_refused_in_one_line(kind, perturbation):
    for word, entry in FITNESSES.entries.items():
        for weights in (None, "balanced"):
            config = TrainConfig(
                task="data", fitness=word, perturbation=perturbation, class_weight=weights, model="mlp:4"
            )
            fits = kind in entry.targets and (weights is None or kind == "classes")
            if fits and not (entry.whole and (perturbation != "dense" or weights)):
                task = build_job(validate(config), DATA[kind]).task
                assert task.measure == task.targets.measure
            else:
                with pytest.raises(ConfigError, match=r"\A[^\n]*; (use|leave it out)[^\n]*\Z"):
                    build_job(validate(config), DATA[kind])


@pytest.mark.parametrize(("kind", "fitness"), [("classes", "f1"), ("labels", "auc"), ("numbers", "r2")])
def test_a_batch_fitness_climbs_its_metric(tmp_path, kind, fitness):
    more = {"fitness": fitness, "metric": fitness, "generations": 30, "eval_every": 10, "batch": 96, "population": 32}
    run = ng.train(DATA[kind], out=tmp_path / "run", **{**QUICK, **more}, lr=0.05)
    scores = [line[f"train_{fitness}"] for line in run.metrics if f"train_{fitness}" in line]
    assert scores[-1] > scores[0]
    assert run.result[f"test_{fitness}"] == run.result["metrics"][fitness] > run.result["baseline"][fitness]


@pytest.mark.slow
def test_lower_is_better_where_it_is(tmp_path):
    run = ng.train(DATA["classes"], metric="log_loss", patience=3, out=tmp_path / "run", **QUICK)
    scores = {line["generation"]: line["val_log_loss"] for line in run.metrics}
    assert run.result["best_generation"] == min(scores, key=scores.get)
    assert run.result["val_log_loss"] == min(scores.values())
    assert run.measure.name == "log_loss"
    found = run.evaluate("test", DATA["classes"])
    assert found["log_loss"] == run.result["test_log_loss"] == run.result["metrics"]["log_loss"]
    low, high = run.result["test_interval"]
    assert low < found["log_loss"] < high
    reached = ng.train(DATA["classes"], metric="log_loss", target=100.0, out=tmp_path / "reached", **QUICK)
    assert (reached.result["stop_reason"], reached.result["generations"]) == ("target", 1)


@pytest.mark.parametrize("metric", ["f1", f2], ids=["word", "function"])
def test_a_resumed_run_is_the_whole_run(tmp_path, metric):
    given = {**QUICK, "metric": metric, "class_weight": {"oak": 2, "ash": 0.5}, "checkpoint_every": 2, "patience": 50}
    whole = ng.train(DATA["classes"], out=tmp_path / "whole", **given)
    ng.train(DATA["classes"], out=tmp_path / "cut", **{**given, "generations": 2})
    kept = {"metric": metric} if callable(metric) else {}
    resumed = ng.train(DATA["classes"], resume=tmp_path / "cut", generations=4, **kept)
    assert lines(resumed) == lines(whole)
    jax.tree.map(np.testing.assert_array_equal, resumed.params, whole.params)
    assert resumed.result[resumed.measure.test] == whole.result[whole.measure.test]
    if callable(metric):
        with pytest.raises(ConfigError, match="chosen by the metric f2, a Python function; give it"):
            ng.load(tmp_path / "cut").evaluate("test", DATA["classes"])
        assert ng.load(tmp_path / "cut", metric=f2).evaluate("test", DATA["classes"])["f2"] == resumed.result["test_f2"]
    else:
        with pytest.raises(ConfigError, match="cannot resume with another --metric"):
            ng.train(DATA["classes"], resume=tmp_path / "cut", metric="auc")


def test_of_equal_scores_the_smaller_loss_is_the_best(tmp_path):
    run = ng.train(DATA["classes"], out=tmp_path / "run", **{**QUICK, "generations": 12}, lr=0.05)
    ranked = [(line["val_accuracy"], -line["val_loss"], -line["generation"]) for line in run.metrics]
    assert run.result["best_generation"] == -max(ranked)[2]


@pytest.mark.slow
@pytest.mark.parametrize("kind", TARGETS)
@pytest.mark.parametrize("strategy", STRATEGIES.words)
def test_every_batch_fitness_trains_with_every_strategy_on_every_engine(tmp_path, kind, strategy):
    for word in (word for word in WHOLE if kind in FITNESSES.entry(word).targets):
        given = {**QUICK, "strategy": strategy, "fitness": word}
        alone = ng.train(DATA[kind], out=tmp_path / f"{word}-alone", **given)
        given |= {"engine": "process", "workers": 2}
        jax.tree.map(
            np.testing.assert_array_equal, ng.train(DATA[kind], out=tmp_path / word, **given).params, alone.params
        )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--metric", "acuracy"], "unknown metric 'acuracy'; did you mean accuracy"),
        (["--metric", "rmse"], "--metric rmse is for numbers"),
        (["--fitness", "f1", "--perturbation", "node"], "use --perturbation dense"),
        (["--fitness", "f1", "--batch", "1"], "--batch 1 is a single example"),
        (["--fitness", "f1", "--class-weight", "balanced"], "one number for all of them; leave it out"),
        (["--fitness", "r2"], "--fitness r2 is for numbers"),
        (["--class-weight", "setosaa=2"], "names no class 'setosaa'; did you mean setosa"),
        (["--metric", "log_loss", "--target", "-1"], "it is a log loss, a positive number"),
        (["--metric", "f1", "--target", "2"], "of the metric f1, up to 1"),
        (["--metric", "math:floor"], "the metric floor fails on (y_true, y_pred)"),
    ],
)
def test_what_cannot_be_is_one_line(tmp_path, capsys, words, said):
    with pytest.raises(SystemExit) as ended:
        main(["train", "iris", "--out", str(tmp_path / "run"), *words])
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert said in error
    assert len(error.strip().splitlines()) == 1
    assert not (tmp_path / "run").exists()


def test_defaults_of_a_table_follow_its_size():
    config = validate(replace(TrainConfig(task="data"), model="auto"))
    small, images = DATA["classes"], DATA["classes"]._replace(columns=())
    for data, model, batch in [(small, "mlp-linear:16", 96), (images, "mlp:64", 96)]:
        settled = kind_of(data).with_defaults(config, data)
        assert (settled.model, settled.batch, settled.fitness) == (model, batch, "cross_entropy")
