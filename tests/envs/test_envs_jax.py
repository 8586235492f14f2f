"""Environments in JAX: whole episodes in a program, against plain loops, neighbours, masks, workers and resumption."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from generations import after
from jaxworlds import Walk

import nograd as ng
from nograd.cli import main as cli
from nograd.config.settings import TrainConfig
from nograd.config.validate import validate
from nograd.core.types import ConfigError
from nograd.engines.inline import Inline
from nograd.engines.processes import process_engine
from nograd.envs import environment, vector_env
from nograd.envs.jax_rollout import rollout
from nograd.envs.normalization import Moments
from nograd.envs.rollout import episode_seeds, run_episodes
from nograd.generation.context import Policy
from nograd.generation.jax_episodes import Traced
from nograd.tasks.kinds import load_source
from nograd.training.job import build_job
from runs import StopAt, lines, tensors

pytestmark = pytest.mark.slow  # minutes in all: before a release

WALK = {"task": "jaxworlds:walk", "population": 24, "model": "mlp:8", "chunks": 3, "noise": "gaussian"}
WALK |= {"episode_limit": "15", "sigma": 0.3}
KINDS = {
    "walk": WALK,
    "moments, limit, noise, two episodes": WALK
    | {"observations": "normalized", "episode_limit": "adaptive", "action_noise": 0.1, "episodes": 2},
    "bins, skip, member steps, bonus": WALK
    | {"action_bins": 5, "frame_skip": 4, "member_steps": 20, "survival_bonus": 1.0},
    "single members": WALK | {"mirrored": False, "population": 23, "shaping": "standardized"},
    "lowrank": WALK | {"perturbation": "lowrank", "noise": "rademacher", "population": 128, "chunks": 2},
}
BOTH = ("moments, limit, noise, two episodes",)
SMALL = {"population": 16, "model": "mlp:8", "generations": 12, "eval_every": 3, "checkpoint_every": 5, "workers": "1"}
SMALL |= {"eval_episodes": 4, "observations": "normalized", "episode_limit": "20", "sigma": 0.1}


def job_of(**settings):
    config = validate(TrainConfig(**settings))
    return build_job(config, load_source(config))


def steer(observations, step):
    """Towards 0, by hand."""
    return -jnp.clip(observations[:, :1], -1, 1)


def forgetful(act):
    """A policy without memory as `rollout` calls one."""
    return lambda observations, step, carry: (act(observations, step), carry)


def rolled(seeds, limit, env=None, active=None, **options):
    env, seeds = env or Walk(), jnp.array(seeds, jnp.int32)
    active = jnp.ones(seeds.shape, bool) if active is None else jnp.array(active)
    return jax.jit(lambda seeds: rollout(env, forgetful(steer), seeds, active, jnp.int32(limit), **options))(seeds)


def plain(env, seed, act, limit):
    """Return, length and observations of an episode by a plain loop over the environment's own functions."""
    state, total, seen = env.reset(jax.random.PRNGKey(seed)), 0.0, []
    for step in range(limit):
        seen.append(np.asarray(state.obs))
        state = env.step(state, act(state.obs[None], step)[0])
        total += float(state.reward)
        if state.done:
            break
    return total, len(seen), seen


@pytest.mark.parametrize(
    "limit", [pytest.param(1, marks=pytest.mark.slow), pytest.param(5, marks=pytest.mark.slow), 40]
)
def test_a_rollout_is_a_plain_loop(limit):
    env, seeds = Walk(noise=1.0), [0, 1, 7, 12345]
    found = rolled(seeds, limit, env, moments=True)
    expected = [plain(env, seed, steer, limit) for seed in seeds]
    assert np.allclose(found.returns, [total for total, _, _ in expected], rtol=1e-5)
    assert found.lengths.tolist() == [length for _, length, _ in expected]
    seen = np.concatenate([rows for _, _, rows in expected])
    count, mean, squares = found.moments
    assert float(count) == len(seen)
    assert np.allclose(mean, seen.mean(0), rtol=1e-5)
    assert np.allclose(squares / len(seen), seen.var(0), rtol=1e-3, atol=1e-6)


def test_a_rollout_agrees_with_the_host():
    env_spec = environment("jaxworlds:walk", noise=1.0)
    seeds = [3, 11, 5, 8, 2**31 - 1]
    for skip in (1, 3):
        found = rolled(seeds, 16, Walk(noise=1.0), skip=skip)
        host = run_episodes(vector_env(env_spec), lambda seen, step: np.asarray(steer(seen, step)), seeds, 16, skip)
        assert np.allclose(found.returns, host.returns, rtol=1e-5)
        assert found.lengths.tolist() == host.lengths.tolist()
    assert len(set(host.lengths)) > 1  # so that some lanes were masked out while others played


