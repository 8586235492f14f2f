"""Policies with memory: what they carry begins anew with each episode, and belongs to one member alone."""

import pytest

pytest.importorskip("gymnasium", reason="needs nograd[envs]")

import jax
import jax.numpy as jnp
import numpy as np
from generations import after

import nograd as ng
from nograd.config.settings import TrainConfig
from nograd.config.validate import validate
from nograd.engines.inline import Inline
from nograd.engines.processes import process_engine
from nograd.envs import vector_env
from nograd.envs.rollout import episode_seeds, run_episodes
from nograd.generation.context import Policy
from nograd.models.memory import carry_of
from nograd.tasks.kinds import load_source
from nograd.training.job import build_job

HOST = {"task": "worlds:counted", "model": "remembering:counting"}
TRACED = {"task": "jaxworlds:counted", "model": "remembering:hundredths", "episode_limit": "20"}
ROUNDS = {"population": 8, "chunks": 2, "episodes": 2, "member_steps": 25}
WALK = {"task": "worlds:walk", "model": "gru:4,3", "population": 16, "chunks": 4, "noise": "gaussian", "sigma": 0.3}
LOWRANK = {"perturbation": "lowrank", "noise": "rademacher"}


def job_of(**settings):
    config = validate(TrainConfig(**settings))
    return build_job(config, load_source(config))


def inline(job):
    return Inline(job.generation, job.state_shapes(), job.keys)


def found(job):
    """What members of generation 0 are found to be."""
    return inline(job).share("evaluate", job.generation.leaves(job.init_state()), np.int32(0))[0]


@pytest.mark.parametrize("settings", [HOST, HOST | LOWRANK, TRACED, TRACED | LOWRANK], ids=str)
def test_what_is_carried_begins_anew_with_each_episode(settings):
    """One who counts its steps is never wrong: in side-by-side episodes of other lengths, round after round."""
    job = job_of(**ROUNDS, **settings)
    fitness, lengths, *_ = found(job)
    np.testing.assert_allclose(np.asarray(fitness), 0.0, atol=1e-5)
    assert (np.asarray(lengths) >= 25).all()
    assert job.task.scores(job.init_state().params)["val_return"] == pytest.approx(0.0, abs=1e-5)


