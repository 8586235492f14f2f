"""Defaults that follow from the size of the data."""

from dataclasses import replace

import numpy as np
import pytest

import nograd as ng
from nograd.config.axes import STRATEGIES
from nograd.config.settings import TrainConfig
from nograd.tasks.defaults import default_weight_decay


def dataset(rows: int) -> ng.Dataset:
    """Random numbers with their sum as the label."""
    x = np.random.default_rng(0).normal(size=(rows, 2))
    return ng.Dataset.from_arrays(x, x.sum(1))


@pytest.mark.parametrize(("rows", "model", "wanted"), [(20, "auto", 0.1), (200, "auto", 0.01), (20, "mlp:64", None)])
def test_weight_decay_of_a_table_is_larger_for_few_rows(rows, model, wanted):
    assert default_weight_decay(TrainConfig(model=model), dataset(rows)) == wanted


@pytest.mark.parametrize("strategy", STRATEGIES.words)
def test_a_strategy_without_weight_decay_gets_none(strategy):
    config, data = TrainConfig(strategy=strategy, model="auto"), dataset(20)
    found = default_weight_decay(config, data)
    assert (found is None) == (strategy not in STRATEGIES.readers("weight_decay"))
    if found is not None:
        assert default_weight_decay(replace(config, weight_decay=0.0), data) == 0.0  # what is given counts


@pytest.mark.parametrize(
    "strategy",
    [
        word if word in ("openai-es", "cma-es") else pytest.param(word, marks=pytest.mark.slow)
        for word in STRATEGIES.words
    ],
)
def test_a_table_trains_and_resumes_with_every_strategy(tmp_path, strategy):
    settings = {"strategy": strategy, "generations": 1, "model": "auto", "engine": "inline"}
    data = dataset(20)
    ng.train(data, out=tmp_path / "run", **settings)
    run = ng.train(data, resume=tmp_path / "run", generations=2)
    assert run.result["generations"] == 2