def test_a_lane_does_not_depend_on_its_neighbours():
    one, other = rolled([3, 11, 5, 8], 30, Walk(noise=1.0)), rolled([3, 4, 5, 9], 30, Walk(noise=1.0))
    for at in (0, 2):
        assert (float(one.returns[at]), int(one.lengths[at])) == (float(other.returns[at]), int(other.lengths[at]))


def test_what_is_over_stays_as_it_was():
    """No reward, no step, no observation counts after the end, and a lane that never plays has none."""
    seeds = [0, 1, 2, 3]
    found = rolled(seeds, 200, Walk(noise=2.0), active=[True, False, True, True], moments=True)
    expected = [plain(Walk(noise=2.0), seed, steer, 200) for seed in seeds]
    assert found.lengths.tolist() == [0 if seed == 1 else expected[seed][1] for seed in seeds]
    assert float(found.returns[1]) == 0.0
    assert max(found.lengths.tolist()) < 200
    assert float(found.moments.count) == sum(found.lengths.tolist())
    assert np.allclose(found.state.time, found.lengths)


@pytest.mark.parametrize("bad", [pytest.param("reward", marks=pytest.mark.slow), "observation"])
@pytest.mark.slow
def test_members_whose_environment_gives_a_nan_drop_out(bad):
    job = job_of(**WALK | {"env_options": json.dumps({"bad": bad}), "observations": "normalized"})
    engine = Inline(job.generation, job.state_shapes(), job.keys)
    state, outcome = engine.step(job.init_state())
    assert 0 < int(outcome.info.dropped) < 24
    assert bool(outcome.finite)
    assert np.isfinite(float(outcome.info.fitness_mean))
    assert all(np.isfinite(leaf).all() for leaf in state.context.moments)


# On engines ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind", [kind if kind in BOTH else pytest.param(kind, marks=pytest.mark.slow) for kind in KINDS]
)
@pytest.mark.slow
def test_two_workers_give_the_bits_of_one(kind):
    job = job_of(**KINDS[kind])
    assert isinstance(job.generation, Traced)
    engine = process_engine(job.generation, job.state_shapes(), job.keys, 2)
    try:
        engine.wait_until_ready()
        assert after(engine, job, 3) == after(Inline(job.generation, job.state_shapes(), job.keys), job, 3)
    finally:
        engine.close()


@pytest.mark.parametrize(
    "kind",
    ["moments, limit, noise, two episodes", pytest.param("bins, skip, member steps, bonus", marks=pytest.mark.slow)],
)
@pytest.mark.slow
def test_one_generation_is_what_its_members_do_alone(kind):
    """Fitness is that of the members which `ask` gives, each played on the host with the seeds of its address."""
    job = job_of(**KINDS[kind] | {"action_noise": 0.0})
    state, task = job.init_state(), job.task
    fixed = job.generation.fixed(job.keys)
    engine = Inline(job.generation, job.state_shapes(), job.keys)
    found, _ = engine.share("evaluate", job.generation.leaves(state), np.int32(0))
    members = job.strategy.ask(state.search, job.keys.noise)
    counts = 0
    for member in (0, 7, 23):
        policy = Policy(jax.tree.map(lambda leaf, at=member: leaf[at], members), state.context)
        act = jax.jit(
            lambda seen, policy=policy: task.act(task.model.apply(policy.params, task.see(policy.context, seen)))
        )
        returns, lengths, turn = [], 0, 0
        while not turn or lengths < task.member_steps:
            episodes = turn * task.episodes + np.arange(task.episodes)
            seeds = episode_seeds(np.asarray(fixed.batch), np.array([0]), np.array([member]), episodes)[0]
            results = run_episodes(
                vector_env(task.env_spec), lambda seen, _, act=act: np.asarray(act(seen)), seeds, task.limit, task.skip
            )
            returns += [*(results.returns - task.bonus * results.lengths)]
            lengths, turn = lengths + results.lengths.sum(), turn + 1
        counts += turn
        assert found[0].reshape(-1)[member] == pytest.approx(np.mean(returns), rel=1e-4, abs=1e-4)
        assert found[1].reshape(-1)[member] == lengths
    assert counts == 3 or task.member_steps


@pytest.mark.slow
def test_moments_are_of_all_that_members_saw():
    job = job_of(**WALK | {"observations": "normalized"})
    engine = Inline(job.generation, job.state_shapes(), job.keys)
    first = job.init_state()
    found, _ = engine.share("evaluate", job.generation.leaves(first), np.int32(0))
    state, outcome = engine.step(first)
    moments = Moments(*state.context.moments)
    assert float(moments.count) == int(outcome.evaluations) == float(np.sum(found[1]))
    assert 100.0 <= float(moments.mean[2]) <= 115.0  # 100 and the time


