"""The page of a run: finished, unfinished, without its data or model; what it shows is what the run is."""

import json
import re
import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import nograd as ng
from nograd.cli.flags import parse
from nograd.config.recipes import base_config, preset, presets
from nograd.config.settings import TrainConfig, settings
from nograd.config.validate import validate
from nograd.core.metrics import ACCURACY
from nograd.reports.curves import Trace, _some, curves, thinned
from nograd.reports.mistakes import confusion_table, mistakes_of, most_confident
from nograd.reports.pictures import first_layer, is_image, picture_of, picture_of_weights
from nograd.reports.predictions import Mistake, Predictions, confident_mistakes, confusion, predictions
from nograd.reports.reproduce import changed, command
from nograd.reports.run import run_page
from nograd.reports.snapshot import snapshot
from nograd.runs.run import load

pytestmark = pytest.mark.usefixtures("no_pictures")
EVIL = "<script>alert(1)</script>"


def text_of(html: str) -> str:
    """What a reader sees: without scripts, styles and tags."""
    return re.sub(r"<[^>]+>", " ", re.sub(r"<(script|style)\b.*?</\1>", "", html, flags=re.S))


# What it says --------------------------------------------------------------------------------------------


def test_a_finished_run_shows_its_figures_with_intervals(run):
    text, result = text_of(run_page(run)), run.result
    low, high = ACCURACY.interval(result["test_accuracy"], 250)
    for word in (f"{result['test_accuracy']:.2%}", f"{low:.2%} to {high:.2%}", "all generations done", "mlp:4"):
        assert word in text
    for title in ("Curves", "Confusion matrix", "most confident mistakes", "Weights of the first layer", "Settings"):
        assert title in text
    assert run.config["data"]["checksum"] in text
    assert run.config["nograd"]["jax"] in text


def test_an_unfinished_run_gets_a_page_too(run):
    (run.path / "result.json").unlink()
    page = run_page(run, refresh=5)
    assert "not finished" in text_of(page)
    assert 'http-equiv="refresh" content="5"' in page
    assert "validation examples are classified wrongly" in text_of(page)  # the test split is used at the end alone
    assert f"nograd train --resume {run.path}" in text_of(page)
    (run.path / "metrics.jsonl").unlink()
    for path in (run.path / "checkpoints").iterdir():
        path.unlink()
    text = text_of(run_page(load(run.path)))
    assert "No generation is done yet" in text
    assert "has no checkpoint yet" in text


def test_a_run_that_was_resumed_is_not_finished(run):
    assert snapshot(run).result
    last = run.metrics[-1]
    with (run.path / "metrics.jsonl").open("a") as file:
        file.write(json.dumps(last | {"generation": last["generation"] + 1}) + "\n")
    assert not snapshot(run).result
    assert "not finished" in text_of(run_page(run, network=False))


def test_an_interrupted_run_says_how_to_go_on(run):
    result = run.result | {"stop_reason": "interrupted", "test_accuracy": None}
    (run.path / "result.json").write_text(json.dumps(result))
    text = text_of(run_page(run))
    assert "interrupted" in text
    assert "nograd train --resume" in text
    assert "validation examples are classified wrongly" in text


@pytest.mark.parametrize("reason", ["nonfinite_fitness", "nonfinite_parameters", "a_new_reason"])
def test_every_stop_reason_has_a_page(run, reason):
    (run.path / "result.json").write_text(json.dumps(run.result | {"stop_reason": reason}))
    assert ("finite" if reason.startswith("nonfinite") else reason) in text_of(run_page(run, network=False))


def test_names_that_are_code_stay_text(run):
    run = changed_config(run, settings={"label": EVIL, "fitness": EVIL}, data={"name": EVIL})
    hostile = run.path.rename(run.path.with_name("<script>alert(1)<\u2215script>"))
    page = run_page(load(hostile))
    assert EVIL not in page
    assert "&lt;script&gt;alert(1)" in page
    assert page.count("<script>") == 1


def changed_config(run, **tables):
    """The run with other entries in tables of its config.json."""
    config = run.config
    for name, entries in tables.items():
        config[name] |= entries
    (run.path / "config.json").write_text(json.dumps(config))
    return load(run.path)


def test_a_model_of_pythons_leaves_one_line(run):
    run = changed_config(run, settings={"model": "(a Python object)"})
    text = text_of(run_page(run))
    assert "Not shown:" in text
    assert "handed over in Python" in text
    assert "Confusion matrix" not in text
    assert "Confusion matrix" in mistakes_of(load(run.path, model=ng.mlp(4)), "test")


