"""Whole trainings on environments: Python, command line, resume, evaluation."""

import json
from pathlib import Path

import pytest

pytest.importorskip("gymnasium", reason="needs nograd[envs]")

import jax
import numpy as np

import nograd as ng
from nograd.cli import main as cli
from nograd.core.types import ConfigError, EngineError
from runs import StopAt, lines, tensors

pytestmark = pytest.mark.slow  # minutes in all: before a release

SMALL = {"population": 16, "model": "mlp:8", "generations": 12, "eval_every": 3, "checkpoint_every": 5, "workers": "1"}
SMALL |= {"eval_episodes": 4, "observations": "normalized", "episode_limit": "adaptive", "sigma": 0.1}


def test_a_resumed_run_is_bitwise_the_uninterrupted_one(tmp_path):
    env_spec = ng.environment("worlds:walk", steps=15)
    whole = ng.train(env_spec, out=tmp_path / "whole", **SMALL)
    ng.train(env_spec, out=tmp_path / "parts", observer=StopAt(7), **SMALL)
    parts = ng.train(resume=tmp_path / "parts")
    assert lines(parts) == lines(whole)
    for name in ("generation-00000012.safetensors", "best.safetensors"):
        assert tensors(parts.directory.checkpoints / name) == tensors(whole.directory.checkpoints / name)
    same = ("test_return", "val_return", "best_generation", "generations", "evaluations", "stop_reason")
    assert {name: parts.result[name] for name in same} == {name: whole.result[name] for name in same}
    assert whole.result["evaluations"] == sum(round(line["episode_length"] * 16) for line in whole.metrics)


def test_the_best_policy_is_kept_and_evaluated_with_its_moments(tmp_path):
    run = ng.load(ng.train("worlds:walk", out=tmp_path / "run", **SMALL).path)
    best = max(line["val_return"] for line in run.metrics if "val_return" in line)
    assert run.result["val_return"] == best == run.task.scores(run.params)["val_return"]
    assert float(run.params.context.moments.count) > 0
    figures = run.evaluate(episodes=30)
    low, high = figures["interval"]
    assert low < figures["return"] < high
    assert (figures["episodes"], run.measure.name) == (30, "return")
    seen = np.array([[0.5, 0.25, 103.0]], np.float32)
    assert run.predict(seen).shape == (1, 1)
    plain = jax.tree.map(lambda leaf: leaf, run.params)._replace(context=run.task.blank())
    assert not np.allclose(run.outputs(seen), run.model.apply(plain.params, seen))  # the moments count


@pytest.mark.slow
def test_a_target_is_a_return(tmp_path):
    pytest.importorskip("envpool", reason="needs nograd[envs]")
    settings = {"model": "linear", "population": 32, "sigma": 0.5, "lr": 0.1, "eval_every": 1, "eval_episodes": 8}
    run = ng.train("CartPole-v1", target=150.0, generations=30, workers="1", out=tmp_path / "run", **settings)
    assert run.result["stop_reason"] == "target"
    assert run.result["val_return"] >= 150


def test_an_environment_that_raises_loses_nothing(tmp_path):
    env_spec = ng.environment("worlds:broken", how="raise", beyond=2.2)
    settings = SMALL | {"checkpoint_every": 1000, "generations": 1000}
    with pytest.raises(EngineError, match="the motor is stuck"):
        ng.train(env_spec, out=tmp_path / "run", **settings)
    run = ng.load(tmp_path / "run")
    done = run.metrics[-1]["generation"]
    assert run.directory.numbered()[-1].name == f"generation-{done:08d}.safetensors"


# The command line ----------------------------------------------------------------------------------------


def nograd(capsys, *arguments):
    with pytest.raises(SystemExit) as stop:
        cli.main(list(arguments))
    out, err = capsys.readouterr()
    return stop.value.code, out, err


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.slow
def test_train_evaluate_and_report(folder, capsys):
    flags = ("--population", "16", "--generations", "4", "--eval-every", "2", "--workers", "1", "--out", "run")
    code, out, _ = nograd(capsys, "train", "worlds:walk", *flags, "--eval-episodes", "4")
    assert code == 0
    assert "environment: worlds:walk by a function of yours; observations [3], actions [1] of real numbers" in out
    assert "on an episode each" in out
    result = json.loads((folder / "run/result.json").read_text())
    assert f"test return {result['test_return']:,.2f}" in out
    code, out, _ = nograd(capsys, "evaluate", "run", "--episodes", "10", "--json")
    assert (code, json.loads(out)["episodes"]) == (0, 10)
    code, out, _ = nograd(capsys, "evaluate", "run")
    assert code == 0
    assert "100 fresh episodes" in out


