"""Virtual batch normalisation against a direct computation, and games of Atari."""

import pytest

pytest.importorskip("gymnasium", reason="needs nograd[envs]")

import jax
import jax.numpy as jnp
import numpy as np
from unshared import members, multiplied_out

import nograd as ng
from nograd.config.settings import TrainConfig
from nograd.config.validate import validate
from nograd.core.types import ModelError
from nograd.envs import environment, vector_env
from nograd.envs.rollout import run_episodes
from nograd.models import build_model, parse_policy
from nograd.tasks.kinds import load_source
from nograd.training.job import build_job

pytestmark = pytest.mark.slow  # minutes in all: before a release


def direct(params, reference, x):
    """In NumPy; every layer normalised by the reference batch's mean and variance."""
    params = jax.tree.map(np.asarray, params)

    def conv(kernel, images, stride):
        """What each place sees, laid out, times the kernel as a matrix."""
        side, units = kernel.shape[0], kernel.shape[-1]
        rows, across = ((length - side) // stride + 1 for length in images.shape[1:3])
        places = [(row * stride, column * stride) for row in range(rows) for column in range(across)]
        seen = np.stack([images[:, i : i + side, j : j + side].reshape(len(images), -1) for i, j in places], axis=1)
        return (seen @ kernel.reshape(-1, units)).reshape(len(images), rows, across, units)

    for layer, stride in zip(params["hidden"], (4, 2, None), strict=True):
        if stride:
            both = [conv(layer["kernel"], images, stride) for images in (reference, x)]
        else:
            both = [images.reshape(len(images), -1) @ layer["kernel"] for images in (reference, x)]
        axes = tuple(range(both[0].ndim - 1))
        mean, variance = both[0].mean(axes), both[0].var(axes)
        scaled = [layer["gain"] * (y - mean) / np.sqrt(variance + 1e-5) + layer["bias"] for y in both]
        reference, x = (np.maximum(y, 0) for y in scaled)
    return x @ params["last"]["kernel"] + params["last"]["bias"]


@pytest.mark.parametrize(
    "first", [pytest.param(True, id="channels first"), pytest.param(False, id="channels last", marks=pytest.mark.slow)]
)
def test_virtual_batch_normalisation_against_a_direct_computation(first):
    model = build_model(parse_policy("atari"), (3, 28, 32) if first else (28, 32, 3), 5)
    params = model.init(jax.random.key(0))
    params["hidden"][1] |= {"gain": jnp.linspace(0.5, 2, 32), "bias": jnp.linspace(-1, 1, 32)}
    reference, x = (np.random.default_rng(seed).random((9, 28, 32, 3), np.float32) for seed in (1, 2))
    shown = (lambda images: np.moveaxis(images, -1, 1)) if first else (lambda images: images)
    found = model.apply((params, model.prepare(params, shown(reference))), shown(x))
    assert np.allclose(found, direct(params, reference, x), atol=1e-4)
    one = model.apply((params, model.prepare(params, shown(reference))), shown(x)[:1])
    assert np.allclose(one, found[:1], atol=1e-5)  # not a matter of the batch that it is in


@pytest.mark.slow
def test_lowrank_members_are_normalised_by_what_their_own_weights_make_of_the_reference_batch():
    """Shared products or not: every member is the network with its own weights, prepared by itself."""
    config = validate(
        TrainConfig(task="worlds:pictures", model="atari", perturbation="lowrank", population=16, chunks=2)
    )
    job = build_job(config, load_source(config))
    generation, task, state = job.generation, job.task, job.init_state()
    fixed, published = generation.fixed(job.keys), generation.published(state)
    held = jax.jit(generation.chunk_members)(fixed, published, jnp.int32(0), jnp.int32(1))
    rng = np.random.default_rng(0)
    seen = rng.integers(0, 255, (generation.slots, 3, 24, 20, 2)).astype(np.uint8)
    found = jax.jit(generation.actions)(held, seen, np.zeros((generation.slots, 3), np.int32), np.int32(0))

    mean, noise, _ = held[2]
    tiles = jax.vmap(lambda tile: members(mean, multiplied_out(tile), config.sigma, mirrored=True))(noise)
    alone = jax.tree.map(lambda leaf, mean: leaf.reshape(-1, *mean.shape), tiles, mean)
    reference = np.asarray(task.see(state.context, state.context.reference))
    for slot in range(generation.slots):
        params = jax.tree.map(lambda leaf, slot=slot: leaf[slot], alone)
        own = task.act(direct(params, reference, np.asarray(task.see(state.context, seen[slot]))))
        np.testing.assert_allclose(found[slot], own, rtol=1e-3, atol=1e-3)
    assert np.std(found, axis=0).min() > 1e-2  # they differ


def test_too_small_an_image_is_one_line():
    with pytest.raises(ModelError, match="at least 20 pixels"):
        build_model(parse_policy("atari"), (4, 8, 8), 5)


@pytest.mark.slow
def test_a_game_follows_from_its_seed_alone():
    pytest.importorskip("envpool", reason="needs nograd[envs]")
    made = environment("ALE/Pong-v5")
    act = lambda seen, step: (np.arange(len(seen)) * 0 + step // 3 % 6).astype(np.int32)  # noqa: E731
    together = vector_env(made)
    both = run_episodes(together, act, [3, 12, 5], limit=150)
    again = run_episodes(together, act, [5, 3, 12], limit=150)
    assert np.array_equal(again.returns, both.returns[[2, 0, 1]])
    first = together.reset([3, 12, 5])
    assert np.array_equal(first[1], vector_env(made).reset([12])[0])
    assert not np.array_equal(first[0], first[1])


@pytest.mark.slow
def test_atari_trains_and_resumes_with_its_reference_batch(tmp_path):
    pytest.importorskip("envpool", reason="needs nograd[envs]")
    settings = {"preset": "openai-es-atari", "population": 4, "noise": "rademacher", "eval_every": 1, "workers": "1"}
    settings |= {"eval_episodes": 1, "episode_limit": "20", "checkpoint_every": 1}
    whole = ng.train("Pong-v5", out=tmp_path / "whole", generations=2, **settings)
    ng.train("Pong-v5", out=tmp_path / "parts", generations=1, **settings)
    parts = ng.train(resume=tmp_path / "parts", generations=2)
    assert jax.tree.all(jax.tree.map(np.array_equal, whole.params, parts.params))
    reference = np.asarray(whole.params.context.reference)
    assert reference.shape == (128, 4, 84, 84)
    assert len(np.unique(reference.reshape(128, -1), axis=0)) > 64
