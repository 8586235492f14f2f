"""A trained policy asked step by step in a loop of the user's: the actions of `evaluate`, with its own memory."""

import pytest

pytest.importorskip("gymnasium", reason="needs nograd[envs]")

import jax
import numpy as np
import worlds

import nograd as ng
from nograd.core.types import ConfigError, EngineError

FEW = {"population": 8, "generations": 2, "workers": "1", "episode_limit": "30", "eval_episodes": 2, "sigma": 0.3}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """With memory, and observations that are normalised."""
    out = tmp_path_factory.mktemp("acting") / "run"
    trained = ng.train("worlds:walk", model="gru:4", observations="normalized", out=out, **FEW)
    return ng.load(trained.path)


def played(env, seed, act, limit=30):
    """The return of one episode, and its observations."""
    observation, _ = env.reset(seed=seed)
    total, seen, over = 0.0, [], False
    while not over and len(seen) < limit:
        seen.append(observation)
        observation, reward, ended, cut, _ = env.step(act(observation))
        total, over = total + reward, ended or cut
    return total, seen


def test_a_loop_of_the_users_has_the_returns_of_evaluate(run):
    policy, env = run.policy(), worlds.walk()
    returns = []
    for seed in run.task.seeds("fresh", 4):
        policy.reset()
        returns.append(played(env, seed, policy.act)[0])
    expected = run.task.results(run.params, "fresh", 4).returns
    np.testing.assert_allclose(returns, expected, rtol=1e-4, atol=1e-4)
    assert run.evaluate(episodes=4)["return"] == pytest.approx(np.mean(returns), rel=1e-4)


def test_its_actions_are_the_predictions_of_an_episode(run):
    policy = run.policy()
    found = []
    _, seen = played(worlds.walk(), 7, lambda observation: found.append(policy.act(observation)) or found[-1])
    np.testing.assert_allclose(found, run.predict(np.stack(seen)), rtol=1e-5, atol=1e-6)
    again = policy.act(seen[0])
    assert np.abs(again - found[0]).max() > 1e-7  # it remembers, until it is told of a new episode
    policy.reset()
    np.testing.assert_array_equal(policy.act(seen[0]), found[0])


def test_environments_side_by_side_begin_anew_one_by_one(run):
    """As Stable-Baselines3's `evaluate_policy` calls it: a new episode in one of two environments."""
    policy = run.policy()
    x = np.random.default_rng(0).normal(size=(5, 2, *run.task.env_spec.observation.shape)).astype(np.float32)
    state, starts, found = None, np.ones(2, bool), []
    for step in range(5):
        actions, state = policy.predict(x[step], state=state, episode_start=starts, deterministic=True)
        found.append(actions)
        starts = np.array([False, step == 1])  # the second's third observation begins an episode
    found = np.stack(found)
    np.testing.assert_allclose(found[:, 0], run.predict(x[:, 0]), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found[:2, 1], run.predict(x[:2, 1]), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found[2:, 1], run.predict(x[2:, 1]), rtol=1e-5, atol=1e-6)


def test_what_cannot_be_is_one_line(run, tmp_path):
    policy, shape = run.policy(), run.task.env_spec.observation.shape
    two = np.zeros((2, *shape), np.float32)
    _, state = policy.predict(two)
    with pytest.raises(ConfigError, match=r"state must be.*for 1 environments.*pass state=None"):
        policy.predict(two[0], state)
    with pytest.raises(ConfigError, match=r"episode_start must have the shape \(2,\)"):
        policy.predict(two, state, [True])
    with pytest.raises(EngineError, match="outputs are not finite"):
        policy.act(np.full(shape, np.nan, np.float32))
    with pytest.raises(EngineError, match="shape"):
        policy.act(np.zeros(17, np.float32))
    on_examples = ng.train("digits", model="mlp:4", generations=1, population=8, engine="inline", out=tmp_path / "run")
    with pytest.raises(ConfigError, match="has no policy"):
        on_examples.policy()


@pytest.mark.slow
@pytest.mark.parametrize("task", ["CartPole-v1", "nestedworlds:make", "jaxworlds:walk"])
def test_actions_have_the_form_of_the_environment(task, tmp_path):
    """A whole number for a choice, nested ones as they are; an environment of JAX is asked the same way."""
    run = ng.train(task, model="gru:4", out=tmp_path / "run", **FEW)
    policy = run.policy()
    if task.startswith("jaxworlds"):
        import jaxworlds

        env = jaxworlds.walk()
        assert policy.act(env.reset(jax.random.key_data(jax.random.key(0))).obs).shape == (1,)
        return
    import gymnasium
    import nestedworlds

    env = gymnasium.make(task) if task == "CartPole-v1" else nestedworlds.make()
    for seed in range(2):
        policy.reset()
        total, seen = played(env, seed, lambda x: _contained(env, policy.act(x)))
        assert len(seen) > 1
        assert np.isfinite(total)


def _contained(env, action):
    assert env.action_space.contains(action)
    return action