@pytest.mark.parametrize(("task", "words"), [("gone.csv", "the data of "), ("mnist", "not on this disk")])
def test_data_that_are_gone_leave_one_line_and_are_not_downloaded(run, task, words, monkeypatch, tmp_path):
    monkeypatch.delenv("NOGRAD_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("urllib.request.urlopen", lambda *_, **__: pytest.fail("the page asked the network"))
    text = text_of(mistakes_of(changed_config(run, settings={"task": task}), "test"))
    assert f"Not shown: {'the MNIST files are ' if task == 'mnist' else ''}{words}" in text


def test_changed_data_leave_one_line(run):
    assert "have changed since" in mistakes_of(changed_config(run, data={"checksum": "0" * 64}), "test")


def test_table_data_show_rows_with_their_columns():
    mistakes = [Mistake(3, 1, 0, 0.9, np.array([1.5, -2000.0] + 12 * [0.0]))]
    found = Predictions("test", np.array([[5, 0], [1, 4]]), mistakes)
    html = most_confident(found, (14,), ["a<b>", "weight", *(f"c{place}" for place in range(12))])
    for cell in ("a&lt;b&gt;", "weight", "1.5", "-2000", "90.00%", "2 more columns"):
        assert cell in html
    assert "<img" not in html
    assert '<th scope="col" class="number">1</th>' in most_confident(found, (14,), [])


def test_many_classes_show_their_frequent_confusions():
    counted = np.diag(np.full(50, 9))
    counted[7, 3], counted[1, 2] = 5, 4
    rows = re.findall(r"<tr>(.*?)</tr>", confusion_table(Predictions("test", counted, [])))
    assert [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in rows[1:]] == [["7", "3", "5"], ["1", "2", "4"]]


# Its parts -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_the_confusion_matrix_counts_every_example_once(seed):
    rng = np.random.default_rng(seed)
    labels, predicted = rng.integers(0, 5, 300), rng.integers(0, 5, 300)
    counted = confusion(labels, predicted, 6)
    assert counted.shape == (6, 6)
    assert np.trace(counted) == np.sum(labels == predicted)
    for true in range(6):
        for other in range(6):
            assert counted[true, other] == np.sum((labels == true) & (predicted == other))


@pytest.mark.parametrize("seed", range(3))
def test_mistakes_are_wrong_and_the_most_confident_come_first(seed):
    rng = np.random.default_rng(seed)
    outputs, labels = 3 * rng.normal(size=(200, 4)), rng.integers(0, 4, 200)
    x = np.arange(200)[:, None]
    found = confident_mistakes(x, labels, outputs, most=20)
    shares = np.exp(outputs) / np.exp(outputs).sum(1, keepdims=True)
    wrong = labels != outputs.argmax(1)
    assert len(found) == 20
    assert [m.probability for m in found] == pytest.approx(sorted(shares.max(1)[wrong], reverse=True)[:20])
    for mistake in found:
        assert mistake.label == labels[mistake.number] != mistake.predicted == outputs[mistake.number].argmax()
        assert mistake.example == mistake.number
    assert confident_mistakes(x, outputs.argmax(1), outputs) == []


def test_predictions_agree_with_the_result(run):
    counted = predictions(run, "test").confusion
    assert np.trace(counted) / counted.sum() == pytest.approx(run.result["test_accuracy"])


def test_first_layer_weights_are_found_by_their_shape():
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(64, 5)) * np.arange(1, 6)
    by_norm = np.argsort(-np.linalg.norm(weights, axis=0))
    found = first_layer([{"bias": np.zeros(5), "kernel": weights}], (8, 8))
    np.testing.assert_array_equal(found, weights.T.reshape(5, 8, 8)[by_norm])
    np.testing.assert_array_equal(first_layer({"weight": weights.T}, (8, 8)), found)  # Equinox: [out, in]
    kernel = rng.normal(size=(5, 5, 1, 7))
    assert first_layer({"conv": kernel, "dense": np.zeros((112, 10))}, (28, 28)).shape == (7, 5, 5, 1)
    assert first_layer({"kernel": rng.normal(size=(64, 100))}, (8, 8)).shape == (32, 8, 8)
    assert first_layer({"kernel": np.zeros((4, 3))}, (4,)) is None
    assert first_layer({"kernel": np.zeros((100, 3))}, (8, 8)) is None


@pytest.mark.parametrize(
    ("shape", "image"),
    [
        ((8, 8), True),
        ((28, 28, 1), True),
        ((32, 32, 3), True),
        ((4,), False),
        ((9, 2), False),
        ((8, 8, 4), False),
    ],
)
def test_which_shapes_are_images(shape, image):
    assert is_image(shape) == image


def test_pictures_are_png_of_the_right_size():
    import base64
    import io

    from matplotlib.image import imread

    def pixels(address: str) -> np.ndarray:
        return imread(io.BytesIO(base64.b64decode(address.removeprefix("data:image/png;base64,"))))

    shown = pixels(picture_of(np.array([[0, 8], [16, 4]], np.uint8), 0, 16))
    np.testing.assert_allclose(shown[..., 0], [[0, 0.5], [1, 0.25]], atol=0.01)
    assert pixels(picture_of(np.zeros((3, 4, 3)), 0, 1)).shape[:2] == (3, 4)
    red, white, blue = pixels(picture_of_weights(np.array([[2.0, 0.0, -2.0]])))[0, :, :3]
    assert red[0] > red[2]
    assert blue[2] > blue[0]
    assert white.min() > 0.9


