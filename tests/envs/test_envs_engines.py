"""Episodes on engines: the same bits for any number of workers, whatever happens to them or to the environment."""

import os
import signal
import subprocess
import sys

import pytest

pytest.importorskip("gymnasium", reason="needs nograd[envs]")

import jax
import numpy as np
from generations import after, bits

from nograd.config.settings import TrainConfig
from nograd.config.validate import validate
from nograd.core.types import EngineError
from nograd.engines.inline import Inline
from nograd.engines.processes import process_engine
from nograd.envs import vector_env
from nograd.envs.rollout import episode_seeds, run_episodes
from nograd.generation.context import Policy
from nograd.tasks.kinds import load_source
from nograd.training.job import build_job

pytestmark = pytest.mark.slow  # minutes in all: before a release

WALK = {"task": "worlds:walk", "population": 24, "model": "mlp:8", "chunks": 6, "noise": "gaussian"}
POOL = {"task": "CartPole-v1", "population": 24, "model": "linear", "chunks": 6, "sigma": 0.3}
KINDS = {
    "walk": WALK,
    "pool": POOL,
    "moments, limit, noise, two episodes": WALK
    | {"observations": "normalized", "episode_limit": "adaptive", "action_noise": 0.1, "episodes": 2},
    "bins, skip, member steps": WALK | {"action_bins": 5, "frame_skip": 3, "member_steps": 40},
    "single members": WALK | {"mirrored": False, "population": 23, "shaping": "standardized"},
    "lowrank": WALK | {"perturbation": "lowrank", "noise": "rademacher", "population": 128, "chunks": 4},
    "pictures": {"task": "worlds:pictures", "model": "atari", "perturbation": "lowrank", "population": 16, "chunks": 4},
    "ars": WALK | {"strategy": "ars", "top": 5, "optimizer": "sgd", "observations": "normalized", "model": "linear"},
    "sep-cma-es": WALK | {"strategy": "sep-cma-es", "mirrored": False},
}
FAST = ("pool",)


def job_of(**settings):
    config = validate(TrainConfig(**settings))
    return build_job(config, load_source(config))


def inline(job, generations=3):
    return after(Inline(job.generation, job.state_shapes(), job.keys), job, generations)


@pytest.fixture
def process(request):
    def start(job, workers, **options):
        engine = process_engine(job.generation, job.state_shapes(), job.keys, workers, **options)
        request.addfinalizer(engine.close)
        engine.wait_until_ready()
        return engine

    return start


@pytest.mark.parametrize(
    ("kind", "workers"),
    [
        *((kind, 2) for kind in FAST),
        *(pytest.param(kind, workers, marks=pytest.mark.slow) for kind in KINDS for workers in (2, 3, 5)),
    ],
)
def test_any_number_of_workers_gives_the_same_bits(kind, workers, process):
    if kind == "pool":
        pytest.importorskip("envpool", reason="needs nograd[envs]")
    job = job_of(**KINDS[kind])
    engine = process(job, workers)
    assert after(engine, job, 3) == inline(job)
    assert engine.bytes_up > 0 < engine.bytes_down


@pytest.mark.slow
def test_a_worker_that_starts_in_the_middle_of_a_generation_gets_its_rest(process, monkeypatch):
    job = job_of(**WALK)
    engine = process(job, 2)
    (member,) = engine.handles
    looks, shares = iter([False, False, False]), []
    monkeypatch.setattr(member, "is_ready", lambda: next(looks, True))
    ask = member.ask
    monkeypatch.setattr(member, "ask", lambda request: shares.append((request.kind, request.share)) or ask(request))
    assert after(engine, job, 2) == inline(job, 2)
    first, later = shares[0], [share for kind, share in shares if kind == "evaluate"][1]
    assert first == ("evaluate", (4, 6))  # three chunks were done, two of the other three are left to it
    assert later == (3, 6)


@pytest.mark.slow
def test_a_killed_worker_changes_nothing(process):
    job = job_of(**WALK)
    engine = process(job, 2)

    def kill(generation):
        if generation == 1:
            os.kill(engine.handles[0].channel._process.pid, signal.SIGKILL)

    expected = inline(job, 3)
    assert after(engine, job, 3, kill) == expected
    engine.wait_until_ready()
    assert after(engine, job, 3) == expected


@pytest.mark.slow
def test_the_outcome_counts_steps():
    job = job_of(**WALK | {"frame_skip": 3, "episodes": 2})
    engine = Inline(job.generation, job.state_shapes(), job.keys)
    _, outcome = engine.step(job.init_state())
    (length,) = outcome.watched
    assert int(outcome.evaluations) == pytest.approx(float(length) * 48, abs=1)
    assert 1 <= float(length) <= 20


