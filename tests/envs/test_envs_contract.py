"""What Gymnasium's functions must return, and what is no finite number: one line, or a member that drops out."""

import pytest

pytest.importorskip("gymnasium", reason="needs nograd[envs]")

import jax
import nestedworlds
import numpy as np

import nograd as ng
from nograd.core.types import ConfigError, EngineError, NogradError
from nograd.envs import environment, vector_env
from nograd.envs.normalization import MomentSums
from nograd.envs.rollout import LONGEST, EpisodeResults, run_episodes
from nograd.envs.watch import Heartbeat
from runs import StopAt, lines

SMALL = {"population": 8, "model": "mlp:4", "generations": 2, "eval_every": 1, "eval_episodes": 8, "workers": "1"}
WRONG = {
    "reset without info": "Gymnasium's reset returns (observation, info)",
    "reset of another shape": "has the shape [3], and its observation_space says [2]",
    "4 values": "4 are those of Gym before 0.26",
    "a list": "Gymnasium's step returns 5 values",
    "no reward": "returns the reward None from step(), and it must be one number",
    "an array as reward": "returns the reward an array of shape [2]",
    "a line of one as reward": "returns the reward an array of shape [1]",
    "a word as reward": "returns the reward '1.0' (str)",
    "a complex reward": "must be one number",
    "terminated None": "returns None as terminated",
    "terminated a word": "returns 'False' (str) as terminated",
    "truncated a dict": "as truncated from step(), and it must be True or False",
    "terminated an array": "returns an array of shape [1] as terminated",
    "another shape": "has the shape [2, 1], and its observation_space says [2]",
    "words": "must be of numbers",
}


@pytest.mark.parametrize("how", WRONG)
def test_a_mistake_is_one_line_and_nothing_is_written(how, tmp_path):
    with pytest.raises(ConfigError) as caught:
        ng.train("mistakes:make", env_options=f'{{"how": "{how}"}}', out=tmp_path / "run", **SMALL)
    assert WRONG[how] in str(caught.value)
    assert "mistakes:make" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("how", ["4 values", "no reward", "another shape"])
def test_a_mistake_later_on_is_the_same_line(how):
    found = vector_env(environment("mistakes:make", how=how, at=5))
    with pytest.raises(EngineError) as caught:
        run_episodes(found, lambda seen, step: np.zeros(len(seen), np.int32), [0, 1])
    assert WRONG[how] in str(caught.value)


@pytest.mark.parametrize("how", ["some resets infinite", "some resets huge"])
def test_what_is_not_finite_drops_out_and_poisons_nothing(how, tmp_path):
    settings = SMALL | {"observations": "normalized", "model": "linear", "population": 16}
    run = ng.train("mistakes:make", env_options=f'{{"how": "{how}"}}', out=tmp_path / "run", **settings)
    moments = run.params.context.moments
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves((moments, run.params.params)))
    if how == "some resets huge":  # finite, but not their squares
        assert run.result["dropped"] == 0
        return
    assert 0 < run.result["dropped"] < 32
    assert np.all(np.abs(moments.mean) < 1)
    assert 0 < run.metrics[-1]["val_dropped"] < 8
    assert 0 <= run.result["val_return"] <= 20
    figures = run.evaluate(episodes=20)
    assert figures["dropped"] + figures["episodes"] == 20
    assert np.isfinite([figures["return"], *figures["interval"]]).all()
    for shape, x in (([], np.zeros(2)), ([3], np.zeros((1, 3)))):
        with pytest.raises(NogradError) as caught:
            run.outputs(x)
        assert f"has the shape {shape}, and its observation_space says [2]" in str(caught.value)


@pytest.mark.parametrize("how", ["too large for float32", "NaN reward"])
def test_an_episode_ends_where_something_is_not_finite(how):
    found, tally = vector_env(environment("mistakes:make", how=how, at=3)), MomentSums()
    results = run_episodes(found, lambda seen, step: np.zeros(len(seen), np.int32), [0, 1], tally=tally)
    assert np.isnan(results.returns).all()
    assert results.lengths.tolist() == [4, 4]
    assert all(np.isfinite(part).all() for part in tally.moments())


def test_a_policy_of_which_most_episodes_drop_out_has_no_score():
    results = EpisodeResults(np.array([1.0, np.nan, np.nan]), np.array([3, 1, 1]))
    assert (results.mean, results.dropped, results.sound.lengths.tolist()) == (None, 2, [3])
    assert EpisodeResults(np.array([1.0, np.nan]), np.array([3, 1])).mean == 1.0


def test_a_member_whose_outputs_are_nan_has_no_action():
    found = vector_env(environment("mistakes:make"))
    results = run_episodes(found, lambda seen, step: np.array([0, -1 if step == 2 else 1]), [0, 1])
    assert results.lengths.tolist() == [20, 2]
    assert np.isfinite(results.returns).tolist() == [True, False]


def test_an_environment_without_an_end_is_named_once_and_cut(capsys, monkeypatch):
    from nograd.envs import watch

    monkeypatch.setattr(watch, "_LONG_SECONDS", -1.0)
    monkeypatch.setattr(watch, "_LONG_STEPS", 10)
    monkeypatch.setattr(watch, "_BEAT", 0.0)
    found, pulse = vector_env(environment("mistakes:make", steps=100)), Heartbeat(name="endless")
    act = lambda seen, step: np.zeros(len(seen), np.int32)  # noqa: E731
    run_episodes(found, act, [0], limit=50, pulse=pulse)  # a limit was asked for
    assert capsys.readouterr().err == ""
    for _ in range(2):
        assert run_episodes(found, act, [0], limit=LONGEST, pulse=pulse).lengths.tolist() == [100]
    assert capsys.readouterr().err == (
        "nograd: no episode of endless has ended after 10 steps; --episode-limit with a number of steps, such as 1000, "
        "cuts them\n"
    )


def test_nested_spaces_train_and_are_recorded(tmp_path):
    settings = SMALL | {"generations": 1, "action_noise": 0.1, "model": "linear", "eval_episodes": 2}
    run = ng.load(ng.train("nestedworlds:make", out=tmp_path / "run", **settings).path)
    shown = run.config["data"]["world"]["observation"]
    assert [leaf["path"] for leaf in shown["leaves"]] == [["arm", "angle"], ["arm", "gear"], ["lamp", 0], ["lamp", 1]]
    assert "observations [10] (arm.angle, arm.gear, lamp.0, lamp.1)" in run.task.note
    assert "6 choices and actions [1] of real numbers" in run.task.note
    assert environment("nestedworlds:make") == run.task.env_spec
    made = nestedworlds.make()
    seen = [made.reset(seed=seed)[0] for seed in range(3)]
    assert all(made.action_space.contains(action) for action in run.predict(seen))
    with pytest.raises(NogradError, match=r"has no arm\.angle"):
        run.predict([{"lamp": seen[0]["lamp"]}])


@pytest.mark.slow
def test_nested_spaces_are_resumed_exactly(tmp_path):
    settings = SMALL | {"generations": 4, "action_noise": 0.1, "observations": "normalized"}
    whole = ng.train("nestedworlds:make", out=tmp_path / "whole", **settings)
    ng.train("nestedworlds:make", out=tmp_path / "parts", observer=StopAt(2), **settings)
    assert lines(ng.train(resume=tmp_path / "parts")) == lines(whole)