@pytest.mark.parametrize("count", [1, 399, 400, 401, 5000])
def test_curves_are_thinned_to_means(count):
    lines = [
        {"generation": g, "seconds": g / 10, "evaluations": 5 * g, "fitness_mean": float(g % 7), "fitness_std": 0.5}
        for g in range(1, count + 1)
    ]
    found = thinned(lines)
    assert 1 <= len(found) <= 400
    if count <= 400:
        assert [line["generation"] for line in found] == [line["generation"] for line in lines]
    sizes = [len(lines[start : start + -(-count // 400)]) for start in range(0, count, -(-count // 400))]
    mean = np.average([line["fitness_mean"] for line in found], weights=sizes)
    assert mean == pytest.approx(np.mean([line["fitness_mean"] for line in lines]), rel=1e-4)


def test_many_evaluations_are_thinned_and_the_chosen_one_stays():
    lines = [{"generation": g, "val_accuracy": 0.5} for g in range(1, 5001)]
    found = _some(lines, 4242)
    assert len(found) <= 401
    assert 4242 in [line["generation"] for line in found]
    assert _some(lines[:300], None) == lines[:300]


def test_curves_without_finite_fitness_or_evaluations():
    lines = [{"generation": 1, "seconds": 0.1, "evaluations": 5, "fitness_mean": None, "fitness_std": None}]
    assert "Fitness" in curves([Trace("a", lines, None)])
    assert curves([Trace("a", [], None)]) == ""


# How to do it again --------------------------------------------------------------------------------------


def settings_of(line: str) -> dict:
    """The settings of a training that this command starts."""
    words = shlex.split(line)
    assert words[:2] == ["nograd", "train"]
    given = parse(TrainConfig, words[2:], "nograd train")
    return settings(parse(TrainConfig, words[2:], "nograd train", replace(base_config(given), task=given.task)))


FEW = {"blog", "node-fast"}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in FEW else pytest.mark.slow) for name in sorted(presets())]
)
def test_the_command_of_a_preset_names_it(name):
    config = base_config(TrainConfig(preset=name))
    assert config.strategy
    assert settings_of(command(config)) == settings(config)
    assert len(shlex.split(command(config))) <= 5
    other = replace(config, seed=7, lr=0.123, mirrored=not config.mirrored, label="a b'c", workers="2")
    assert settings_of(command(other)) == settings(other)


@pytest.mark.parametrize(
    ("start", "changes"),
    [
        (TrainConfig(task="digits", strategy="snes"), {"lr_sigma": 0.2, "population": 64}),
        (TrainConfig(task="digits", strategy="ars"), {"sigma": 0.05, "lr": 0.01}),
        (TrainConfig(task="mnist", strategy="sep-cma-es"), {"model": "linear2"}),
        (TrainConfig(preset="ars-mujoco", strategy="openai-es"), {"seed": 3, "observations": "raw"}),
        (TrainConfig(task="HalfCheetah-v5", strategy="pgpe"), {"optimizer": "sgd"}),
        (TrainConfig(task="CartPole-v1"), {"target": None, "population": 16}),
        (TrainConfig(preset="eggroll", perturbation="node"), {"directions": 64}),
        (TrainConfig(task="digits", perturbation="lowrank"), {"group": 0, "population": 64}),
        (TrainConfig(task="mnist", perturbation="dense", strategy="ars"), {"top": 4}),
    ],
)
def test_the_command_of_another_choice_gives_its_settings(start, changes):
    """A flag such as `--strategy` takes away what the recipe chose for its own: what is left out must still be so."""
    config = validate(replace(base_config(start), task=start.task or preset(start.preset).settings["task"], **changes))
    assert validate(TrainConfig(**settings_of(command(config)))) == config


def test_the_command_says_what_is_no_default():
    assert command(TrainConfig(task="a b.npz", label="sick", budget="10m")) == (
        "nograd train 'a b.npz' --budget 10m --label sick"
    )
    assert changed(TrainConfig(task="a.npz", lr=0.5)) == {"task": "a.npz", "lr": 0.5}
    named = {"strategy": "openai-es", "perturbation": "dense"}
    assert command(TrainConfig(task="a.npz", lr=0.5, **named)) == "nograd train a.npz --lr 0.5"
    assert command(TrainConfig(task="digits", model="(a Python object)")) is None


def test_the_page_of_a_run_is_written_by_python(run, tmp_path):
    assert ng.report(run.path) == run.path / "report.html"
    assert ng.report(str(run.path), out=tmp_path / "page.html") == tmp_path / "page.html"
    assert Path(tmp_path / "page.html").read_text("utf-8").startswith("<!doctype html>")
