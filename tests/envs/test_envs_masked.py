"""Environments that hide their velocities: those of `benchmarks/memory.py` are Gymnasium's, and memory solves them."""

import sys
from pathlib import Path

import pytest

pytest.importorskip("gymnasium", reason="needs nograd[envs]")

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
import memory

CASES = {
    "pendulum": ("Pendulum-v1", [0, 1], lambda action: np.float32(2.0) * action),
    "cartpole": ("CartPole-v1", [0, 2], lambda action: int(action[0] > 0)),
}


@pytest.mark.parametrize("task", CASES)
def test_each_step_is_gymnasiums(task):
    """From the same state and for the same action: what is seen, the reward, and the end of the episode."""
    name, seen, given = CASES[task]
    env, other = gymnasium.make(name), getattr(memory, task)()
    step = jax.jit(other.step)
    lengths = []
    for seed in range(2):
        draws, over = np.random.default_rng(seed), False
        observation, _ = env.reset(seed=seed)
        own = other._state(jnp.asarray(env.unwrapped.state, jnp.float32), jnp.zeros(()), jnp.int32(0))
        while not over:
            np.testing.assert_allclose(own.obs, observation[seen], atol=1e-5)
            action = draws.uniform(-1, 1, 1).astype(np.float32)
            if task == "cartpole" and seed == 0:  # held up to the end of the episode
                angle, turn = env.unwrapped.state[2:]
                action = np.sign([angle + 0.5 * turn]).astype(np.float32)
            observation, reward, ended, cut, _ = env.step(given(action))
            own, over = step(own, action), ended or cut
            np.testing.assert_allclose(own.reward, reward, rtol=1e-4, atol=1e-4)
            assert bool(own.done) == over
            own = own._replace(hidden=jnp.asarray(env.unwrapped.state, jnp.float32))
        lengths.append(int(own.steps))
    assert max(lengths) == (200 if task == "pendulum" else 500)


@pytest.mark.parametrize("task", CASES)
def test_episodes_begin_as_gymnasiums(task):
    env, other = gymnasium.make(CASES[task][0]), getattr(memory, task)()
    own = np.asarray(jax.vmap(lambda key: other.reset(key).hidden)(jax.random.split(jax.random.key(0), 1000)))
    starts = np.array([(env.reset(seed=seed), env.unwrapped.state)[1] for seed in range(1000)])
    np.testing.assert_allclose(own.std(0), starts.std(0), rtol=0.1)
    np.testing.assert_allclose(np.abs(own).max(0), np.abs(starts).max(0), rtol=0.01)


@pytest.mark.slow
@pytest.mark.parametrize("seed", memory.SEEDS)
@pytest.mark.parametrize(("task", "least"), [("cartpole", 475.0), ("pendulum", -250.0)])
def test_a_policy_with_memory_solves_it(task, least, seed, tmp_path):
    """Its mean return over 100 episodes of Gymnasium's own environment, of which it sees no velocity."""
    run = memory.trained(task, "lstm:16", seed, tmp_path / "run")
    assert memory.in_gymnasium(task, run.policy(), 100) >= least
