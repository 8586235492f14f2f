"""Restarts with other populations, for functions with many local optima: IPOP and BIPOP.

IPOP (Auger & Hansen 2005, doi:10.1109/CEC.2005.1554902) starts again with twice the population when a search has
ended. BIPOP (Hansen 2009, doi:10.1145/1570256.1570333) has two kinds of restart: large ones as in IPOP, and small ones
with a random population and a random, smaller sigma. It takes the kind that has called the function less often so far.
"""

import math
from typing import Any, NamedTuple

import jax
import numpy as np

from nograd.core.types import ConfigError, Key

WORDS = ("none", "ipop", "bipop")
DOUBLINGS = 9  # of the population; after the last one a search ends: the number in both papers


class Round(NamedTuple):
    """The state of one search among restarts, as numbers that a checkpoint can hold; the first search is round 0."""

    number: Any  # how many rounds came before
    doublings: Any  # large restarts so far; the last of them has first_population · 2^doublings members
    population: Any
    first_population: Any  # of round 0
    small: Any  # 1 in a small round, else 0
    calls: Any  # of the function in this round so far
    large_calls: Any  # of the function in all large rounds that have ended
    small_calls: Any  # of the function in all small rounds that have ended
    last_large_calls: Any  # of the function in the large round that ended last
    most: Any  # largest number of generations in this round; 0: only the limit of the whole search


def first_round(population: int) -> Round:
    """Round 0, the search before any restart; its calls count as neither large nor small."""
    return Round(*(np.int64(value) for value in (0, 0, population, population, 0, 0, 0, 0, 0, 0)))


def check_word(word: str) -> None:
    """Raises ConfigError if the word is not none, ipop or bipop."""
    if word not in WORDS:
        raise ConfigError(f"restarts must be one of {', '.join(WORDS)}, got {word!r}; try bipop")


def may_restart(now: Round, word: str) -> bool:
    """Whether another round may follow this one."""
    return word != "none" and int(now.doublings) < DOUBLINGS


def next_round(now: Round, word: str, key: Key) -> tuple[Round, float]:
    """The round that follows `now`, and the factor on the search's first sigma.

    A small round has λ (½ λ_l/λ)^(u²) members, rounded to λ times a power of two. Here λ is the population of round 0,
    λ_l that of the last large round, and u is uniform in (0, 1). Its sigma is 10^(−2u′) times the first. It may call
    the function half as often as the last large round did.
    """
    ended = {name: int(value) for name, value in now._asdict().items()}
    default = ended["first_population"]
    if ended["number"]:  # the calls of round 0 count for neither kind
        ended["small_calls" if ended["small"] else "large_calls"] += ended["calls"]
    if not ended["small"]:
        ended["last_large_calls"] = ended["calls"]
    after = {**ended, "number": ended["number"] + 1, "calls": 0, "most": 0, "small": 0}
    if word == "bipop" and ended["small_calls"] < ended["large_calls"]:
        shrinking, narrowing = map(float, jax.random.uniform(key, (2,)))
        doubled = round(max(0.0, shrinking**2 * (ended["doublings"] - 1)))
        after |= {"small": 1, "population": default * 2**doubled}
        after["most"] = max(1, math.ceil(0.5 * ended["last_large_calls"] / after["population"]))
        factor = 10 ** (-2 * narrowing)
    else:
        after |= {"doublings": ended["doublings"] + 1, "population": default * 2 ** (ended["doublings"] + 1)}
        factor = 1.0
    return Round(*(np.int64(after[name]) for name in Round._fields)), factor
