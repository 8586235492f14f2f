"""The room of a device: an accelerator's larger calls make the same numbers as a core's, up to the order of sums."""

import jax
import numpy as np
import pytest
from generations import DENSE, LOCAL, job_of

import nograd as ng
from nograd.engines.inline import Inline
from nograd.perturbations import batch_limits
from nograd.perturbations import population as local
from nograd.perturbations.population import local_population

pytestmark = pytest.mark.slow  # minutes in all: before a release

ACCELERATOR = batch_limits.BatchLimits(1 << 27, 1 << 27, 1 << 20, 1, node_tiles=2, lowrank_tiles=2, members=1 << 27)
WORKS = {
    "dense": DENSE,
    "dense, a batch each": DENSE | {"batch_sharing": "private"},
    "lowrank": LOCAL | {"perturbation": "lowrank", "group": 4, "chunks": None},
    "node": LOCAL | {"perturbation": "node", "chunks": None},
}


@pytest.fixture
def roomy(monkeypatch):
    def enter():
        for module in (batch_limits, local):
            monkeypatch.setattr(module, "batch_limits", lambda: ACCELERATOR)

    return enter


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "name", [name if name == "node" else pytest.param(name, marks=pytest.mark.slow) for name in WORKS]
)
@pytest.mark.slow
def test_a_training_does_not_depend_on_the_room(name, seed, roomy):
    def parameters():
        job = job_of(seed=seed, optimizer="sgd", **WORKS[name])
        engine, state = Inline(job.generation, job.state_shapes(), job.keys), job.init_state()
        for _ in range(3):
            state, _ = engine.step(state)
        return jax.tree.leaves(state.params), job.init_state()

    on_a_core, start = parameters()
    roomy()
    on_an_accelerator, _ = parameters()
    for left, right, first in zip(on_a_core, on_an_accelerator, jax.tree.leaves(start.params), strict=True):
        moved = np.linalg.norm(left - first)
        assert moved > 0
        assert np.linalg.norm(left - right) < 1e-3 * moved


def test_an_accelerator_gets_a_tile_a_device(roomy):
    def tiles(perturbation):
        return local_population(
            perturbation, lambda w, x: -(x @ w).sum(), np.ones((4, 3), "f4"), np.ones((1 << 14, 4), "f4")
        ).plan.units

    kinds = ng.lowrank(1, 0.1, 4, 8), ng.node(0.1, 4)
    assert all(tiles(kind) >= 8 for kind in kinds)
    roomy()
    assert [tiles(kind) for kind in kinds] == [2, 2]


def test_a_dense_gradient_does_not_depend_on_the_room(roomy):
    x = np.random.default_rng(0).normal(size=(16, 4)).astype("f4")

    def gradient():
        return ng.grad(lambda w, x: (x @ w).sum(1) ** 2, ng.dense(0.1, directions=12))(
            np.ones((4, 3), "f4"), x, key=jax.random.key(3)
        )

    on_a_core = gradient()
    roomy()
    np.testing.assert_allclose(gradient(), on_a_core, rtol=1e-4)
