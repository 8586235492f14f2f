"""The populations, sigmas and budgets of IPOP and BIPOP, as in their papers."""

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nograd.core.types import ConfigError
from nograd.strategies.restarts import DOUBLINGS, check_word, first_round, may_restart, next_round

POPULATION = 6


def rounds(word, calls, seed=0):
    """Round after round with the factor on sigma, where each calls the function so often."""
    now, factor = first_round(POPULATION), 1.0
    for number, count in enumerate(calls):
        now = now._replace(calls=np.int64(count))
        yield now, factor
        if not may_restart(now, word):
            return
        now, factor = next_round(now, word, jax.random.fold_in(jax.random.key(seed), number))


def test_ipop_doubles_the_population_nine_times():
    every = list(rounds("ipop", [100] * 50))
    assert [int(now.population) for now, _ in every] == [POPULATION * 2**k for k in range(DOUBLINGS + 1)]
    assert all(factor == 1.0 and not now.small and not now.most for now, factor in every)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 100_000), min_size=60, max_size=60), st.integers(0, 2**31))
def test_bipop_splits_the_calls_between_both_kinds(calls, seed):
    every = list(rounds("bipop", calls, seed))
    spent, large, last_large = [0, 0], 0, int(every[0][0].calls)
    for now, factor in every[1:]:
        assert bool(now.small) == (spent[1] < spent[0])  # the kind that has called less
        if now.small:
            assert POPULATION <= now.population <= max(POPULATION, POPULATION * 2 ** (large - 1))
            assert now.population % POPULATION == 0
            assert 0.01 <= factor <= 1
            assert abs(int(now.most) * int(now.population) - last_large / 2) <= now.population
        else:
            large += 1
            assert (int(now.population), factor, int(now.most)) == (POPULATION * 2**large, 1.0, 0)
            last_large = int(now.calls)
        spent[int(now.small)] += int(now.calls)
    assert [int(now.number) for now, _ in every] == list(range(len(every)))


def test_small_rounds_are_of_all_sizes_and_sigmas():
    """u² leans towards small populations; log₁₀ of the factors is uniform in (−2, 0)."""
    calls = [10_000] + [100_000, *[1] * 3] * 200
    small = [(now, factor) for seed in range(40) for now, factor in rounds("bipop", calls, seed) if now.small]
    logs = np.log10([factor for _, factor in small])
    assert abs(logs.mean() + 1) < 4 * (2 / 12**0.5) / len(logs) ** 0.5
    assert len({int(now.population) for now, _ in small}) > 4


def test_another_word_is_one_line():
    with pytest.raises(ConfigError, match="restarts must be one of none, ipop, bipop, got 'bi'"):
        check_word("bi")
