"""Whole trainings with the perturbations that are local to examples."""

import json

import numpy as np
import optax
import pytest
from blobs import make_blobs

import nograd
from nograd.core.types import ConfigError

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("quick_runs")]


SETTINGS = {
    "node": {"perturbation": "node", "sigma": 0.06, "directions": 8, "batch": 16},
    "lowrank": {"perturbation": "lowrank", "sigma": 0.05, "directions": 8, "group": 4, "batch": 32},
    "whole batch": {"perturbation": "lowrank", "sigma": 0.05, "group": 0, "population": 64, "batch": 32},
    "rank 2, gaussian": {"perturbation": "lowrank", "sigma": 0.05, "rank": 2, "noise": "gaussian", "batch": 32},
}


def train(out, generations=60, **settings):
    return nograd.train(
        make_blobs(), model="mlp:16", lr=0.02, generations=generations, eval_every=20, out=out, **settings
    )


@pytest.mark.parametrize(
    ("name", "shaping"),
    [
        ("node", "raw"),
        ("lowrank", "raw"),
        ("node", "centered_rank"),
        pytest.param("whole batch", "raw", marks=pytest.mark.slow),
        pytest.param("rank 2, gaussian", "raw", marks=pytest.mark.slow),
        pytest.param("lowrank", "centered_rank", marks=pytest.mark.slow),
    ],
)
def test_it_learns(tmp_path, name, shaping):
    run = train(tmp_path / "run", shaping=shaping, **SETTINGS[name])
    assert run.result["test_accuracy"] > 0.8


@pytest.mark.parametrize("shaping", ["sign", pytest.param("standardized", marks=pytest.mark.slow)])
def test_shapings_of_one_pass_learn(tmp_path, shaping):
    assert train(tmp_path / "run", shaping=shaping, **SETTINGS["node"]).result["test_accuracy"] > 0.8


@pytest.mark.parametrize("name", ["node", "lowrank"])
def test_the_same_seed_gives_the_same_run(tmp_path, name):
    first, second = (train(tmp_path / out, generations=5, **SETTINGS[name]) for out in "ab")
    for one, other in zip(first.params, second.params, strict=True):
        np.testing.assert_array_equal(one["kernel"], other["kernel"])


@pytest.mark.parametrize("name", ["node", "lowrank"])
def test_resume_is_the_uninterrupted_run(tmp_path, name):
    whole = train(tmp_path / "whole", generations=10, **SETTINGS[name])
    train(tmp_path / "parts", generations=4, **SETTINGS[name])
    parts = nograd.train(make_blobs(), resume=tmp_path / "parts", generations=10)
    for name in ("fitness_mean", "gradient_norm"):
        assert [line[name] for line in whole.metrics] == [line[name] for line in parts.metrics]
    for one, other in zip(whole.params, parts.params, strict=True):
        np.testing.assert_array_equal(one["kernel"], other["kernel"])


def test_evaluations_and_population_are_counted(tmp_path):
    run = train(tmp_path / "run", generations=3, **SETTINGS["lowrank"])
    assert run.config["population"] == 32 // 4 * 8 * 2
    assert run.result["evaluations"] == 3 * 32 * 8 * 2
    assert json.loads((tmp_path / "run" / "config.json").read_text())["settings"]["population"] is None


def test_objects_stand_in_the_record(tmp_path):
    run = train(tmp_path / "run", generations=1, batch=16, perturbation=nograd.node(0.06, directions=8))
    assert (run.settings.perturbation, run.settings.sigma, run.settings.directions) == ("node", 0.06, 8)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"perturbation": "node", "population": 64}, "it follows from --batch and --directions"),
        ({"perturbation": "lowrank", "population": 64}, "--group 0"),
        ({"perturbation": "node", "noise": "table"}, "draws rademacher or gaussian"),
        ({"perturbation": "node", "batch_sharing": "private"}, "goes by the examples"),
        ({"perturbation": "lowrank", "batch": 30, "group": 8}, "use batch 24 or group 0"),
        ({"perturbation": "node", "batch": 8, "shift": 1}, "shift cannot be 1"),
    ],
)
def test_what_cannot_be_is_one_line(tmp_path, settings, message):
    with pytest.raises(ConfigError, match=message) as caught:
        train(tmp_path / "run", generations=1, **settings)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_a_schedule_ends_with_its_generations(tmp_path):
    train(tmp_path / "run", generations=4, lr_schedule="cosine", **SETTINGS["node"])
    with pytest.raises(ConfigError, match="generations"):
        nograd.train(make_blobs(), resume=tmp_path / "run", generations=8)


def test_shift_moves_images_by_whole_pixels():
    import jax

    from nograd.tasks.examples import shifted

    x = np.arange(1, 2 * 5 * 5 + 1, dtype=np.uint8).reshape(2, 5, 5)
    corners = jax.random.randint(jax.random.key(0), (len(x), 2), 0, 3)
    moved = np.asarray(shifted(x, corners, 1))
    for image, original in zip(moved, x, strict=True):
        padded = np.pad(original, 1)
        assert any(
            np.array_equal(image, padded[i : i + 5, j : j + 5]) for i in range(3) for j in range(3)
        )  # one of the nine places


@pytest.mark.slow
def test_a_perturbation_of_pythons_lays_the_recipes_own_aside(tmp_path):
    quick = {"model": "mlp:4", "batch": 16, "generations": 1, "engine": "inline", "preset": "eggroll"}
    dense = nograd.train(
        make_blobs(), perturbation=nograd.dense(0.1), population=8, out=tmp_path / "a", **quick
    ).settings
    assert (dense.perturbation, dense.sigma, dense.population) == ("dense", 0.1, 8)
    assert (dense.directions, dense.rank, dense.group) == (32, 1, 8)  # nothing of the recipe's
    strategy = nograd.openai_es(perturbation=nograd.node(0.2, directions=4), optimizer=optax.sgd(0.1))
    node = nograd.train(make_blobs(), strategy=strategy, out=tmp_path / "b", **quick).settings
    assert (node.perturbation, node.sigma, node.directions, node.rank) == ("node", 0.2, 4, 1)