def test_lowrank_members_share_one_product():
    """No matrix of the network stands once a member in the program of the episodes."""
    job = job_of(**KINDS["lowrank"] | {"model": "mlp:32,32"})
    generation, state = job.generation, job.init_state()
    fixed, published = generation.fixed(job.keys), generation.published(state)
    text = str(jax.make_jaxpr(lambda: generation.chunk(fixed, published, jnp.int32(0), jnp.int32(0)))())
    assert "32,32]" in text
    assert f"{generation.slots},32,32]" not in text.replace(" ", "")


# Whole trainings -----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_resumed_run_is_bitwise_the_uninterrupted_one(tmp_path):
    env_spec = ng.environment("jaxworlds:walk", noise=0.5)
    whole = ng.train(env_spec, out=tmp_path / "whole", **SMALL)
    ng.train(env_spec, out=tmp_path / "parts", observer=StopAt(7), **SMALL)
    parts = ng.train(resume=tmp_path / "parts")
    assert lines(parts) == lines(whole)
    name = "generation-00000012.safetensors"
    assert tensors(parts.directory.checkpoints / name) == tensors(whole.directory.checkpoints / name)


@pytest.mark.slow
def test_the_policy_is_evaluated_as_it_is_scored(tmp_path):
    run = ng.load(ng.train("jaxworlds:walk", out=tmp_path / "run", **SMALL).path)
    best = max(line["val_return"] for line in run.metrics if "val_return" in line)
    assert run.result["val_return"] == best == run.task.scores(run.params)["val_return"]
    figures = run.evaluate(episodes=20)
    host = run.task.results(run.params, "fresh", 20, vector_env(run.task.env_spec))
    assert figures["return"] == pytest.approx(np.mean(host.returns), rel=1e-4)
    assert figures["length"] == np.mean(host.lengths)


@pytest.mark.slow
def test_it_learns(tmp_path):
    settings = SMALL | {"population": 64, "generations": 30, "lr": 0.05, "eval_episodes": 16}
    run = ng.train("jaxworlds:walk", out=tmp_path / "run", **settings)
    values = [line["val_return"] for line in run.metrics if "val_return" in line]
    assert values[-1] > values[0] + 2


@pytest.mark.slow
def test_train_and_evaluate_by_the_command_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def nograd(*arguments):
        with pytest.raises(SystemExit) as stop:
            cli.main(list(arguments))
        out, err = capsys.readouterr()
        return stop.value.code, out, err

    flags = ("--population", "16", "--generations", "2", "--workers", "1", "--out", "run", "--episode-limit", "10")
    code, out, _ = nograd("train", "jaxworlds:walk", *flags)
    assert code == 0
    assert "jaxworlds:walk by a function of yours, in JAX; observations [3], actions [1] of real numbers" in out
    code, out, _ = nograd("evaluate", "run", "--episodes", "10", "--json")
    assert (code, json.loads(out)["episodes"]) == (0, 10)
    code, _, err = nograd("evaluate", "run", "--video", "film.gif")
    assert code == 2
    assert len(err.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("make", "words"),
    [
        ("jaxworlds:misfit", "must step to a state of the structure that its reset gives"),
        ("jaxworlds:unnamed", "the observations of jaxworlds:unnamed have a part.at, and its parts must be in dicts"),
        ("jaxworlds:blind", "the observations of jaxworlds:blind hold no number"),
        ("jaxworlds:complex_numbers", "are of complex64, and must be of real numbers"),
        ("jaxworlds:untraceable", "cannot be traced by JAX: "),
    ],
)
def test_what_cannot_be_traced_is_said(make, words):
    with pytest.raises(ConfigError) as caught:
        environment(make)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


# Brax ----------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_brax_as_a_plain_loop():
    pytest.importorskip("brax", reason="needs nograd[jaxenvs]")
    from nograd.envs.jax_env import traced

    env = traced(environment("brax/fast"))
    idle = lambda observations, step: jnp.zeros((len(observations), 1))  # noqa: E731
    found = rollout(env, forgetful(idle), jnp.arange(3), jnp.ones(3, bool), jnp.int32(20))
    for at, seed in enumerate(range(3)):
        total, length, _ = plain(env, seed, idle, 20)
        assert (float(found.returns[at]), int(found.lengths[at])) == (pytest.approx(total), length)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Brax's of MuJoCo
def test_brax_trains(tmp_path):
    pytest.importorskip("brax", reason="needs nograd[jaxenvs]")
    settings = {"population": 8, "generations": 2, "eval_episodes": 2, "workers": "1", "episode_limit": "10"}
    run = ng.train("brax/inverted_pendulum", env_options='{"backend": "spring"}', out=tmp_path / "run", **settings)
    assert run.result["generations"] == 2
    assert run.result["test_return"] is not None


def test_what_brax_has_not_is_said():
    pytest.importorskip("brax", reason="needs nograd[jaxenvs]")
    with pytest.raises(ConfigError, match="Brax has no environment 'nothing'; it has ant, "):
        environment("brax/nothing")
