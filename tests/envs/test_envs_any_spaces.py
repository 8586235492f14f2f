"""Whole episodes in environments of generated spaces: from observations to actions that are inside of their space."""

import pytest

pytest.importorskip("gymnasium", reason="needs nograd[envs]")

import jax
import numpy as np
import spaceworlds
from gymnasium import spaces
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from test_envs_spaces import nested

from nograd.config.settings import TrainConfig
from nograd.config.validate import validate
from nograd.core.types import EngineError
from nograd.generation.context import Policy
from nograd.tasks.kinds import load_source
from nograd.training.job import build_job

MIXED = spaces.Dict(
    arm=spaces.Tuple([spaces.Box(-1, 3, (), np.float64), spaces.MultiBinary((2, 1))]),
    gear=spaces.Discrete(3, start=-1),
    more=spaces.MultiDiscrete([[2, 3]], start=[[5, -7]]),
    whole=spaces.Box(-3, 9, (2, 1), np.int16),
)


def drawn(space):
    """Whether Gymnasium itself can draw from the space: not from boxes as wide as their type."""
    space.seed(0)
    try:
        return [space.sample() for _ in range(20)]
    except (ValueError, OverflowError, RuntimeWarning):
        return []


def policy_of(model, seed):
    """The task of the environment, and a policy whose outputs are large."""
    config = validate(TrainConfig(task="spaceworlds:make", model=model, population=4, eval_episodes=2))
    job = build_job(config, load_source(config))
    start = job.init_state().params
    draws = np.random.default_rng(seed)
    params = jax.tree.map(lambda leaf: draws.normal(size=leaf.shape).astype(np.float32), start.params)
    return job.task, Policy(params, start.context)


@pytest.mark.parametrize("examples", [3, pytest.param(60, marks=pytest.mark.slow)])
def test_a_policy_plays_in_any_spaces(examples):
    """The evaluation's episodes and a loop of the user's have the same returns, and every action is in the space.

    The environment refuses actions outside of its space, type included.
    """

    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))
    @example(MIXED, MIXED, "linear", 0)
    @given(nested, nested, st.sampled_from(["linear", "gru:2"]), st.integers(0, 99))
    def check(shown, taken, model, seed):
        samples = drawn(shown)
        assume(samples)
        spaceworlds.SPACES.update(observations=shown, actions=taken)
        task, policy = policy_of(model, seed)
        results = task.results(policy, "val", 2)
        sound = np.isfinite(results.returns)  # an observation too large for float32 ends an episode
        assert (results.returns[sound] == 3).all()
        actor, env = task.actor(policy), spaceworlds.make()
        observation, _ = env.reset(seed=seed)
        for _ in range(3):
            try:
                observation, *_ = env.step(actor.act(observation))
            except EngineError as error:
                if "not finite" not in str(error):
                    raise
                return

    check()
