"""Observations of JAX's environments that are dicts and tuples, as MuJoCo Playground gives them."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxworlds import Several

from nograd.config.settings import TrainConfig
from nograd.config.validate import validate
from nograd.envs import environment, vector_env
from nograd.envs.jax_env import observed
from nograd.envs.observing import encoded
from nograd.tasks.kinds import load_source
from nograd.training.job import build_job


def test_parts_lie_in_one_line_with_their_names():
    shown = environment("jaxworlds:several").observation
    assert shown.shape == (6,)
    assert shown.names == ("bytes[0,0]", "bytes[0,1]", "place.0[0]", "place.1[0]", "place.1[1]", "time")
    state = Several().reset(jax.random.PRNGKey(3))
    seen = np.asarray(observed(state))
    at = float(state.at)
    np.testing.assert_allclose(seen, [0.2, 0.2, at, at > 0, at < 0, 0.0], rtol=1e-6)
    parts = jax.tree.map(np.asarray, state.obs)  # what a user who has the state itself hands to `predict`
    np.testing.assert_allclose(encoded(shown, [parts], "it")[0], seen, rtol=1e-6)


def test_a_policy_acts_on_parts_within_a_program_and_step_by_step():
    settings = {"task": "jaxworlds:several", "model": "gru:3", "population": 8, "observations": "normalized"}
    config = validate(TrainConfig(**settings, episode_limit="12"))
    job = build_job(config, load_source(config))
    policy = job.init_state().params
    program = job.task.results(policy, "val", 3)
    steps = job.task.results(policy, "val", 3, vector_env(job.task.env_spec))
    np.testing.assert_array_equal(program.lengths, steps.lengths)
    np.testing.assert_allclose(program.returns, steps.returns, rtol=1e-4)
    state = jax.vmap(Several().reset)(jax.vmap(jax.random.PRNGKey)(jnp.arange(2)))
    rows = [jax.tree.map(lambda leaf, at=at: np.asarray(leaf[at]), state.obs) for at in range(2)]
    assert job.task.outputs(policy, np.array(rows, object)).shape == (2, 1)
