"""Generations computed ahead, several in one program, have the bits of those computed one by one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import nograd as ng
from nograd.core.runtime import in_64_bits
from nograd.engines import blocks
from nograd.engines.blocks import Blocks
from nograd.engines.inline import Inline
from nograd.generation.calls import TracedCalls
from nograd.testing.laws import bits

GENERATIONS = 40


def rosenbrock(x):
    return jnp.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def first_coordinate(x):
    return x[0]


def mixed(point):
    return jnp.sum((point["x"] - 0.9) ** 2) + (point["n"] - 3) ** 2


def undefined_on_one_side(x):
    return jnp.where(x[0] > 0.2, jnp.nan, jnp.sum(x**2))


def noisy(x, key):
    return jnp.sum(jnp.cos(x)) + jax.random.normal(key)


CASES = {
    "cma-es of a tree with bounds": (
        mixed,
        {"x": np.zeros(3), "n": ng.integers(0, 9)},
        {"bounds": ({"x": -1.0, "n": None}, None)},
    ),
    "sep-cma-es where points have no value": (undefined_on_one_side, np.zeros(4), {"strategy": "sep-cma-es"}),
}
MORE_CASES = {
    "cma-es of an odd population": (rosenbrock, np.full(5, 0.5), {"population": 9, "bounds": (-1, 2)}),
    "openai-es of noise": (noisy, np.zeros(3), {"strategy": "openai-es", "noisy": True}),
}
MORE = [(word, n) for word in ("cma-es", "sep-cma-es", "openai-es", "snes", "pgpe", "ars") for n in (2, 20, 60)]


def searched(fun, x0, **settings):
    settings = {"generations": GENERATIONS, "workers": 1, "jit": True, "tolfun": None, "tolx": None, **settings}
    result = ng.minimize(fun, x0, **settings)
    return bits((result.x, result.fun, result.nfev)), {name: curve.tolist() for name, curve in result.history.items()}


def both(monkeypatch, *case, **settings):
    made = []
    first = Blocks.__init__
    monkeypatch.setattr(Blocks, "__init__", lambda self, *a, **k: (made.append(self), first(self, *a, **k))[1])
    ahead = searched(*case, **settings)
    assert len(made) == 1
    monkeypatch.setattr(TracedCalls, "ahead", False)
    assert searched(*case, **settings) == ahead
    assert len(made) == 1


@pytest.mark.parametrize("case", [*CASES, *(pytest.param(case, marks=pytest.mark.slow) for case in MORE_CASES)])
def test_a_search_is_the_same_generation_by_generation(case, monkeypatch):
    fun, x0, settings = {**CASES, **MORE_CASES}[case]
    both(monkeypatch, fun, x0, **settings)


@pytest.mark.slow
@pytest.mark.parametrize(("strategy", "n"), MORE)
def test_so_it_is_with_any_strategy(strategy, n, monkeypatch):
    both(monkeypatch, rosenbrock, np.full(n, 0.5), strategy=strategy, generations=200, population=4 + 2 * n)


def test_any_state_can_be_stepped_at_any_time(monkeypatch):
    """Also one from the middle of a block, or that was loaded: a search is resumed, an update thrown away."""
    made = []
    monkeypatch.setattr(Blocks, "close", lambda self: made.append(self))
    ng.minimize(rosenbrock, np.full(3, 0.5), generations=2, workers=1, jit=True)
    monkeypatch.setattr("nograd.engines.blocks._SECONDS", 1.0)  # blocks as long as can be
    (engine,) = made
    with in_64_bits():
        states = [engine._last or engine.step(_start(engine))[0]]
        for _ in range(20):
            states.append(engine.step(states[-1])[0])
        for place in (3, 17, 0, 19):
            loaded = jax.tree.map(lambda leaf: np.array(leaf), states[place])
            for given in (states[place], loaded):
                assert bits(engine.step(given)[0]) == bits(states[place + 1])


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow), pytest.param(2, marks=pytest.mark.slow)])
def test_the_lengths_of_the_blocks_change_nothing(seed, monkeypatch):
    """They follow from how long a generation takes, which no two runs agree on."""
    draws, lengths = np.random.default_rng(seed), []
    compute = Blocks._compute

    def of_random_length(self, state):
        self._each = blocks._SECONDS / draws.integers(1, 20)
        compute(self, state)
        lengths.append(self._count)

    given = {"workers": 1, "jit": True, "sigma": 1e-3, "tolfun": None, "seed": 1}
    usual = ng.minimize(first_coordinate, np.ones(3), **given)
    monkeypatch.setattr(Blocks, "_compute", of_random_length)
    for _ in range(2):
        found = ng.minimize(first_coordinate, np.ones(3), **given)
        assert (found.status, found.nit, bits(found.x)) == ("tolfacupx", usual.nit, bits(usual.x))
    assert len(set(lengths)) > 2


def test_large_states_are_computed_one_by_one(monkeypatch):
    made = []
    monkeypatch.setattr("nograd.engines.blocks._BYTES", 1000)
    monkeypatch.setattr(Inline, "close", lambda self: made.append(self))
    ng.minimize(rosenbrock, np.full(9, 0.5), generations=2, workers=1, jit=True)
    assert len(made) == 1


def _start(engine):
    return jax.tree.unflatten(engine._tree, [leaf[0, ...] for leaf in engine._states])