def test_an_action_that_is_held_is_one_step_of_memory():
    job = job_of(**ROUNDS, **HOST, frame_skip=2)
    results = job.task.results(job.init_state().params, "val", 3)
    wrong = [sum(step - step // 2 for step in range(int(length))) for length in results.lengths]
    np.testing.assert_allclose(results.returns, -np.array(wrong, float), atol=1e-4)


@pytest.mark.parametrize("settings", [WALK, WALK | LOWRANK], ids=("dense", "lowrank"))
def test_what_a_member_carries_is_its_own(settings):
    """Whatever the others of its chunk see, and in another episode it itself, its actions are the same bits."""
    job = job_of(**settings | {"episodes": 2})
    generation, state = job.generation, job.init_state()
    fixed, published = generation.fixed(job.keys), generation.published(state)
    held = generation.chunk_members(fixed, published, jnp.int32(0), jnp.int32(0))
    slots = (generation.slots, 2)
    step = jax.jit(lambda x, carry: generation.actions(held, x, jnp.zeros(slots, jnp.int32), 0, carry))
    seen = np.random.default_rng(0).normal(size=(2, 3, *slots, 3)).astype(np.float32)
    for slot in range(slots[0]):
        for episode in range(2):
            seen[1, :, slot, episode] = seen[0, :, slot, episode]
            own = [_played(step, generation.carry(), steps)[:, slot, episode] for steps in seen]
            np.testing.assert_array_equal(*own)
            seen[1, :, slot, episode] += 1.0


def _played(step, carry, steps):
    """Actions of some steps, [steps, slots, episodes, 1]."""
    found = []
    for x in steps:
        actions, carry = step(x, carry)
        found.append(np.asarray(actions))
    return np.stack(found)


@pytest.mark.slow
def test_members_side_by_side_are_what_each_is_alone():
    """Fitness is that of each member which `ask` gives, with a carry of its own and the seeds of its address."""
    job = job_of(**WALK)
    state = job.init_state()
    fixed = job.generation.fixed(job.keys)
    fitness = np.asarray(found(job)[0]).reshape(-1)
    members = job.strategy.ask(state.search, job.keys.noise)
    seeds = episode_seeds(np.asarray(fixed.batch), np.array([0]), np.arange(16), np.arange(1))
    for member in (0, 5, 15):
        params = jax.tree.map(lambda leaf, at=member: leaf[at], members)
        assert fitness[member] == pytest.approx(np.mean(_alone(job, params, seeds[member])), rel=1e-3, abs=1e-3)


def _alone(job, params, seeds):
    context = job.init_state().context
    carry = carry_of(job.task.model, len(seeds))

    def act(seen, step):
        nonlocal carry
        outputs, carry = job.task.model.apply(params, carry, job.task.see(context, seen))
        return np.asarray(job.task.act(outputs))

    lanes = vector_env(job.task.env_spec)
    try:
        return run_episodes(lanes, act, [int(seed) for seed in seeds]).returns
    finally:
        lanes.close()


def test_a_prediction_follows_from_the_observations_before_it():
    job = job_of(**WALK | {"model": "remembering:summing"})
    policy = job.init_state().params
    x = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    outputs = job.task.outputs(policy, x)
    expected = np.tanh(np.cumsum(x @ np.asarray(policy.params["kernel"]), axis=0))
    np.testing.assert_allclose(outputs, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(job.task.outputs(policy, x[:2]), outputs[:2])


def test_episodes_within_a_program_are_those_step_by_step():
    """As a film takes them: the same policy, the same seeds, a call a step."""
    job = job_of(**WALK | {"task": "jaxworlds:walk", "model": "lstm:4", "episode_limit": "20"})
    policy = job.init_state().params
    policy = Policy(jax.tree.map(lambda leaf: leaf + 0.3, policy.params), policy.context)
    program = job.task.results(policy, "val", 4)
    steps = job.task.results(policy, "val", 4, vector_env(job.task.env_spec))
    np.testing.assert_array_equal(program.lengths, steps.lengths)
    np.testing.assert_allclose(program.returns, steps.returns, rtol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(
    "more", [{}, LOWRANK, {"model": "lstm:4", "episodes": 2, "observations": "normalized"}], ids=str
)
@pytest.mark.parametrize("task", ["worlds:walk", "jaxworlds:walk"])
def test_any_number_of_workers_gives_the_same_bits(task, more):
    job = job_of(**WALK | {"task": task, "episode_limit": "20"} | more)
    expected = after(inline(job), job, 3)
    for workers in (1, 2):
        engine = process_engine(job.generation, job.state_shapes(), job.keys, workers)
        try:
            engine.wait_until_ready()
            assert after(engine, job, 3) == expected
        finally:
            engine.close()


@pytest.mark.slow
@pytest.mark.parametrize("task", ["worlds:walk", "jaxworlds:walk"])
def test_a_run_with_memory_is_resumed_loaded_and_evaluated(task, tmp_path):
    settings = {"population": 16, "episode_limit": "20", "workers": "1", "eval_every": 1, "checkpoint_every": 2}
    whole = ng.train(task, model=ng.gru(4), generations=4, out=tmp_path / "whole", **settings)
    ng.train(task, model="gru:4", generations=2, out=tmp_path / "parts", **settings)
    parts = ng.train(resume=tmp_path / "parts", generations=4)
    for one, other in zip(jax.tree.leaves(whole.params), jax.tree.leaves(parts.params), strict=True):
        np.testing.assert_array_equal(one, other)
    assert ng.load(tmp_path / "whole").evaluate(episodes=4) == parts.evaluate(episodes=4)


@pytest.mark.slow
def test_a_policy_with_memory_is_filmed(tmp_path):
    pytest.importorskip("imageio")
    run = ng.train("worlds:walk", model="gru:4", generations=1, population=8, workers="1", out=tmp_path / "run")
    film = run.film(tmp_path / "walk.gif")
    assert film["length"] > 0
    assert (tmp_path / "walk.gif").stat().st_size > 0
