"""Lanes, masks, seeds and moments, each against a direct computation."""

import pytest

pytest.importorskip("gymnasium", reason="needs nograd[envs]")

import jax.numpy as jnp
import numpy as np
from worlds import Walk

from nograd.core.types import ConfigError
from nograd.envs import Action, EnvSpec, environment, vector_env
from nograd.envs.actions import decoded, output_count
from nograd.envs.normalization import CLIP, Moments, MomentSums, merged, no_moments, normalised
from nograd.envs.rollout import episode_seeds, run_episodes


def steer(observations, step):
    """Towards 0, by hand."""
    return -np.clip(observations[:, :1], -2, 2).astype(np.float32)


def push(observations, step):
    return (observations[:, 2] > 0).astype(np.int32)


WORLDS = [pytest.param("worlds:walk", {"noise": 1.5}, steer, id="function")]
WORLDS += [
    pytest.param("CartPole-v1", {"source": "gymnasium"}, push, id="gymnasium"),
    pytest.param("CartPole-v1", {}, push, id="envpool", marks=pytest.mark.slow),
]


def env_spec(name, options):
    if name == "CartPole-v1" and not options:
        pytest.importorskip("envpool", reason="needs nograd[envs]")
    return environment(name, **options)


@pytest.mark.parametrize(("name", "options", "act"), WORLDS)
def test_an_episode_follows_from_its_seed_alone(name, options, act):
    """Not from its neighbours, its lane, or what was played before."""
    made, seeds = env_spec(name, options), [3, 11, 5, 8, 2**31 - 1]
    together = vector_env(made)
    both = run_episodes(together, act, seeds)
    again = run_episodes(together, act, seeds[::-1])
    assert np.array_equal(again.returns[::-1], both.returns)
    for at, seed in enumerate(seeds):
        alone = run_episodes(vector_env(made), act, [seed])
        assert (alone.returns[0], alone.lengths[0]) == (both.returns[at], both.lengths[at])
    assert len(set(both.lengths)) > 1  # so that some lanes were masked out while others played
    together.close()


def test_play_agrees_with_a_plain_loop():
    for seed in (0, 1, 2):
        env = Walk(steps=50, noise=1.0)
        seen, _ = env.reset(seed=seed)
        total, over, steps = 0.0, False, 0
        while not over and steps < 30:
            seen, reward, ended, cut, _ = env.step(steer(seen[None], 0)[0])
            total, over, steps = total + reward, ended or cut, steps + 1
        results = run_episodes(vector_env(environment("worlds:walk", steps=50, noise=1.0)), steer, [seed], limit=30)
        assert (results.returns[0], results.lengths[0]) == (pytest.approx(total), steps)


def test_an_action_is_held_for_the_frames_that_are_skipped():
    seen = []

    def act(observations, step):
        seen.append(observations[0, 2])
        return steer(observations, step)

    results = run_episodes(vector_env(environment("worlds:walk", steps=8, noise=0.0)), act, [0], skip=3)
    assert seen == [100.0, 103.0, 106.0]
    assert results.lengths.tolist() == [8]


def test_seeds_have_an_address():
    words = np.array([7, 9], np.uint32)
    seeds = episode_seeds(words, np.array([4]), np.arange(100), np.arange(3))
    assert seeds.shape == (100, 3)
    assert len(np.unique(seeds)) == 300
    assert 0 <= seeds.min() < seeds.max() < 2**31
    assert np.array_equal(
        episode_seeds(words, np.array([4]), np.arange(50, 60), np.arange(1, 2))[:, 0], seeds[50:60, 1]
    )
    assert not np.isin(episode_seeds(words, np.array([5]), np.arange(100), np.arange(3)), seeds).any()
    assert abs(np.mean(seeds) / 2**30 - 1) < 0.15


def test_moments_of_any_grouping_agree_with_a_single_pass():
    draws = np.random.default_rng(0)
    x = draws.normal(50.0, [0.1, 3.0], (1000, 2))
    for sizes in ([1000], [1, 999], [300, 1, 450, 249]):
        total = no_moments((2,))
        for part in np.split(x, np.cumsum(sizes)[:-1]):
            tally = MomentSums()
            for rows in np.array_split(part, 3):
                if len(rows):
                    tally.add(rows)
            total = merged(total, Moments(*(jnp.float32(value) for value in tally.moments())))
        assert float(total.count) == 1000
        assert np.allclose(total.mean, x.mean(0), rtol=1e-6)
        assert np.allclose(total.squares / 1000, x.var(0), rtol=1e-4)