@pytest.mark.slow
def test_one_generation_is_what_its_members_do_alone():
    """Fitness is that of the members which `ask` gives, each played alone with the seeds of its address."""
    job = job_of(**WALK | {"episodes": 2})
    state = job.init_state()
    fixed = job.generation.fixed(job.keys)
    engine = Inline(job.generation, job.state_shapes(), job.keys)
    found, _ = engine.share("evaluate", job.generation.leaves(state), np.int32(0))
    members = job.strategy.ask(state.search, job.keys.noise)
    seeds = episode_seeds(np.asarray(fixed.batch), np.array([0]), np.arange(24), np.arange(2))
    for member in (0, 7, 23):
        policy = Policy(jax.tree.map(lambda leaf, at=member: leaf[at], members), state.context)

        def act(seen, step, policy=policy):
            return job.task.act(job.task.model.apply(policy.params, job.task.see(policy.context, seen)))

        returns = run_episodes(
            vector_env(job.task.env_spec), lambda *at: np.asarray(act(*at)), seeds[member].tolist()
        ).returns
        assert found[0].reshape(-1)[member] == pytest.approx(np.mean(returns), rel=1e-4)


@pytest.mark.slow
def test_lowrank_members_share_one_product():
    """No matrix of the network stands once a member in the program of the actions."""
    job = job_of(**KINDS["lowrank"] | {"model": "mlp:32,32"})
    generation, state = job.generation, job.init_state()
    fixed, published = generation.fixed(job.keys), generation.published(state)
    held = generation.chunk_members(fixed, published, jax.numpy.int32(0), jax.numpy.int32(0))
    slots = generation.slots
    seen, seeds = np.zeros((slots, 1, 3), np.float32), np.zeros((slots, 1), np.int32)
    text = str(jax.make_jaxpr(lambda *rest: generation.actions(held, *rest))(seen, seeds, np.int32(0)))
    assert "32,32]" in text
    assert f"{slots},32,32]" not in text.replace(" ", "")


# Environments that fail ----------------------------------------------------------------------------------


def broken(how, beyond=-9.0, **settings):
    return job_of(
        **WALK | {"task": "worlds:broken", "env_options": f'{{"how": "{how}", "beyond": {beyond}}}', **settings}
    )


def test_an_environment_that_raises_is_one_clear_line(process):
    message = "environment worlds:broken failed: RuntimeError: the motor is stuck$"
    job = broken("raise")
    with pytest.raises(EngineError, match=message):
        inline(job, 1)
    job = broken("raise", 1.5)  # in some chunks alone
    engine = process(job, 2)
    with pytest.raises(EngineError, match=message):
        after(engine, job, 3)


def test_an_environment_that_hangs_is_one_clear_line(process):
    job = broken("hang", deadline=0.5)
    with pytest.raises(EngineError, match=r"worlds:broken did not return within 0.5 s"):
        inline(job, 1)


@pytest.mark.slow
def test_a_process_that_was_stopped_does_not_take_its_environment_for_hung():
    """Ctrl-Z, and `fg` after longer than the deadline: the timer has run out meanwhile."""
    job = job_of(**WALK | {"deadline": 1.0, "env_options": '{"seconds": 0.002}'})
    expected = inline(job_of(**WALK), 2)
    stopper = f"import os, signal, time; time.sleep(0.2); os.kill({os.getpid()}, signal.SIGSTOP); time.sleep(1.5); "
    engine = Inline(job.generation, job.state_shapes(), job.keys)
    with subprocess.Popen([sys.executable, "-c", f"{stopper}os.kill({os.getpid()}, signal.SIGCONT)"]):
        assert after(engine, job, 2) == expected


@pytest.mark.parametrize("how", [pytest.param("nan reward", marks=pytest.mark.slow), "nan observation"])
def test_members_whose_environment_gives_a_nan_drop_out(how):
    job = broken(how, 1.0)
    engine = Inline(job.generation, job.state_shapes(), job.keys)
    _, outcome = engine.step(job.init_state())
    assert 0 < int(outcome.info.dropped) < 24
    assert bool(outcome.finite)
    assert np.isfinite(float(outcome.info.fitness_mean))


def test_bits_of_a_state_tell_generations_apart():
    job = job_of(**WALK)
    engine = Inline(job.generation, job.state_shapes(), job.keys)
    first, _ = engine.step(job.init_state())
    second, _ = engine.step(first)
    assert bits(first) != bits(second)