@pytest.mark.slow
def test_an_episode_as_a_film(folder, capsys):
    imageio = pytest.importorskip("imageio", reason="needs nograd[envs]")
    for name, task in (("walk", "worlds:walk"), ("blind", "worlds:broken")):
        options = {"env_options": '{"how": "nothing"}'} if name == "blind" else {}
        settings = {"population": 4, "generations": 1, "eval_episodes": 1, "workers": "1", **options}
        ng.train(task, out=name, **settings)
    code, out, _ = nograd(capsys, "evaluate", "walk", "--episodes", "3", "--video", "walk.gif")
    assert code == 0
    assert "film: walk.gif, an episode of" in out
    run = ng.load("walk")
    filmed = run.film("again.gif")
    assert filmed["return"] == run.evaluate(episodes=1)["return"]  # the first of the fresh ones
    assert 1 < len(imageio.mimread("again.gif")) <= filmed["length"] + 1  # equal pictures become one
    for arguments, words in (
        (("walk", "--video", "walk.avi"), "ends in .mp4 or .gif"),
        (("blind", "--video", "blind.gif"), "cannot render worlds:broken here: its render() gives no picture"),
    ):
        code, _, err = nograd(capsys, "evaluate", *arguments)
        assert code == 2
        assert words in err
        assert len(err.strip().splitlines()) == 1


@pytest.mark.slow
def test_mujoco_is_filmed_or_one_line_says_why_not(folder, capsys):
    """Where OpenGL is missing EnvPool ends the process that draws."""
    pytest.importorskip("envpool", reason="needs nograd[envs]")
    imageio = pytest.importorskip("imageio", reason="needs nograd[envs]")
    ng.train("InvertedPendulum-v5", out="run", generations=1, eval_episodes=1, workers="1")
    code, out, err = nograd(capsys, "evaluate", "run", "--episodes", "2", "--video", "film.gif")
    if code == 0:
        assert "film: film.gif" in out
        assert min(frame.std() for frame in imageio.mimread("film.gif")) > 1
        ng.load("run").film("film.mp4")
        assert b"ftyp" in Path("film.mp4").read_bytes()[:16]
    else:
        assert code == 2
        assert err.startswith("nograd: cannot render InvertedPendulum-v5 here: ")
        assert len(err.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--perturbation", "node"), "--perturbation node goes by the examples of a batch"),
        (("--batch", "64"), "--batch 64 is for data sets"),
        (("--episode-limit", "soon"), "use none, adaptive, or a number"),
        (("--env-options", "{"), "write JSON"),
        (("--env-options", '{"wings": 2}'), "unexpected keyword argument 'wings'"),
        (("--action-bins", "1"), "use 2 or more"),
        (("--env-options", '{"discrete": true}', "--action-noise", "0.1"), "is for continuous actions"),
    ],
)
def test_a_wrong_flag_is_one_line(flags, words, folder, capsys):
    code, _, err = nograd(capsys, "train", "worlds:walk", *flags)
    assert code == 2
    assert words in err
    assert len(err.strip().splitlines()) == 1


def test_settings_of_environments_are_refused_for_data(folder, capsys):
    code, _, err = nograd(capsys, "train", "digits", "--frame-skip", "2")
    assert code == 2
    assert "--frame-skip 2 is for environments" in err


def test_search_and_speedup_refuse_what_an_environment_does_not_read(folder, capsys):
    for command, flags in (("search", ("--fitness", "accuracy")), ("speedup", ("--batch", "8"))):
        code, _, err = nograd(capsys, command, "CartPole-v1", *flags)
        assert code == 2
        assert f"{' '.join(flags)} is for data sets, and the task CartPole-v1 is an environment" in err


def test_node_is_refused_as_an_object(folder):
    with pytest.raises(ConfigError, match="node"):
        ng.train("worlds:walk", perturbation=ng.node(), out=folder / "run")