def test_normalised_observations():
    x = np.random.default_rng(0).normal(3.0, 2.0, (500, 4)).astype(np.float32)
    x[:, 3] = 7.0
    tally = MomentSums()
    tally.add(x)
    moments = Moments(*(jnp.float32(value) for value in tally.moments()))
    seen = np.asarray(normalised(moments, x))
    y = x[:, :3]
    assert np.allclose(seen[:, :3], np.clip((y - y.mean(0)) / y.std(0), -CLIP, CLIP), atol=1e-3)
    assert np.allclose(seen[:, 3], 0.0)  # it never moved
    assert np.array_equal(normalised(no_moments((4,)), x), x)
    assert float(jnp.max(normalised(moments, x + 1000.0))) == CLIP


BOX = Action("box", (2,), (), (), (-1.0, 0.0), (3.0, 1.0))


def test_actions_of_a_box_are_scaled_to_its_bounds():
    outputs = jnp.array([[-1.0, -1.0], [0.0, 0.0], [9.0, 9.0]])
    assert np.allclose(decoded(BOX, None, outputs), [[-1, 0], [1, 0.5], [3, 1]])
    free = BOX._replace(low=(None, 0.0), high=(3.0, 1.0))
    outputs = jnp.array([[7.0, 9.0], [-7.0, -9.0]])
    assert np.allclose(decoded(free, None, outputs), [[3, 1], [-7, 0]])  # inside of the one bound that there is


def test_actions_of_a_box_in_bins():
    assert output_count(BOX, 5) == 10
    outputs = jnp.array([0.0, 0, 0, 1, 0, 1, 0, 0, 0, 0])
    assert np.allclose(decoded(BOX, 5, outputs), [2.0, 0.0])


def test_actions_that_are_choices():
    discrete = Action("discrete", (), (3,), (-1,))
    assert output_count(discrete, None) == 3
    assert decoded(discrete, None, jnp.array([[0.0, 2, 1], [5, 0, 0]])).tolist() == [0, -1]
    several = Action("multi", (2,), (2, 3), (0, 0))
    assert decoded(several, None, jnp.array([[0.0, 1, 0, 0, 1]])).tolist() == [[1, 2]]


def test_a_world_travels_as_json():
    import json

    from nograd.envs.spec import from_portable

    made = environment("worlds:walk", steps=5)
    assert from_portable(json.loads(json.dumps(made.portable))) == made
    assert made.checksum != environment("worlds:walk", steps=6).checksum
    assert environment(Walk.__module__ + ":walk", steps=5) == made


@pytest.mark.parametrize(
    ("make", "words"),
    [
        ("worlds:nothing", "cannot import environment 'worlds:nothing'"),
        ("worlds:unmakeable", "cannot make the environment worlds:unmakeable: OSError: no such robot"),
        ("worlds:not_an_environment", "must return a gymnasium.Env, got int"),
        ("NoSuchThing-v3", "cannot make the environment NoSuchThing-v3"),
        ("hello", "unknown environment 'hello'"),
        (lambda: None, "put the function into a module"),
    ],
)
def test_what_cannot_be_made_is_said(make, words):
    with pytest.raises(ConfigError) as caught:
        environment(make)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_world_says_where_it_comes_from():
    made = environment("CartPole-v1", source="gymnasium")
    assert isinstance(made, EnvSpec)
    assert (made.source, made.maker_options, made.observation.shape, made.action.choices) == (
        "gymnasium", {"source": "gymnasium"}, (4,), (2,),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "source", "remedy"),
    [
        ("CartPole-v1", "gymnasum", "unknown source of environments 'gymnasum'.*did you mean .*gymnasium"),
        ("CartPole-v1", "brax", "brax has no environment 'CartPole-v1'; leave source='brax' out"),
        ("brax/humanoid", "gymnasium", "gymnasium has no environment 'brax/humanoid'"),
    ],
)
def test_a_source_that_has_no_such_environment_is_refused(name, source, remedy):
    with pytest.raises(ConfigError, match=remedy):
        environment(name, source=source)
